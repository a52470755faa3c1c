"""Images into a registry: blobs streamed from wherever they come from, nothing sent that is there.

A wheel layer has no blob on disk; it is made while it is sent. So every attempt opens it anew, and what was sent is
compared with its digest by us and by the registry.
"""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from layerwright.core.errors import IntegrityError, UsageError
from layerwright.host.environment import HostEnvironment
from layerwright.oci.blobs import BlobSource, verified
from layerwright.oci.digest import Digest
from layerwright.oci.image import Image
from layerwright.oci.layer import Layer
from layerwright.oci.reference import Reference
from layerwright.registry.client import ConnectionCutError, RegistryClient, RegistryError, SizedBody

if TYPE_CHECKING:
    import requests

__all__ = ["PushReport", "Pusher", "push_image"]

_UPLOADS: Final = 2
_PIECE: Final = 8 << 20
"""Bytes of a chunked upload's PATCH: above the least that registries state (5 MiB), below most proxies' limits."""

_TOO_MUCH_AT_ONCE: Final = frozenset(
    {
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.LENGTH_REQUIRED,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.NOT_IMPLEMENTED,
    }
)
_SESSION_LOST: Final = frozenset({401, 404, 408, 416, 429, 500, 502, 503, 504})
"""Answers after which a new session may do: the token or the session ended, or the registry stumbled."""

_ATTEMPTS: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PushReport:
    """What a push did.

    Attributes:
        digest: of the manifest.
        sent, mounted, present: blobs that were uploaded, taken from another repository of the registry, or there.
        sent_bytes: bytes uploaded.
    """

    digest: Digest
    sent: int
    mounted: int
    present: int
    sent_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blob:
    digest: Digest
    size: int
    open: Callable[[], Iterable[bytes]]


@dataclass(slots=True, kw_only=True)
class Pusher:
    """Pushes images; what it learns of one registry helps the next image.

    Attributes:
        host: whose certificates, proxies and accounts count.
        mount_from: repositories, by registry, that may hold our blobs: the base's, or those of earlier pushes.
        make_client: makes a client for a registry.
    """

    host: HostEnvironment
    mount_from: Mapping[str, Sequence[str]] = field(default_factory=dict)
    make_client: Callable[..., RegistryClient] = RegistryClient
    _clients: dict[str, RegistryClient] = field(default_factory=dict, init=False, repr=False)
    _holders: dict[tuple[str, Digest], str] = field(default_factory=dict, init=False, repr=False)

    def push(
        self,
        image: Image,
        blobs: BlobSource,
        references: Sequence[str],
        *,
        progress: Callable[[int], None] | None = None,
    ) -> PushReport:
        """Push an image under every reference.

        Args:
            image: what to push.
            blobs: gives its layers.
            references: where to; several repositories and registries may be among them.
            progress: gets the bytes of each piece of a layer that was sent or was there, from several threads.

        Raises:
            IntegrityError: the source gave other bytes than a layer names.
            NetworkError: a registry cannot be reached, or refuses.
            UsageError: a reference is none, or has no tag.
        """
        parsed = [_parse(reference) for reference in references]
        counts = {"sent": 0, "mounted": 0, "present": 0}
        sent_bytes = 0
        done: set[tuple[str, str]] = set()
        for reference in parsed:
            client = self._client(reference.registry)
            place = reference.registry, reference.repository
            if place not in done:
                done.add(place)
                upload = _Upload(
                    client=client,
                    repository=reference.repository,
                    holders=self._holders,
                    others=tuple(self.mount_from.get(reference.registry, ())),
                    progress=(progress or _ignore) if len(done) == 1 else _ignore,
                )
                for how, size in upload.all(_blobs_of(image, blobs)):
                    counts[how] += 1
                    sent_bytes += size if how == "sent" else 0
            _put_manifest(client, reference, image)
        return PushReport(digest=image.digest, sent_bytes=sent_bytes, **counts)

    def _client(self, registry: str) -> RegistryClient:
        if registry not in self._clients:
            self._clients[registry] = self.make_client(registry, host=self.host)
        return self._clients[registry]


