"""Serves the page."""

import errno
import ipaddress
import secrets
import socket
from collections.abc import Callable
from typing import Final

import uvicorn

from layerwright.core.errors import UsageError
from layerwright.core.events import Warned
from layerwright.host.process import quote
from layerwright.web.app import make_app
from layerwright.web.board import Board
from layerwright.web.crew import Crew
from layerwright.web.site import Site

__all__ = ["serve"]

_HINTS: Final = {
    errno.EADDRINUSE: "choose another: --port 0 takes one that is free",
    errno.EACCES: "ports below 1024 are root's: --port 0 takes one that is free",
}


def serve(site: Site, *, host: str, port: int, token: str, on_ready: Callable[[str], None]) -> None:
    """Serve until an interrupt; jobs that run by then are killed.

    Args:
        site: what the page is of.
        host: address to listen at.
        port: likewise; 0 for any that is free.
        token: that requests need; empty for none on the loopback address, and one that is made up elsewhere.
        on_ready: gets the address to open, with the token if there is one.

    Raises:
        UsageError: it cannot listen there.
    """
    listening = _listen(host, port)
    at = ipaddress.ip_address(listening.getsockname()[0])
    loopback = at.is_loopback
    if not loopback and not token:
        token = secrets.token_urlsafe(24)
    board = Board(site.runs, site.session.host)
    crew = Crew()
    app = make_app(site, token=token, board=board, crew=crew)
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, date_header=False, lifespan="off",
        proxy_headers=False, timeout_graceful_shutdown=2,
    )  # fmt: skip
    actual = listening.getsockname()[1]
    # The page answers by addresses and the name localhost alone, where it needs no token.
    name = (
        str(at)
        if loopback and host.lower() != "localhost"
        else socket.gethostname()
        if at.is_unspecified
        else host
    )
    shown = f"[{name}]" if ":" in name else name
    on_ready(f"http://{shown}:{actual}/" + (f"?token={token}" if token else ""))
    try:
        uvicorn.Server(config).run(sockets=[listening])
    finally:
        board.stop()
        listening.close()
        for left in crew.stop():
            site.session.reporter(
                Warned(
                    message=f"the job {left.task_id} has not ended",
                    hint=f"layerwright executor run --cancel {quote([str(left.folder)])}",
                )
            )


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()  # who is told the address may ask at once
    except OSError as error:
        raise UsageError(
            f"cannot listen at {host}, port {port}: {error.strerror or error}",
            hint=_HINTS.get(
                error.errno or 0, "--host takes an address or a name of this machine, such as 127.0.0.1"
            ),
        ) from error
    return listening
