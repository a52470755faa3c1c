"""§5.3: states and codes."""

from ymir_exc import code


def test_states():
    assert {each.name: int(each) for each in code.ExecutorState} == {"ES_RUNNING": 2, "ES_ERROR": 4}


def test_codes():
    assert {each.name: int(each) for each in code.ExecutorReturnCode} == {
        "RC_EXEC_NO_ERROR": 0,
        "RC_EXEC_CONFIG_ERROR": 300001,
        "RC_EXEC_DATASET_ERROR": 300002,
        "RC_EXEC_UNKNOWN_IMAGE_FORMAT": 300003,
        "RC_EXEC_MODEL_ERROR": 300004,
        "RC_EXEC_OBJECT_TYPE_ERROR": 300005,
        "RC_EXEC_CUDA_GPU_ERROR": 300101,
        "RC_EXEC_NO_GPU": 300102,
        "RC_EXEC_OOM": 300103,
        "RC_EXEC_NAN_ERROR": 300201,
        "RC_EXEC_NETWORK_ERROR": 300301,
        "RC_CMD_CONTAINER_ERROR": 160004,
    }
