"""Packages come from where the spec says, and nobody on the line can say otherwise."""

from collections.abc import Iterator

from layerwright.core.findings import Evidence, Finding, Fix, Kind
from layerwright.rules.case import Case

__all__ = ["KINDS", "check"]

INSECURE = Kind(
    code="LW-INDEX-INSECURE",
    title="A package index is spoken to without protection",
    why="Whoever is on the line can read the account, and swap packages and their digests while the lock is made. What "
    "is locked is safe after that: every file must have its digest.",
    evidence="`insecure` of the index in the spec, which accepts it by name.",
    repair="Have the server speak TLS; for a certificate that the system does not know, name its authority: "
    '`ca = "FILE"`.',
)
KINDS = (INSECURE,)

_SAYS = {
    "http": "is spoken to without encryption",
    "certificate": "may have any certificate",
}


def check(case: Case) -> Iterator[Finding]:
    """Repeat what the spec accepts, also where no package of the cell comes from there now: the next lock asks it."""
    for index in case.subject.insecure_indexes:
        yield case.finding(
            INSECURE,
            "warning",
            f"index {index.name} {_SAYS[index.how]}, as the spec allows",
            evidence=[
                Evidence(
                    text=f'insecure = "{index.how}"', source=f"[indexes.{index.name}]", confidence="docs"
                )
            ],
            fix=[
                Fix(
                    text="trust the authority that signed its certificate, and remove insecure",
                    edit=f'[indexes.{index.name}]\nca = "corporate-ca.pem"',
                    cost=10,
                )
                if index.how == "certificate"
                else Fix(text="give the server a certificate, and write https", cost=20)
            ],
            location=index.location,
        )
