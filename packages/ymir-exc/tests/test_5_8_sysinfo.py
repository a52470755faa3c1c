"""§5.8: what the machine has."""

import sys
import types

import pytest

from ymir_exc import sysinfo


def test_memory_in_gib(monkeypatch):
    torch = types.ModuleType("torch")
    torch.cuda = types.SimpleNamespace(
        mem_get_info=lambda device: {"cuda:1": (3 * 1024**3, 24 * 1024**3)}[device]
    )
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert sysinfo.get_gpu_memory("cuda:1") == (24.0, 3.0)


def test_without_torch(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match="reading a GPU's memory needs torch"):
        sysinfo.get_gpu_memory()
