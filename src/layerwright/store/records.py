"""Small facts under a key, such as the digests of the layer that a wheel becomes."""

from layerwright.core.errors import BuildError
from layerwright.store.content import bump
from layerwright.store.layout import StoreLayout
from layerwright.store.sealed import seal, unseal
from layerwright.store.session import Session

__all__ = ["Records"]


class Records:
    """Records by kind and key; each carries a checksum over its place and its data."""

    def __init__(self, layout: StoreLayout, session: Session) -> None:
        self._layout = layout
        self._session = session

    def read(self, kind: str, key: str) -> bytes | None:
        """The record's data; None when it is absent or damaged.

        Raises:
            BuildError: it cannot be read, such as in somebody else's store.
        """
        path = self._layout.record(kind, key)
        try:
            with path.open("rb", buffering=0) as file:
                sealed = file.readall()
            found = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise BuildError(
                f"cannot read the store {self._layout.root}: {error.strerror}",
                hint="give another folder for the store, or mend its owner and mode",
            ) from error
        data = unseal(f"{kind}/{key}", sealed)
        if data is not None:
            bump(path, found)
        return data

    def write(self, kind: str, key: str, data: bytes) -> None:
        """Write or replace the record."""
        self._session.write_file(self._layout.record(kind, key), seal(f"{kind}/{key}", data))
