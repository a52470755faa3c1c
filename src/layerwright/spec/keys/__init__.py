"""Every key of the spec, declared once.

The classes are the parser (``msgspec.convert``); the JSON Schema and the reference page are generated from
them by ``tools/generate_spec_reference.py``. A key that nobody wrote is ``UNSET`` or empty here: what holds
then depends on parents and on the cell, and stands in ``extra_json_schema["default"]`` for people.
"""

from layerwright.spec.keys.executor import ExecutorTable, ParameterTable
from layerwright.spec.keys.file import IndexTable, LeaksTable, ProjectTable, SecretTable, SpecFile
from layerwright.spec.keys.images import DefaultsTable, ImageTable, OverrideTable
from layerwright.spec.keys.items import ComponentTable, CopyTable, ModelTable, PackageTable
from layerwright.spec.keys.matrix import MatrixTable, WhenTable
from layerwright.spec.keys.run import MountTable, RunStep, RunTable
from layerwright.spec.keys.trees import BuildTestTable, SourceTable, SourceUse

__all__ = [
    "BuildTestTable",
    "ComponentTable",
    "CopyTable",
    "DefaultsTable",
    "ExecutorTable",
    "ImageTable",
    "IndexTable",
    "LeaksTable",
    "MatrixTable",
    "ModelTable",
    "MountTable",
    "OverrideTable",
    "PackageTable",
    "ParameterTable",
    "ProjectTable",
    "RunStep",
    "RunTable",
    "SecretTable",
    "SourceTable",
    "SourceUse",
    "SpecFile",
    "WhenTable",
]
