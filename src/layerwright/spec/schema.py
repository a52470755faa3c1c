"""The JSON Schema of the spec, generated from ``keys``. Loaded only to write it or to explain a faulty file."""

from typing import Any

import msgspec

from layerwright.spec.keys import SpecFile

__all__ = ["DRAFT", "json_schema"]

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that TOML editors (taplo, tombi) and VS Code all read."""


def json_schema() -> dict[str, Any]:
    """The schema, with every table under ``definitions``."""
    (top,), definitions = msgspec.json.schema_components([SpecFile], ref_template="#/definitions/{name}")
    schema = {
        "$schema": DRAFT,
        **definitions.pop(top["$ref"].rpartition("/")[2]),
        "definitions": dict(sorted(definitions.items())),
    }
    schema["title"] = "layerwright.toml"
    whole: dict[str, Any] = _without_siblings(schema)
    return whole


def _without_siblings(node: Any) -> Any:  # noqa: ANN401 - any JSON value
    """The schema with each ``$ref`` that has neighbours wrapped in ``allOf``: draft 7 ignores the neighbours."""
    if isinstance(node, list | tuple):
        return [_without_siblings(item) for item in node]
    if not isinstance(node, dict):
        return node
    copy = {key: _without_siblings(value) for key, value in node.items()}
    if "$ref" in copy and len(copy) > 1:
        copy["allOf"] = [{"$ref": copy.pop("$ref")}]
    return copy
