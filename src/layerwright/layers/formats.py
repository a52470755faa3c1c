"""Numbers of the rules by which inputs become layers; each is part of every key of what its rules made.

Raise a number when the same input gives other bytes: what older versions left in a store then counts no more.
"""

__all__ = ["BASE_FORMAT", "BYTECODE_FORMAT", "LAYER_FORMAT", "SCRUB_FORMAT"]

LAYER_FORMAT = 1
"""Wheels, copied trees and files to tars and blobs."""

BYTECODE_FORMAT = 2
"""Trees to bytecode."""

BASE_FORMAT = 2
"""Debian packages to a base."""

SCRUB_FORMAT = 1
"""What an installation of Debian packages leaves in its layer."""
