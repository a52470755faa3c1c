"""Is a text a requirement (PEP 508)? Common forms by a pattern, the rest by ``packaging``.

``packaging.requirements`` takes 40 ms to import, a third of what ``plan`` may take in all; nearly every spec
needs only the pattern. What the pattern takes, ``packaging`` takes too (property-tested); it is not the
judge of anything it does not take.
"""

import re

__all__ = ["normalize_name", "requirement_fault", "requirement_name"]

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
_RELEASE = r"[0-9]+(?:\.[0-9]+)*"
_SUFFIX = r"(?:(?:a|b|rc)[0-9]+)?(?:\.post[0-9]+)?(?:\.dev[0-9]+)?"
_BLANK = r"[ \t]*"
_CLAUSE = (
    rf"(?:(?:==|!=){_BLANK}{_RELEASE}(?:\.\*|{_SUFFIX}(?:\+[a-z0-9]+(?:\.[a-z0-9]+)*)?)"
    rf"|(?:>=|<=|>|<){_BLANK}{_RELEASE}{_SUFFIX}"
    rf"|~={_BLANK}[0-9]+(?:\.[0-9]+)+{_SUFFIX})"
)
_MARKER = (
    r"(?:python_version|python_full_version|sys_platform|platform_machine|platform_system|os_name"
    r"|implementation_name|platform_python_implementation)"
    rf"{_BLANK}(?:==|!=|>=|<=|<|>){_BLANK}(?:\"[A-Za-z0-9_.]+\"|'[A-Za-z0-9_.]+')"
)
_COMMON = re.compile(
    rf"{_NAME}{_BLANK}(?:\[{_BLANK}{_NAME}(?:{_BLANK},{_BLANK}{_NAME})*{_BLANK}\])?{_BLANK}(?:{_CLAUSE}(?:{_BLANK},{_BLANK}{_CLAUSE})*)?"
    rf"{_BLANK}(?:;{_BLANK}{_MARKER}(?:[ \t]+(?:and|or)[ \t]+{_MARKER})*)?",
    re.ASCII,
)
_LEADING_NAME = re.compile(rf"[ \t]*({_NAME})")


def requirement_fault(text: str) -> str:
    """What is wrong with a requirement; empty when nothing is.

    A requirement with an address (``name @ https://…``) is refused: an address needs a digest or a revision,
    for which the spec has tables.
    """
    if _COMMON.fullmatch(text):
        return ""
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - start-up

    try:
        requirement = Requirement(text)
    except InvalidRequirement as error:
        return str(error).splitlines()[0]
    return "it names an address" if requirement.url else ""


def requirement_name(text: str) -> str:
    """Normalized name of a requirement's package."""
    match = _LEADING_NAME.match(text)
    return normalize_name(match[1]) if match else ""


def normalize_name(name: str) -> str:
    """A package's name as PEP 503 normalizes it."""
    return re.sub(r"[-_.]+", "-", name).lower()