def push_image(
    image: Image,
    blobs: BlobSource,
    references: Sequence[str],
    *,
    host: HostEnvironment,
    mount_from: Mapping[str, Sequence[str]] | None = None,
    progress: Callable[[int], None] | None = None,
) -> PushReport:
    """Push one image; ``Pusher`` is better for several, since it remembers where blobs are.

    Raises:
        IntegrityError, NetworkError, UsageError: as ``Pusher.push``.
    """
    return Pusher(host=host, mount_from=mount_from or {}).push(image, blobs, references, progress=progress)


class _Upload:
    """The blobs of one image into one repository."""

    def __init__(
        self,
        *,
        client: RegistryClient,
        repository: str,
        holders: dict[tuple[str, Digest], str],
        others: tuple[str, ...],
        progress: Callable[[int], None],
    ) -> None:
        self._client = client
        self._repository = repository
        self._holders = holders
        self._others = others
        self._moved = progress
        self._pieces = threading.Event()
        """Set once the registry has refused a whole blob at once."""

    def all(self, blobs: Sequence[_Blob]) -> Iterator[tuple[str, int]]:
        """Bring every blob there, largest first; yields how, and its size."""
        self._client.url("")  # one first question, not one from each thread
        unique = {blob.digest: blob for blob in blobs}
        ordered = sorted(unique.values(), key=lambda blob: -blob.size)
        with ThreadPoolExecutor(_UPLOADS, thread_name_prefix="push") as pool:
            running = [(blob, pool.submit(self._one, blob)) for blob in ordered]
            try:
                for blob, one in running:
                    yield one.result(), blob.size
                    self._holders.setdefault((self._client.registry, blob.digest), self._repository)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _one(self, blob: _Blob) -> str:
        if self._present(blob.digest):
            self._moved(blob.size)
            return "present"
        location, mounted = self._begin(blob.digest)
        if mounted:
            self._moved(blob.size)
            return "mounted"
        self._send(blob, location)
        return "sent"

    def _present(self, digest: Digest) -> bool:
        response = self._client.request(
            "HEAD",
            self._client.url(f"/v2/{self._repository}/blobs/{digest}"),
            what=f"whether {self._repository} has blob {digest.short}",
            scopes=self._scopes(),
            accepted=(HTTPStatus.OK, HTTPStatus.NOT_FOUND),
        )
        return response.status_code == HTTPStatus.OK

    def _begin(self, digest: Digest) -> tuple["requests.Response", bool]:
        """Open an upload session; with luck the registry takes the blob from another of its repositories."""
        holder = self._holders.get((self._client.registry, digest), "")
        candidates = [holder] if holder else list(self._others)
        for other in candidates:
            if other == self._repository:
                continue
            try:
                response = self._post({"mount": digest, "from": other}, (*self._scopes(), _pull(other)))
            except RegistryError:
                continue  # no right to read there: an upload it is
            if response.status_code == HTTPStatus.CREATED:
                return response, True
            return response, False
        return self._post({}, self._scopes()), False

    def _post(self, query: Mapping[str, str], scopes: tuple[str, ...]) -> "requests.Response":
        address = self._client.url(f"/v2/{self._repository}/blobs/uploads/")
        return self._client.request(
            "POST",
            f"{address}?{urlencode(query)}" if query else address,
            what=f"an upload to {self._repository}",
            scopes=scopes,
            headers={"Content-Length": "0"},
            accepted=(HTTPStatus.ACCEPTED, HTTPStatus.CREATED),
        )

    def _send(self, blob: _Blob, session: "requests.Response") -> None:
        """Upload: at once, or in pieces where the registry or what stands before it refuses the whole."""
        moved = 0

        def counted(chunks: Iterable[bytes]) -> Iterator[bytes]:
            nonlocal moved
            for chunk in chunks:
                yield chunk
                moved += len(chunk)
                self._moved(len(chunk))

        for attempt in range(1, _ATTEMPTS + 1):
            stream = counted(
                verified(blob.open(), blob.digest, size=blob.size, what=f"blob {blob.digest.short}")
            )
            try:
                if self._pieces.is_set():
                    self._in_pieces(blob, stream, session)
                else:
                    self._at_once(blob, stream, session)
            except (RegistryError, ConnectionCutError) as error:
                self._moved(-moved)
                moved = 0
                if attempt == _ATTEMPTS or not self._worth_another(error):
                    raise
            else:
                return
            if self._present(blob.digest):  # the answer was lost, not the blob
                self._moved(blob.size)
                return
            session = self._post({}, self._scopes())

    def _worth_another(self, error: RegistryError | ConnectionCutError) -> bool:
        if isinstance(error, ConnectionCutError):
            return True
        if error.status in _TOO_MUCH_AT_ONCE and not self._pieces.is_set():
            self._pieces.set()
            return True
        return error.status in _SESSION_LOST

    def _at_once(self, blob: _Blob, stream: Iterator[bytes], session: "requests.Response") -> None:
        self._put(
            _with_digest(self._client.location(session), blob.digest),
            blob,
            SizedBody(stream, blob.size),
        )

    def _in_pieces(self, blob: _Blob, stream: Iterator[bytes], session: "requests.Response") -> None:
        location = self._client.location(session)
        least = session.headers.get("OCI-Chunk-Min-Length", "")
        size = max(_PIECE, int(least) if least.isdecimal() else 0)
        offset = 0
        for piece in _pieces(stream, size):
            answer = self._client.request(
                "PATCH",
                location,
                what=f"a piece of blob {blob.digest.short} for {self._repository}",
                scopes=self._scopes(),
                headers={
                    "Content-Type": "application/octet-stream",
                    "Content-Range": f"{offset}-{offset + len(piece) - 1}",
                },
                body=lambda piece=piece: piece,  # type: ignore[misc]
                accepted=(HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT),
            )
            location = self._client.location(answer)
            offset += len(piece)
        self._put(_with_digest(location, blob.digest), blob, b"")

    def _put(self, url: str, blob: _Blob, body: "SizedBody | bytes") -> None:
        taken = self._client.request_once(
            "PUT",
            url,
            what=f"blob {blob.digest.short} for {self._repository}",
            scopes=self._scopes(),
            headers={"Content-Type": "application/octet-stream"},
            body=body,
            accepted=(HTTPStatus.CREATED, HTTPStatus.NO_CONTENT),
        )
        said = taken.headers.get("Docker-Content-Digest", blob.digest)
        if said != blob.digest:
            raise IntegrityError(f"{self._client.registry} took blob {blob.digest.short} for {said}")

    def _scopes(self) -> tuple[str, ...]:
        return (f"repository:{self._repository}:pull,push",)


