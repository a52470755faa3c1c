"""Secrets and accounts as they are at hand here, and what is said of indexes that are not safe to ask."""

from contextlib import suppress
from typing import Final

from layerwright.core.errors import UsageError
from layerwright.core.events import Warned
from layerwright.spec.model import Secret, Spec
from layerwright.workflow.session import Session

__all__ = ["note_secrets", "read_secret", "require_accounts", "tell_insecure"]

_LARGEST_SECRET: Final = 512_000
"""Bytes. BuildKit takes 500 KiB (``MaxSecretSize`` in moby/buildkit, ``session/secrets``): both backends agree."""

_SHORTEST_LINE: Final = 8


def tell_insecure(session: Session, spec: Spec) -> None:
    """Repeat what the spec takes without encryption or without a certificate; once a command."""
    tls = "have the server speak TLS"
    notes = {
        f"component {one.name} is fetched without encryption, as the spec allows: others on the line can see it": tls
        for one in spec.components.values()
        if one.insecure
    }
    if any(index.insecure for index in spec.indexes.values()):
        from layerwright.sources.indexes import insecure_notes  # noqa: PLC0415 - start-up

        notes |= dict.fromkeys(insecure_notes(spec.indexes), f'{tls}, and trust its authority: ca = "FILE"')
    if not notes:
        return
    told: set[str] = session.__dict__.setdefault("told_insecure", set())
    for note, hint in notes.items():
        if note not in told:
            told.add(note)
            session.reporter(Warned(message=note, hint=hint))


def require_accounts(session: Session, spec: Spec) -> None:
    """Look for the accounts of all indexes before anything is asked of any server, but for keyrings, which ask people.

    Raises:
        UsageError: one is missing, is half a pair, or can be understood in two ways.
    """
    for index in spec.indexes.values():
        if index.credentials and not index.credentials.startswith("keyring"):
            from layerwright.sources.indexes import index_sites  # noqa: PLC0415 - start-up

            index_sites({index.name: index}, session.host, spec.root)


def note_secrets(session: Session, spec: Spec) -> None:
    """Note the spec's secrets and the accounts of its indexes, as far as they are at hand without asking anybody."""
    for secret in spec.secrets.values():
        with suppress(UsageError):  # the step that needs it says what is missing
            read_secret(session, spec, secret)
    for name, index in spec.indexes.items():
        if index.credentials and not index.credentials.startswith("keyring"):  # that may ask people
            from layerwright.sources.credentials import index_credentials  # noqa: PLC0415 - start-up

            with suppress(UsageError):
                index_credentials(index.credentials, index.url, session.host, index=name, root=spec.root)


def read_secret(session: Session, spec: Spec, secret: Secret) -> bytes:
    """The value of a secret, read anew; noted among those that may not be shown. One that may be missing is empty.

    Raises:
        UsageError: it is not there, is empty, or too large to be one.
    """
    value = _secret_in_variable(session, secret) if secret.env else _secret_in_file(session, spec, secret)
    if not value.strip() and secret.required:
        source = f"the variable {secret.env}" if secret.env else secret.file
        raise UsageError(
            f"the secret {secret.name!r} is empty in {source}",
            where=secret.location,
            hint="give it its value, or say that it may be missing: required = false",
        )
    session.host.seen.add(secret.name, value)
    for line in value.splitlines():  # such as of a private key
        if len(line.strip()) >= _SHORTEST_LINE:
            session.host.seen.add(secret.name, line)
    return value


def _secret_in_variable(session: Session, secret: Secret) -> bytes:
    value = session.host.variables.get(secret.env)
    if value is not None or not secret.required:
        return (value or "").encode("utf-8", "surrogateescape")
    raise UsageError(
        f"the secret {secret.name!r} needs the variable {secret.env}, which is not set",
        where=secret.location,
        hint=f"export {secret.env}=… and build again",
    )


def _secret_in_file(session: Session, spec: Spec, secret: Secret) -> bytes:
    from layerwright.sources.credentials import in_home  # noqa: PLC0415 - start-up

    path = in_home(secret.file, session.host, spec.root)
    try:
        with path.open("rb") as file:
            value = file.read(_LARGEST_SECRET + 1)
    except FileNotFoundError as error:
        if not secret.required:
            return b""
        raise UsageError(
            f"the secret {secret.name!r} cannot be read from {path}: {error.strerror}",
            where=secret.location,
            hint="paths are relative to the spec's folder, and ~ is your home",
        ) from error
    except OSError as error:
        raise UsageError(
            f"the secret {secret.name!r} cannot be read from {path}: {error.strerror}", where=secret.location
        ) from error
    if len(value) > _LARGEST_SECRET:
        raise UsageError(
            f"the secret {secret.name!r} in {path} is larger than {_LARGEST_SECRET:,} bytes",
            where=secret.location,
            hint="a secret is a token, a password or a key; other files are for copy",
        )
    return value
