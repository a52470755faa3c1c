"""Who may ask, and what a request must bring.

On the loopback address everybody who is logged in on the machine may ask; a page elsewhere on the web may not: names
that a foreign DNS server points at 127.0.0.1 are refused by the ``Host`` header, and whatever changes something needs
the form's own token (a keyed hash of the browser's cookie), the same origin, and POST. On any other address a request
also needs the token that was printed at the start, by the link with it once, and by a cookie from then on.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

__all__ = ["CSRF_FIELD", "Guard", "csrf_token"]

SESSION_COOKIE = "layerwright-session"
ENTRY_COOKIE = "layerwright-entry"
CSRF_FIELD = "csrf"
_LOOPBACK = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE | re.ASCII)
"""``Host`` of the page's own addresses; read here, since frameworks guess one where they find none."""

_YEAR = 365 * 24 * 3600
_MOST_BYTES = 1 << 20
_MOST_FIELDS = 2000

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}

Next = Callable[[Request], Awaitable[Response]]


class Guard:
    """Middleware of the whole page.

    Attributes:
        token: that requests need; empty on the loopback address.
        secret: of this process; cookies of an earlier one are worth nothing.
    """

    def __init__(self, *, token: str) -> None:
        self.token = token
        self.secret = secrets.token_bytes(32)

    async def __call__(self, request: Request, call_next: Next) -> Response:
        """Let a request pass, or answer it."""
        refusal = self._refusal(request)
        if refusal is not None:
            return _with_headers(refusal)
        entered = self._entered(request)
        if entered is not None:
            return _with_headers(entered)
        session = request.cookies.get(SESSION_COOKIE, "") or secrets.token_urlsafe(24)
        request.state.csrf = csrf_token(self.secret, session)
        if request.method == "POST":
            wrong = await self._wrong_post(request)
            if wrong:
                return _with_headers(PlainTextResponse(wrong, status_code=HTTPStatus.FORBIDDEN))
        response = await call_next(request)
        if SESSION_COOKIE not in request.cookies:
            response.set_cookie(SESSION_COOKIE, session, httponly=True, samesite="strict")
        return _with_headers(response)

    def _refusal(self, request: Request) -> Response | None:
        if request.method not in {"GET", "HEAD", "POST"}:
            return PlainTextResponse("only GET and POST", status_code=HTTPStatus.METHOD_NOT_ALLOWED)
        name = request.headers.get("host", "")
        if not self.token and _LOOPBACK.fullmatch(name) is None:
            return PlainTextResponse(
                f"this page answers as 127.0.0.1 and localhost only, and was asked as {name[:80]!r}",
                status_code=HTTPStatus.MISDIRECTED_REQUEST,
            )
        # A picture or a frame of another page must not build an image or learn whether there is one. A link may lead
        # here. Browsers that do not send these fields keep to the other rules (Fetch Metadata Request Headers, W3C).
        if request.headers.get("sec-fetch-site") == "cross-site" and (
            request.headers.get("sec-fetch-mode") != "navigate"
            or request.headers.get("sec-fetch-dest", "document") != "document"
        ):
            return PlainTextResponse("another page asked for this", status_code=HTTPStatus.FORBIDDEN)
        return None

    def _entered(self, request: Request) -> Response | None:
        """None for somebody who may come in; else the answer."""
        if not self.token:
            return None
        offered = request.query_params.get("token", "")
        if offered and hmac.compare_digest(offered.encode(), self.token.encode()):
            # The token must not stay in the address, where it would be seen and kept.
            response = RedirectResponse(request.url.path, status_code=HTTPStatus.SEE_OTHER)
            response.set_cookie(ENTRY_COOKIE, self._entry(), max_age=_YEAR, httponly=True, samesite="strict")
            return response
        held = request.cookies.get(ENTRY_COOKIE, "")
        if hmac.compare_digest(held.encode(), self._entry().encode()) or self._bears(request):
            return None
        return PlainTextResponse(
            "this page needs its token: open the address that `layerwright executor serve` printed",
            status_code=HTTPStatus.UNAUTHORIZED,
        )

    def _bears(self, request: Request) -> bool:
        """Whether a program sends the token itself, which no browser does for another page."""
        kind, _, bearer = request.headers.get("authorization", "").partition(" ")
        if not self.token or kind.lower() != "bearer":
            return False
        return hmac.compare_digest(bearer.strip().encode(), self.token.encode())

    def _entry(self) -> str:
        return hmac.new(self.secret, b"entry " + self.token.encode(), hashlib.sha256).hexdigest()

    async def _wrong_post(self, request: Request) -> str:
        """Why a POST is refused; empty for none."""
        origin = request.headers.get("origin", "")
        if origin and origin != "null" and urlsplit(origin).netloc != request.headers.get("host", ""):
            return "the form came from another page"
        if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
            return "the form came from another page"
        length = request.headers.get("content-length", "")
        if not length.isascii() or not length.isdecimal() or int(length) > _MOST_BYTES:
            return "the form is too long"
        try:
            fields = dict(await form_fields(request))
        except ValueError:
            return f"the form has more than {_MOST_FIELDS} fields"
        if self._bears(request):
            return ""
        if not hmac.compare_digest(fields.get(CSRF_FIELD, "").encode(), request.state.csrf.encode()):
            return "the form has expired: go back, load the page again, and send it once more"
        return ""


async def form_fields(request: Request) -> list[tuple[str, str]]:
    """The fields of a form, ``application/x-www-form-urlencoded``, in order; read once and kept.

    Raises:
        ValueError: there are too many.
    """
    from urllib.parse import parse_qsl  # noqa: PLC0415 - beside its use

    if not hasattr(request.state, "fields"):
        body = await request.body()
        text = body.decode("utf-8", errors="replace")
        request.state.fields = parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    fields: list[tuple[str, str]] = request.state.fields
    return fields


def csrf_token(secret: bytes, session: str) -> str:
    """What a form must carry: no other site knows it, since none sees the cookie."""
    return hmac.new(secret, b"form " + session.encode(), hashlib.sha256).hexdigest()


def _with_headers(response: Response) -> Response:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    return response
