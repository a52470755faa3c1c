"""What apt says when something is wrong, as errors with a way out."""

import re
from collections.abc import Callable, Sequence

from layerwright.core.errors import IntegrityError, LayerwrightError, NetworkError, ResolveError
from layerwright.host.process import Completed
from layerwright.sources.apt.sourcelist import AptSources, describe, suite_hint

__all__ = ["apt_error"]

_MISSING = re.compile(
    r"^E: Unable to locate package (\S+)|^E: Package '([^']+)' has no installation candidate", re.MULTILINE
)
_NO_VERSION = re.compile(r"^E: Version '([^']+)' for '([^']+)' was not found", re.MULTILINE)
_NO_SUITE = re.compile(
    r"The repository '([^']+?)' (?:does not have a Release file|no longer has a Release file)"
)
_UNSIGNED = re.compile(
    r"NO_PUBKEY|is not signed|EXPKEYSIG|BADSIG|signatures? (?:couldn't be|were invalid)|Missing key"
)
_UNREACHABLE = re.compile(
    r"Could not resolve|Could not connect|Cannot initiate the connection|Temporary failure|Connection (?:failed|"
    r"refused|timed out)|Network is unreachable|Unable to connect|Failed to fetch|Hash Sum mismatch"
)
_UNMET = "unmet dependencies"
_MOST_LINES = 20


def apt_error(done: Completed, sources: AptSources, names: Callable[[], Sequence[str]]) -> LayerwrightError:
    """Return the error for a failed call of apt.

    Args:
        done: the call, run with English messages.
        sources: what it worked on.
        names: gives all package names, asked for only when one is unknown.
    """
    text = done.stderr.decode(errors="replace")
    if found := _NO_SUITE.search(text):
        # What stands between the quotes: address, suite, the word Release.
        address, _, suite = found.group(1).removesuffix(" Release").rpartition(" ")
        if not _UNREACHABLE.search(text.replace("Failed to fetch", "")):
            return ResolveError(f"{address} has no suite {suite!r}", hint=suite_hint(sources.suite or suite))
    if _UNSIGNED.search(text):
        return IntegrityError(
            f"the package lists of {sources.label} are not signed by a key this machine knows\n{_complaints(text)}",
            hint="bring debian-archive-keyring up to date",
        )
    if missing := [one or other for one, other in _MISSING.findall(text)]:
        return _unknown(missing, sources, names())
    if versions := _NO_VERSION.findall(text):
        wanted = ", ".join(f"{name}={version}" for version, name in versions)
        return ResolveError(
            f"{sources.label} does not have {wanted}",
            hint=f"see what it has: apt-cache madison {versions[0][1]}; archives keep only their newest versions",
        )
    output = done.stdout.decode(errors="replace")
    if _UNMET in output or _UNMET in text:
        return ResolveError(f"the packages do not go together in {sources.label}\n{_unmet(output + text)}")
    if _UNREACHABLE.search(text):
        return NetworkError(
            f"the package lists of {sources.label} could not be fetched from {describe(sources)}\n{_complaints(text)}",
            hint="check the network, or name another mirror in LAYERWRIGHT_DEBIAN_MIRROR",
        )
    return ResolveError(
        f"apt failed on {sources.label} with status {done.status}\n{_complaints(text) or text.strip()}"
    )


def _unknown(missing: Sequence[str], sources: AptSources, names: Sequence[str]) -> ResolveError:
    import difflib  # noqa: PLC0415  start-up

    hints = []
    for name in missing:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.75)
        if near:
            hints.append(f"{name}: did you mean {' or '.join(near)}?")
    listed = ", ".join(missing)
    noun = "package" if len(missing) == 1 else "packages"
    return ResolveError(f"{sources.label} has no {noun} {listed}", hint="\n".join(hints))


def _complaints(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith(("E:", "W:"))]
    return "\n".join(lines[-_MOST_LINES:])


def _unmet(text: str) -> str:
    """Return apt's own explanation: the lines after its heading that are set in."""
    lines = text.partition(_UNMET)[2].splitlines()
    return "\n".join(line for line in lines if line.startswith(" "))[: 80 * _MOST_LINES]
