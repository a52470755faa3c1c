"""What uv says when it fails → an error that keeps its words and points at the spec."""

import re
from collections.abc import Sequence
from typing import Final

from layerwright.core.addresses import mask_credentials
from layerwright.core.errors import LayerwrightError, NetworkError, ResolveError
from layerwright.core.source import Location
from layerwright.host.process import mask
from layerwright.resolve.ports import PackageRequest
from layerwright.sources.requirements import package_name

__all__ = ["explain", "mentions", "warnings_of"]

_NO_SOLUTION: Final = "No solution found"
_OFFLINE: Final = (
    "network was disabled",
    "network connectivity is disabled",
    "Network connectivity is disabled",
)
_UNREACHED: Final = (
    "Failed to fetch",
    "error sending request",
    "Could not connect",
    "Request failed after",
    "lack of valid authentication credentials",
)
_GLYPHS: Final = re.compile("^\\s*(?:\N{MULTIPLICATION SIGN}|╰─▶|├─▶|│)?\\s?")
_EXPLAIN: Final = (
    "`layerwright explain conflict` shows who asks for what, and what the resolver would take instead"
)
_PREFIX: Final = re.compile(r"^(error|cause|hint|warning):\s*", re.IGNORECASE)


def explain(output: str, request: PackageRequest, *, secrets: Sequence[str] = ()) -> LayerwrightError:
    """The error for a failed resolution.

    Args:
        output: what uv printed on standard error.
        request: what was asked.
        secrets: texts that must not be shown.
    """
    text = mask_credentials(mask(output, secrets))
    body, uv_hint = _paragraphs(text)
    where = _where(body, request)
    lines = "\n".join(body[1:] if body and body[0].startswith(_NO_SOLUTION) else body)
    if any(sign in text for sign in _OFFLINE):
        return NetworkError(
            f"{request.cell}: --offline forbids the network, and what is here already is not enough\n{lines}",
            where=where,
            hint="run `layerwright lock` once with the network",
        )
    if any(sign in text for sign in _UNREACHED):
        failed = f"{request.cell}: a package index cannot be asked\n{lines}"
        return NetworkError(failed, where=where, hint=_network_hint(text, uv_hint))
    if body and body[0].startswith(_NO_SOLUTION):
        what = f"{request.cell}: no set of packages meets the requirements for {_target(request)}"
        return ResolveError(f"{what}\n{lines}", where=where, hint=_hint(uv_hint) or _EXPLAIN)
    what = f"{request.cell}: the packages cannot be resolved for {_target(request)}"
    return ResolveError(f"{what}\n{lines}", where=where, hint=_hint(uv_hint))


def warnings_of(output: str, secrets: Sequence[str] = ()) -> tuple[str, ...]:
    """Warnings that uv printed and that concern the user, such as a yanked version."""
    text = mask_credentials(mask(output, secrets))
    found = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("warning:")]
    # the interpreter that builds metadata is ours to choose, not the user's
    return tuple(line for line in found if "requested Python version" not in line)


def mentions(text: str, name: str) -> bool:
    """Whether a text speaks of a package."""
    return re.search(rf"(?<![A-Za-z0-9._-]){re.escape(name)}(?![A-Za-z0-9_-]|\.[A-Za-z])", text) is not None


def _target(request: PackageRequest) -> str:
    glibc = f" with glibc {request.glibc}" if request.glibc else ""
    return f"Python {request.python} on {request.platform}{glibc}"


def _paragraphs(text: str) -> tuple[list[str], str]:
    """The lines of the error without uv's marks, and its hints as one line."""
    body: list[str] = []
    hints: list[str] = []
    current = body
    for raw in text.splitlines():
        line = _GLYPHS.sub("", raw).strip()
        match = _PREFIX.match(line)
        kind = match[1].lower() if match else ""
        if kind == "warning" or not line:
            current = body
            continue
        if kind:
            line = line[match.end() :] if match else line
            current = hints if kind == "hint" else body
        if line.startswith(("Resolved ", "Using ")):
            continue
        current.append(line)
    return body, " ".join(hints)


def _hint(text: str) -> str:
    """Uv's hint, its own options translated to the spec's keys."""
    if "--python-version" in text:
        return "choose a newer `python` for this image, or versions that still support it"
    if "pre-release" in text and "--prerelease" in text:
        return 'set `prereleases = "allow"`, or name the pre-release in the requirement'
    return text.replace("`", "")


def _network_hint(text: str, uv_hint: str) -> str:
    if "authentication credentials" in text:
        return "give this index `credentials` in the spec, or check them"
    if "UnknownIssuer" in text or "certificate" in text:
        return "name the certificates of a private authority in SSL_CERT_FILE"
    return "" if "--system-certs" in uv_hint else uv_hint


def _where(lines: Sequence[str], request: PackageRequest) -> Location | None:
    """The one requirement of the spec that the explanation speaks of; None when it is none or several."""
    text = "\n".join(lines)
    for packages in (request.packages, request.inherited):
        named = [(package_name(package, request.root), package.location) for package in packages]
        found = [location for name, location in named if name and mentions(text, name)]
        if len(found) == 1:
            return found[0]
        if found:
            return None
    return None
