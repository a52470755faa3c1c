"""A name for what argparse gives no public name."""

import argparse
from typing import TYPE_CHECKING, TypeAlias

__all__ = ["Commands"]

if TYPE_CHECKING:
    Commands: TypeAlias = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001
else:
    Commands = argparse.Action
