"""Shell text as commands, with the place of every word."""

from layerwright.lint.shell.model import Chain, Command, Element, Expansion, Redirect, Script, Word
from layerwright.lint.shell.read import read_script

__all__ = ["Chain", "Command", "Element", "Expansion", "Redirect", "Script", "Word", "read_script"]
