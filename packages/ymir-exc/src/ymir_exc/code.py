"""States and codes of an executor (§5.3; what the platform makes of the codes: §4.4)."""

from enum import IntEnum

__all__ = ["ExecutorReturnCode", "ExecutorState"]


class ExecutorState(IntEnum):
    """The states an executor reports; the others are the platform's own (§3.1)."""

    ES_RUNNING = 2
    ES_ERROR = 4


class ExecutorReturnCode(IntEnum):
    """Why an executor failed."""

    RC_EXEC_NO_ERROR = 0
    RC_EXEC_CONFIG_ERROR = 300001
    RC_EXEC_DATASET_ERROR = 300002
    RC_EXEC_UNKNOWN_IMAGE_FORMAT = 300003
    RC_EXEC_MODEL_ERROR = 300004
    RC_EXEC_OBJECT_TYPE_ERROR = 300005
    RC_EXEC_CUDA_GPU_ERROR = 300101
    RC_EXEC_NO_GPU = 300102
    RC_EXEC_OOM = 300103
    RC_EXEC_NAN_ERROR = 300201
    RC_EXEC_NETWORK_ERROR = 300301
    RC_CMD_CONTAINER_ERROR = 160004
