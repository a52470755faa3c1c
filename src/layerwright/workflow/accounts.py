"""What is said and looked at before an index is asked: opt-ins that are repeated, accounts that must be whole."""

from layerwright.core.events import Warned
from layerwright.spec.model import Spec
from layerwright.workflow.session import Session

__all__ = ["require_accounts", "tell_insecure"]


def tell_insecure(session: Session, spec: Spec) -> None:
    """Repeat which indexes the spec takes without encryption or without a certificate; once a command."""
    if not any(index.insecure for index in spec.indexes.values()):
        return
    from layerwright.sources.indexes import insecure_notes  # noqa: PLC0415 - start-up

    told: set[str] = session.__dict__.setdefault("told_insecure", set())
    for note in insecure_notes(spec.indexes):
        if note not in told:
            told.add(note)
            session.reporter(
                Warned(message=note, hint='have the server speak TLS, and trust its authority: ca = "FILE"')
            )


def require_accounts(session: Session, spec: Spec) -> None:
    """Look for the accounts of all indexes before anything is asked of any server, but for keyrings, which ask people.

    Raises:
        UsageError: one is missing, is half a pair, or can be understood in two ways.
    """
    for index in spec.indexes.values():
        if index.credentials and index.credentials != "keyring":
            from layerwright.sources.indexes import index_sites  # noqa: PLC0415 - start-up

            index_sites({index.name: index}, session.host, spec.root)
