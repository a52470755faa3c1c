"""A machine's facts as a file: written by ``doctor --record``, read by ``check --host``."""

import json
import re
from pathlib import Path
from typing import Final

import msgspec

from layerwright.core.errors import UsageError
from layerwright.facts.model import HostFacts

__all__ = ["HOST_SCHEMA", "host_record", "parse_host_facts", "read_host_facts"]

HOST_SCHEMA: Final = 1
"""Rises when a reader of an earlier record would misunderstand a later one; added fields do not raise it."""

_LARGEST_FILE: Final = 1 << 20
_MOST_GPUS: Final = 1024
_LONGEST_TEXT: Final = 300
_VERSION: Final = re.compile(r"\d{1,6}(\.\d{1,6}){0,4}")
_CAPABILITY: Final = re.compile(r"\d{1,2}\.\d")
_MAKE_ONE: Final = "write one with `layerwright doctor --record FILE` on the machine to judge"


def host_record(facts: HostFacts) -> bytes:
    """The record of a machine, as JSON text for people to read and to keep in version control."""
    # The schema is written even though it has its default: readers must see it.
    document = {"schema": facts.schema, **msgspec.to_builtins(facts)}
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def read_host_facts(path: Path) -> HostFacts:
    """Read a record.

    Raises:
        UsageError: there is no such file, or it is no record that this version can read.
    """
    try:
        with path.open("rb") as stream:
            data = stream.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise UsageError(f"cannot read the host record {path}: {error.strerror}", hint=_MAKE_ONE) from error
    return parse_host_facts(data, file=str(path))


def parse_host_facts(data: bytes, *, file: str) -> HostFacts:
    """The facts of a record. Fields that this version does not know are left out.

    Args:
        data: the file's bytes.
        file: its name, for errors.

    Raises:
        UsageError: it is no record that this version can read.
    """
    if len(data) > _LARGEST_FILE:
        raise UsageError(f"{file} is no host record: it is larger than {_LARGEST_FILE} bytes", hint=_MAKE_ONE)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is no host record: it is not JSON ({error})", hint=_MAKE_ONE) from error
    if not isinstance(document, dict) or "schema" not in document:
        raise UsageError(f"{file} is no host record: it names no schema", hint=_MAKE_ONE)
    if "checks" in document:
        raise UsageError(f"{file} is the report of `doctor --json`, not a host record", hint=_MAKE_ONE)
    schema = document["schema"]
    if schema != HOST_SCHEMA or isinstance(schema, bool):
        raise UsageError(
            f"{file} is a host record of schema {schema!r}; this version reads schema {HOST_SCHEMA}",
            hint="use the version of layerwright that wrote it, or write it again with this one",
        )
    try:
        facts = msgspec.convert(document, HostFacts)
    except (msgspec.ValidationError, RecursionError) as error:
        raise UsageError(f"{file} is no sound host record: {error}", hint=_MAKE_ONE) from error
    fault = _fault(facts)
    if fault:
        raise UsageError(f"{file} is no sound host record: {fault}", hint=_MAKE_ONE)
    return facts


def _fault(facts: HostFacts) -> str:
    """What types cannot say: versions are versions, texts are short and printable; empty when all is well."""
    versions = {
        "driver_version": facts.driver_version,
        "driver_cuda": facts.driver_cuda,
        "glibc": facts.glibc,
    }
    for name, value in versions.items():
        if value and not _VERSION.fullmatch(value):
            return f"{name} is {value[:40]!r}, which is no version"
    if len(facts.gpus) > _MOST_GPUS or len(facts.engines) > _MOST_GPUS:
        return f"it lists more than {_MOST_GPUS} GPUs or engines"
    texts = {
        "name": facts.name,
        "os": facts.os,
        "kernel": facts.kernel,
        "architecture": facts.architecture,
        "mthreads_driver_version": facts.mthreads_driver_version,
    }
    for number, gpu in enumerate(facts.gpus):
        texts[f"gpus[{number}].name"] = gpu.name
        if gpu.compute_capability and not _CAPABILITY.fullmatch(gpu.compute_capability):
            return f"gpus[{number}].compute_capability is {gpu.compute_capability[:40]!r}, not such as '8.6'"
        if gpu.memory_bytes < 0:
            return f"gpus[{number}].memory_bytes is negative"
    for engine, version in facts.engines.items():
        texts[f"engines[{engine[:40]!r}]"] = engine + version
    for name, value in texts.items():
        if len(value) > _LONGEST_TEXT or not value.isprintable():
            return f"{name} is longer than {_LONGEST_TEXT} characters or holds control characters"
    return ""