def _blobs_of(image: Image, blobs: BlobSource) -> list[_Blob]:
    def opener(layer: Layer) -> Callable[[], Iterable[bytes]]:
        return lambda: blobs.open_blob(layer)

    config = _Blob(digest=image.config_digest, size=len(image.config), open=lambda: [image.config])
    return [
        config,
        *(_Blob(digest=layer.digest, size=layer.size, open=opener(layer)) for layer in image.layers),
    ]


def _put_manifest(client: RegistryClient, reference: Reference, image: Image) -> None:
    response = client.request(
        "PUT",
        client.url(f"/v2/{reference.repository}/manifests/{reference.tag}"),
        what=f"the manifest of {reference.familiar}",
        scopes=(f"repository:{reference.repository}:pull,push",),
        headers={"Content-Type": image.media_type},
        body=lambda: image.manifest,
        accepted=(HTTPStatus.CREATED, HTTPStatus.OK, HTTPStatus.ACCEPTED),
    )
    said = response.headers.get("Docker-Content-Digest", image.digest)
    if said != image.digest:
        raise IntegrityError(f"{client.registry} took the manifest {image.digest} for {said}")


def _pieces(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The stream in pieces of one size, the last as it comes."""
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= size:
            yield bytes(waiting[:size])
            del waiting[:size]
    if waiting:
        yield bytes(waiting)


def _with_digest(url: str, digest: Digest) -> str:
    parts = urlsplit(url)
    query = urlencode([*parse_qsl(parts.query, keep_blank_values=True), ("digest", digest)])
    return urlunsplit(parts._replace(query=query))


def _parse(reference: str) -> Reference:
    try:
        parsed = Reference.parse(reference)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not parsed.tag:
        raise UsageError(f"{reference} has no tag to push to", hint=f"write {reference}:TAG")
    return parsed


def _pull(repository: str) -> str:
    return f"repository:{repository}:pull"


def _ignore(_amount: int) -> None:
    """Take no progress."""
