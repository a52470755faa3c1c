"""``layerwright musa``: the container scripts of torch_musa, done by this program."""

from layerwright.cli.commands.musa.command import add

__all__ = ["add"]
