"""One module per command: ``add`` declares its arguments, its handler makes one workflow call."""

from layerwright.cli.commands import (
    build,
    check,
    doctor,
    exec,  # noqa: A004 - the command's name
    executor,
    explain,
    export,
    init,
    lint,
    lock,
    musa,
    plan,
    push,
    render,
    run,
    stop,
    store,
    up,
    verify,
)

__all__ = ["COMMANDS"]

COMMANDS = (
    init,
    check,
    lock,
    plan,
    build,
    verify,
    explain,
    run,
    up,
    exec,
    stop,
    render,
    export,
    push,
    store,
    lint,
    musa,
    doctor,
    executor,
)
"""In the order of ``layerwright --help``, which is the order of use."""
