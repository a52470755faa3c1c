"""The config: what to run and how, diff ids, history (OCI image specification, ``config.md``)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from layerwright.oci.fields import Fields
from layerwright.oci.layer import Layer
from layerwright.oci.platform import Platform

__all__ = [
    "EPOCH",
    "HEALTH_INTERVAL",
    "HEALTH_RETRIES",
    "HEALTH_TIMEOUT",
    "ConfigChanges",
    "Settings",
    "change_config",
    "history_texts",
]

EPOCH = "1970-01-01T00:00:00Z"
"""Time of creation where none is given, so that the same inputs give the same image."""

HEALTH_INTERVAL, HEALTH_TIMEOUT, HEALTH_RETRIES = 300, 100, 3
"""Of health checks: seconds between two, seconds that one may take, failures in a row that count."""

_NANOSECONDS = 10**9

_KEPT = ("author", "os.features", "os.version", "variant")
"""Fields of a base's config that pass on; Docker's own leftovers (``container``, ``docker_version`` …) do not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChanges:
    """What an image sets over its base; empty fields keep the base's."""

    env: Mapping[str, str]
    workdir: str
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    user: str
    labels: Mapping[str, str]
    health: tuple[str, ...] = ()

    def lines(self, base: Fields) -> tuple[str, ...]:
        """What differs from the base's settings, as a Dockerfile would say it, for the history."""
        env, labels = _environment(base), base.table("Labels")
        found = [f"ENV {name}={value}" for name, value in sorted(self.env.items()) if env.get(name) != value]
        found += [
            f"LABEL {name}={value}"
            for name, value in sorted(self.labels.items())
            if labels.get(name) != value
        ]
        if self.user:
            found.append(f"USER {self.user}")
        if self.workdir:
            found.append(f"WORKDIR {self.workdir}")
        if self.entrypoint:
            found.append(f"ENTRYPOINT {json.dumps(self.entrypoint, ensure_ascii=False)}")
        if self.command:
            found.append(f"CMD {json.dumps(self.command, ensure_ascii=False)}")
        if self.health:
            found.append(f"HEALTHCHECK CMD {json.dumps(self.health, ensure_ascii=False)}")
        return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a config says about running the image.

    Attributes:
        env: in the config's order; an entry without ``=`` has the value "".
        entrypoint, command: argv parts, empty when not set.
        workdir: empty when not set.
        user: ``name``, ``uid`` or ``uid:gid``, empty for root.
        labels: by name.
        volumes: paths declared as volumes, sorted.
        stop_signal: such as ``SIGTERM``, empty when not set.
        health: the health check as Docker keeps it (``CMD`` and its words); empty when not set.
    """

    env: Mapping[str, str]
    entrypoint: tuple[str, ...]
    command: tuple[str, ...]
    workdir: str
    user: str
    labels: Mapping[str, str]
    volumes: tuple[str, ...]
    stop_signal: str
    health: tuple[str, ...] = ()

    @classmethod
    def read(cls, config: Fields) -> "Settings":
        """Take the settings out of a config.

        Raises:
            IntegrityError: a field is of a wrong type.
        """
        fields = config.child("config")
        return cls(
            env=_environment(fields),
            entrypoint=fields.texts("Entrypoint"),
            command=fields.texts("Cmd"),
            workdir=fields.text("WorkingDir", ""),
            user=fields.text("User", ""),
            labels=fields.table("Labels"),
            volumes=tuple(sorted(fields.child("Volumes").values)),
            stop_signal=fields.text("StopSignal", ""),
            health=fields.child("Healthcheck").texts("Test"),
        )


def change_config(
    *,
    base: Fields | None,
    base_layers: Sequence[Layer],
    layers: Sequence[Layer],
    changes: ConfigChanges,
    platform: Platform,
    created: str,
) -> dict[str, object]:
    """The config of a base with layers and changes added."""
    origin = base if base is not None else Fields(values={}, what="an empty config")
    history = _base_history(origin, base_layers, created)
    history += [{"created": created, "created_by": layer.created_by} for layer in layers]
    history += [
        {"created": created, "created_by": line, "empty_layer": True}
        for line in changes.lines(origin.child("config"))
    ]
    kept = {key: origin.values[key] for key in _KEPT if origin.values.get(key) is not None}
    return {
        **kept,
        "architecture": platform.architecture,
        "config": _merged(origin.child("config"), changes),
        "created": created,
        "history": history,
        "os": platform.os,
        "rootfs": {
            "diff_ids": [layer.diff_id for layer in (*base_layers, *layers)],
            "type": "layers",
        },
    }


def history_texts(config: Fields, count: int) -> tuple[str, ...]:
    """For each of the ``count`` layers its line of the history; empty texts when the history does not fit them."""
    lines = [
        entry.text("created_by", "") for entry in config.children("history") if not entry.flag("empty_layer")
    ]
    return tuple(lines) if len(lines) == count else ("",) * count


def _merged(base: Fields, changes: ConfigChanges) -> dict[str, object]:
    values = {key: value for key, value in base.values.items() if value is not None}
    env = {**_environment(base)}
    env.update(sorted(changes.env.items()))
    if env:
        values["Env"] = [f"{name}={value}" for name, value in env.items()]
    labels = {**base.table("Labels"), **changes.labels}
    if labels:
        values["Labels"] = labels
    if changes.user:
        values["User"] = changes.user
    if changes.workdir:
        values["WorkingDir"] = changes.workdir
    if changes.entrypoint:
        values["Entrypoint"] = list(changes.entrypoint)
        values.pop("Cmd", None)
    if changes.command:
        values["Cmd"] = list(changes.command)
    if changes.health:
        # Docker's own field, which OCI's specification leaves out: Docker takes it from either kind of manifest.
        values["Healthcheck"] = {
            "Test": ["CMD", *changes.health],
            "Interval": HEALTH_INTERVAL * _NANOSECONDS,
            "Timeout": HEALTH_TIMEOUT * _NANOSECONDS,
            "Retries": HEALTH_RETRIES,
        }
    return values


def _environment(fields: Fields) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in fields.texts("Env"))
    return {name: value for name, _, value in pairs}


def _base_history(base: Fields, layers: Sequence[Layer], created: str) -> list[dict[str, object]]:
    """The base's history, or one made from its layers where it has none or one that does not fit."""
    entries = base.children("history")
    if sum(not entry.flag("empty_layer") for entry in entries) == len(layers):
        return [dict(entry.values) for entry in entries]
    return [{"created": created, "created_by": layer.created_by} for layer in layers]
