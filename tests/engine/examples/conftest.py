"""Examples run in copies, with one store for all of them."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.command import Command

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Command]:
    """The command line in a copy of an example; what one builds, the next finds in the store."""
    store = tmp_path_factory.mktemp("examples") / "store"
    home = tmp_path_factory.mktemp("home")

    def copy(name: str) -> Command:
        folder = tmp_path_factory.mktemp(name) / name
        kept = shutil.ignore_patterns("layerwright.lock", "out")
        shutil.copytree(ROOT / "examples" / name, folder, ignore=kept)
        # A copy of PyTorch's index that this machine may have, since the real one is large and far away.
        passed = {key: value for key, value in os.environ.items() if key.startswith("LAYERWRIGHT_INDEX_")}
        return Command(folder=folder, store=store, home=home, variables=passed)

    return copy
