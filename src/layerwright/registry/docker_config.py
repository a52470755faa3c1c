"""Docker's client configuration: where it stands and what is in it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from layerwright.core.errors import UsageError
from layerwright.host.environment import HostEnvironment

__all__ = ["config_folder", "read_config"]

_LIMIT: Final = 4 << 20


def config_folder(host: HostEnvironment) -> Path:
    """Folder of Docker's client configuration."""
    return Path(host.variables.get("DOCKER_CONFIG", "") or host.home / ".docker")


def read_config(host: HostEnvironment) -> Mapping[str, object]:
    """Docker's ``config.json``; empty when there is none or it is not ours to read.

    Raises:
        UsageError: the file is damaged.
    """
    path = config_folder(host) / "config.json"
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(_LIMIT))
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return {}
    except ValueError as error:
        raise UsageError(
            f"{path} is no JSON: {error}", hint="mend it, or set DOCKER_CONFIG to another folder"
        ) from error
    return document if isinstance(document, dict) else {}
