"""Says what an image holds."""

import platform
from importlib.metadata import distributions

__all__ = ["main", "report"]


def report():
    """Lines such as ``numpy 2.4.6``, sorted, after the interpreter's."""
    yield f"python {platform.python_version()}"
    for name, version in sorted({(item.metadata["Name"].lower(), item.version) for item in distributions()}):
        yield f"{name} {version}"


def main():
    """Print the report."""
    for line in report():
        print(line)
