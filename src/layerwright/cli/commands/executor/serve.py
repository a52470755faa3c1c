"""``layerwright executor serve``."""

import argparse
from pathlib import Path

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands
from layerwright.core.errors import UsageError

__all__ = ["add"]

_SAFETY = """\
On the loopback address (the default) everybody on this machine may use the page. On any other address requests need a
token, which is printed with the address; traffic is not encrypted, so put it behind a proxy with TLS, or forward the
port: ssh -L 8620:127.0.0.1:8620 MACHINE.
"""


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the verb."""
    parser = commands.add_parser(
        "serve",
        parents=[common],
        help="a page in the browser: forms, progress, logs and results of executors",
        description="Serve a page that plays the YMIR platform's for the executors of the spec: a form from their "
        "hyper-parameters, start and stop, progress with the time left, log, results with pictures, and TensorBoard.",
        epilog=_SAFETY,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--data",
        metavar="PATH",
        type=Path,
        action="append",
        default=[],
        help="pictures that jobs may be given; may be repeated (default: what lies in the folder `data`)",
    )
    parser.add_argument(
        "--image",
        metavar="NAME",
        action="append",
        default=[],
        help="an image that the engine has, beside the spec's executors; may be repeated",
    )
    parser.add_argument(
        "--engine",
        choices=["docker", "podman", "native"],
        action="append",
        default=[],
        help="what may run them, the usual one first; may be repeated (default: docker, native)",
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="listen there (default: 127.0.0.1)"
    )
    parser.add_argument(
        "--port", type=int, default=8620, metavar="N", help="0 for any that is free (default: 8620)"
    )
    parser.add_argument(
        "--token-file",
        metavar="FILE",
        type=Path,
        help="ask for the token in FILE, on the loopback address, too (default: none there; elsewhere, a new one)",
    )
    parser.add_argument(
        "--poll",
        metavar="SECONDS",
        type=float,
        default=2.0,
        help="between two polls of a monitor file (default: 2)",
    )
    parser.set_defaults(
        handler=_serve, makes_images=True, interrupted="the page is gone, and the jobs that it ran"
    )


def _serve(context: Context, options: argparse.Namespace) -> int:
    if options.poll <= 0:
        raise UsageError("--poll takes seconds above 0", hint="the platform polls every 20 seconds")
    if not 0 <= options.port < 1 << 16:
        raise UsageError(f"{options.port} is no port", hint="give a number from 0 to 65535")
    token = _token(options.token_file)
    try:
        from layerwright.web.server import serve  # noqa: PLC0415 - start-up
        from layerwright.web.site import make_site  # noqa: PLC0415 - start-up
    except ModuleNotFoundError as error:
        raise UsageError(
            f"the page needs {error.name}, which is not installed", hint="pip install 'layerwright[serve]'"
        ) from error
    site = make_site(
        context.session,
        images=tuple(options.image),
        data=tuple(options.data),
        engines=tuple(dict.fromkeys(options.engine)) or ("docker", "native"),
        poll_seconds=options.poll,
    )
    terminal = context.terminal

    def ready(address: str) -> None:
        terminal.print(address)
        terminal.tell("Ctrl-C ends the page, and the jobs that run then")

    serve(site, host=options.host, port=options.port, token=token, on_ready=ready)
    return 0


def _token(file: Path | None) -> str:
    if file is None:
        return ""
    try:
        token = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"the token cannot be read from {file}", hint="write one line into it") from error
    least = 16
    if len(token) < least or not token.isascii() or not token.isprintable() or " " in token:
        raise UsageError(
            f"the token in {file} is no line of at least {least} letters and digits",
            hint="head -c 24 /dev/urandom | base64 > FILE; chmod 600 FILE",
        )
    return token
