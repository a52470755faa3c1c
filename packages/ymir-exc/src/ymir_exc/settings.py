"""Where the task is described, and what may be switched on: read when it is needed, so that it can be set (§5.1).

Each name is taken from the environment variable given with it; tests and tools assign to the attributes.
"""

import os

__all__ = [
    "DEFAULT_CONFIG_FILE_PATH",
    "DEFAULT_ENV_FILE_PATH",
    "MONITOR_MIN_SECONDS",
    "MONITOR_MONOTONIC",
    "PARAMETERS_FILE_PATH",
]


def _seconds(name: str) -> float:
    told = os.environ.get(name) or "0"
    try:
        return float(told)
    except ValueError:
        msg = f"{name} is {told!r}, and a number of seconds is wanted"
        raise ValueError(msg) from None


DEFAULT_ENV_FILE_PATH: str = os.environ.get("DEFAULT_ENV_FILE_PATH", "/in/env.yaml")
"""The file that says what the task is (DEFAULT_ENV_FILE_PATH)."""

DEFAULT_CONFIG_FILE_PATH: str = os.environ.get("DEFAULT_CONFIG_FILE_PATH", "/in/config.yaml")
"""The file of hyper-parameters, where env.yaml names none (DEFAULT_CONFIG_FILE_PATH)."""

PARAMETERS_FILE_PATH: str = os.environ.get("YMIR_PARAMETERS_FILE_PATH", "/img-man/parameters.json")
"""The file with types and ranges of the hyper-parameters, if the image has one (YMIR_PARAMETERS_FILE_PATH)."""

MONITOR_MONOTONIC: bool = os.environ.get("YMIR_MONITOR_MONOTONIC", "").lower() in ("1", "t", "true")
"""Keep progress between 0 and 1, and never let it go back (YMIR_MONITOR_MONOTONIC; off, as in the SDKs)."""

MONITOR_MIN_SECONDS: float = _seconds("YMIR_MONITOR_MIN_SECONDS")
"""Leave out a report that comes sooner than this after the last one (YMIR_MONITOR_MIN_SECONDS; 0: write all)."""
