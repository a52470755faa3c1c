"""Hatch's hook: the wheel of ``packages/ymir-exc`` travels inside of layerwright's, for ``executor new`` to hand on."""

import shutil
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.builders.wheel import WheelBuilder

PLACE = "layerwright/ymir/wheels"


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg] # its parameter is the builder's configuration
    """Builds the wheel with the builder that would publish it."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build it, and name it among the files of layerwright's wheel."""
        self.folder = Path(tempfile.mkdtemp(prefix="ymir-exc-"))
        if version == "editable":  # the sources stand beside
            return
        package = Path(self.root, "packages", "ymir-exc")
        (wheel,) = WheelBuilder(str(package)).build(directory=str(self.folder), versions=["standard"])
        build_data["force_include"][wheel] = f"{PLACE}/{Path(wheel).name}"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Leave nothing behind."""
        del version, build_data, artifact_path
        shutil.rmtree(self.folder, ignore_errors=True)
