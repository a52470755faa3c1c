"""Tests on real accelerators: ``pytest tests/gpu``, on a machine that has one. Nothing else runs them.

They need what a user needs: Docker with the vendor's container toolkit, the network, and the rights of an ordinary
user of both.
"""

from collections.abc import Callable

import pytest

from support.command import Command


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Command]:
    """Makes the command line in a folder with a spec; one store for all."""
    store = tmp_path_factory.mktemp("gpu") / "store"
    home = tmp_path_factory.mktemp("home")

    def make(name: str, spec: str) -> Command:
        folder = tmp_path_factory.mktemp(name)
        (folder / "layerwright.toml").write_text(spec, encoding="utf-8")
        return Command(folder=folder, store=store, home=home)

    return make
