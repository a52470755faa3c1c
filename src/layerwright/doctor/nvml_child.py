"""Asks NVIDIA's management library for what doctor wants to know, and prints it as one JSON object.

A program of its own (``python -I -S nvml_child.py [LIBRARY …]``): a library that does not fit the driver can hang, or
take the process with it. Functions, structures and numbers are those of ``nvml.h`` (NVML API reference); the few that
are needed here have not changed since driver 418. ``nvidia-ml-py`` is the oracle in the tests.
"""

import ctypes
import json
import sys
from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["main"]

_TEXT = 96  # NVML_DEVICE_NAME_V2_BUFFER_SIZE, the longest of the texts asked for
_MOST_DEVICES = 64
_LIBRARIES = ("libnvidia-ml.so.1", "/usr/lib/wsl/lib/libnvidia-ml.so.1")


class _Memory(ctypes.Structure):
    """nvmlMemory_t."""

    _fields_ = (
        ("total", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


class _Failed(Exception):  # noqa: N818 - not seen outside
    """A call gave an error code."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Library:
    """NVML's functions by name, raising where they give an error."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library

    def call(self, name: str, *arguments: object) -> None:
        try:
            function = getattr(self._library, name)
        except AttributeError:
            raise _Failed(13) from None  # NVML_ERROR_FUNCTION_NOT_FOUND
        code = function(*arguments)
        if code:
            raise _Failed(code)

    def text(self, name: str, *arguments: object) -> str:
        buffer = ctypes.create_string_buffer(_TEXT)
        self.call(name, *arguments, buffer, ctypes.c_uint(_TEXT))
        return buffer.value.decode(errors="replace")

    def number(self, name: str, *arguments: object) -> int:
        value = ctypes.c_int()
        self.call(name, *arguments, ctypes.byref(value))
        return value.value

    def explain(self, code: int) -> str:
        try:
            function = self._library.nvmlErrorString
        except AttributeError:
            return f"error {code}"
        function.restype = ctypes.c_char_p
        words = function(ctypes.c_int(code))
        return words.decode(errors="replace") if words else f"error {code}"


def _open(names: Sequence[str]) -> tuple[ctypes.CDLL | None, str]:
    reasons = []
    for name in names:
        try:
            return ctypes.CDLL(name), ""
        except OSError as error:
            reasons.append(str(error))
    return None, reasons[0] if reasons else ""


def _either(default: Any, ask: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever it asks for
    """What a call gives, or the default where this device or this driver cannot say."""
    try:
        return ask()
    except _Failed:
        return default


def _device(library: _Library, index: int) -> dict[str, Any]:
    handle = ctypes.c_void_p()
    library.call("nvmlDeviceGetHandleByIndex_v2", ctypes.c_uint(index), ctypes.byref(handle))
    major, minor = ctypes.c_int(), ctypes.c_int()
    memory, mig, pending = _Memory(), ctypes.c_uint(), ctypes.c_uint()

    def capability() -> str:
        library.call("nvmlDeviceGetCudaComputeCapability", handle, ctypes.byref(major), ctypes.byref(minor))
        return f"{major.value}.{minor.value}"

    def bytes_of_memory() -> int:
        library.call("nvmlDeviceGetMemoryInfo", handle, ctypes.byref(memory))
        return int(memory.total)

    def mig_mode() -> bool:
        library.call("nvmlDeviceGetMigMode", handle, ctypes.byref(mig), ctypes.byref(pending))
        return bool(mig.value)

    return {
        "name": _either("", lambda: library.text("nvmlDeviceGetName", handle)),
        "compute_capability": _either("", capability),
        "memory_bytes": _either(0, bytes_of_memory),
        "mig": _either(None, mig_mode),
        "persistence": _either(None, lambda: bool(library.number("nvmlDeviceGetPersistenceMode", handle))),
        "brand": _either(0, lambda: library.number("nvmlDeviceGetBrand", handle)),
    }


def _ask(library: _Library) -> dict[str, Any]:
    cuda = _either(0, lambda: library.number("nvmlSystemGetCudaDriverVersion_v2"))
    count = ctypes.c_uint()
    library.call("nvmlDeviceGetCount_v2", ctypes.byref(count))
    devices = []
    lost = []
    for index in range(min(count.value, _MOST_DEVICES)):
        try:
            devices.append(_device(library, index))
        except _Failed as error:
            lost.append(f"GPU {index}: {library.explain(error.code)}")
    return {
        "driver": _either("", lambda: library.text("nvmlSystemGetDriverVersion")),
        "cuda": f"{cuda // 1000}.{cuda % 1000 // 10}" if cuda else "",
        "devices": devices,
        "lost": lost,
    }


def main(names: Sequence[str]) -> int:
    """Print what is known; what went wrong stands under ``error`` and ``code``."""
    opened, reason = _open(names or _LIBRARIES)
    document: dict[str, Any]
    if opened is None:
        document = {"loaded": False, "error": reason}
    else:
        library = _Library(opened)
        try:
            library.call("nvmlInit_v2")
            document = {"loaded": True, **_ask(library)}
            library.call("nvmlShutdown")
        except _Failed as error:
            document = {"loaded": True, "error": library.explain(error.code), "code": error.code}
    sys.stdout.write(json.dumps(document) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
