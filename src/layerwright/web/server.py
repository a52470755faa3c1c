"""Serves the page."""

import ipaddress
import secrets
import socket
from collections.abc import Callable

import uvicorn

from layerwright.core.errors import UsageError
from layerwright.core.events import Warned
from layerwright.host.process import quote
from layerwright.web.app import make_app
from layerwright.web.board import Board
from layerwright.web.crew import Crew
from layerwright.web.site import Site

__all__ = ["serve"]


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
    loopback = _is_loopback(listening)
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
    shown = f"[{host}]" if ":" in host else host
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
            hint="choose another: --port 0 takes one that is free",
        ) from error
    return listening


def _is_loopback(listening: socket.socket) -> bool:
    return ipaddress.ip_address(listening.getsockname()[0]).is_loopback
