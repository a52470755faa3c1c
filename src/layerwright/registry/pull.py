"""Images out of a registry: digests, manifests, and blobs into the store."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Final, Literal, Protocol

from layerwright.core.errors import BuildError, IntegrityError, NetworkError, UsageError
from layerwright.host.environment import HostEnvironment
from layerwright.oci.blobs import BlobSource, tar_of
from layerwright.oci.descriptor import Descriptor
from layerwright.oci.digest import Digest
from layerwright.oci.fields import Fields
from layerwright.oci.image import Image, parse_image, parse_manifest
from layerwright.oci.layer import Layer
from layerwright.oci.media import CONFIG_LIMIT, INDEX_TYPES, MANIFEST_LIMIT, MANIFEST_TYPES
from layerwright.oci.platform import Platform
from layerwright.oci.reference import Reference
from layerwright.registry.client import RegistryClient

__all__ = ["BlobStore", "open_image", "resolve_digest"]

_CHUNK: Final = 1 << 18
_DOWNLOADS: Final = 3
_RESUMES: Final = 6
"""Cut downloads in a row that gained nothing before giving up."""

_ACCEPT: Final = ", ".join((*MANIFEST_TYPES, *INDEX_TYPES))


class BlobStore(Protocol):
    """What a pull needs of a store; ``store.Store`` is one."""

    def has(self, room: Literal["blobs"], hex_digest: str, /) -> bool:
        """Whether the blob is there."""

    def read(self, room: Literal["blobs"], hex_digest: str, /) -> Iterator[bytes]:
        """The blob, verified at its end."""

    def filling(
        self, room: Literal["blobs"], hex_digest: str, /, *, size: int = ...
    ) -> AbstractContextManager[Path]:
        """A file for a resumable download; a full disk is told in words."""

    def adopt(self, room: Literal["blobs"], file: Path, /, *, sha256: str = ...) -> str:
        """Take in a finished download, verified."""

    def lock(self, name: str, /) -> AbstractContextManager[None]:
        """One builder at a time."""


def resolve_digest(
    reference: str, platform: Platform, *, host: HostEnvironment, client: RegistryClient | None = None
) -> Digest:
    """Digest of the manifest that a reference means for a platform now.

    Args:
        reference: with a tag, or with a digest (of a manifest or an index).
        platform: chooses from an index.
        host: whose certificates, proxies and accounts count.
        client: asks; made for the reference's registry when not given.

    Raises:
        BuildError: there is no image for the platform.
        NetworkError: the registry cannot be reached, or refuses.
        UsageError: no reference, or one with neither tag nor digest.
    """
    wanted = _parse(reference)
    digest, _ = _manifest(client or RegistryClient(wanted.registry, host=host), wanted, platform)
    return digest


@contextmanager
def open_image(
    reference: str,
    *,
    platform: Platform,
    digest: str,
    store: BlobStore,
    host: HostEnvironment,
    client: RegistryClient | None = None,
    progress: Callable[[int], None] | None = None,
) -> Iterator[tuple[Image, BlobSource]]:
    """Pull an image into the store; what is there already is not asked for.

    Args:
        reference: where it is; its tag is ignored when ``digest`` is given.
        platform: chooses from an index.
        digest: of the manifest, as the lock has it; empty asks for what the reference means now.
        store: takes manifest, config and layers as blobs.
        host: whose certificates, proxies and accounts count.
        client: asks; made for the reference's registry when not given.
        progress: gets the bytes of each piece of a layer that came or was there.

    Yields:
        the image, and its blobs out of the store.

    Raises:
        BuildError: no image for the platform, or of a kind that is not supported.
        IntegrityError: the registry's bytes are not those of their digests.
        NetworkError: the registry cannot be reached, or refuses.
    """
    wanted = _parse(reference)
    if digest:
        wanted = Reference(
            registry=wanted.registry, repository=wanted.repository, digest=Digest.parse(digest)
        )
    puller = _Puller(
        client=client or RegistryClient(wanted.registry, host=host),
        reference=wanted,
        store=store,
        progress=progress,
    )
    image = puller.pull(platform)
    yield image, _StoredBlobs(store)


class _StoredBlobs:
    """The blobs of a pulled image."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store

    def open_blob(self, layer: Layer) -> Iterator[bytes]:
        """The blob as ``layer.digest`` names it."""
        return self._store.read("blobs", layer.digest.hex)

    def open_tar(self, layer: Layer) -> Iterator[bytes]:
        """The uncompressed tar as ``layer.diff_id`` names it."""
        return tar_of(layer, self.open_blob(layer))


class _Puller:
    """One pull."""

    def __init__(
        self,
        *,
        client: RegistryClient,
        reference: Reference,
        store: BlobStore,
        progress: Callable[[int], None] | None,
    ) -> None:
        self._client = client
        self._reference = reference
        self._store = store
        self._moved = progress or _ignore

    def pull(self, platform: Platform) -> Image:
        known = self._known()
        if known is None:
            digest, data = _manifest(self._client, self._reference, platform)
            self._keep(data, digest)
        else:
            data = known
        what = self._reference.familiar
        manifest = parse_manifest(data, what=f"the manifest of {what}")
        config = self._config(manifest.config)
        image = parse_image(data, config, what=what)
        if image.platform != platform:
            raise BuildError(f"{what} is for {image.platform}, not for {platform}")
        self._layers(image.layers)
        return image

    def _known(self) -> bytes | None:
        """The manifest out of the store, when it is named by its digest and of an image."""
        digest = self._reference.digest
        if not digest or not self._store.has("blobs", Digest(digest).hex):
            return None
        try:
            data = b"".join(self._store.read("blobs", Digest(digest).hex))
            parse_manifest(data)
        except (BuildError, IntegrityError):
            return None
        return data

    def _keep(self, data: bytes, digest: Digest) -> None:
        if not self._store.has("blobs", digest.hex):
            with self._store.lock(f"blob-{digest.hex}"):
                with self._store.filling("blobs", digest.hex, size=len(data)) as part:
                    part.write_bytes(data)
                self._store.adopt("blobs", part, sha256=digest.hex)

    def _config(self, descriptor: Descriptor) -> bytes:
        if descriptor.size > CONFIG_LIMIT:
            raise IntegrityError(
                f"the config of {self._reference.familiar} is longer than {CONFIG_LIMIT} bytes"
            )
        self._blob(descriptor.digest, descriptor.size, report=False)
        return b"".join(self._store.read("blobs", descriptor.digest.hex))

    def _layers(self, layers: Sequence[Layer]) -> None:
        wanted = {layer.digest: layer.size for layer in layers}
        with ThreadPoolExecutor(_DOWNLOADS, thread_name_prefix="pull") as pool:
            running = [pool.submit(self._blob, digest, size) for digest, size in wanted.items()]
            try:
                for one in running:
                    one.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _blob(self, digest: Digest, size: int, *, report: bool = True) -> None:
        """Bring a blob into the store, going on where an earlier attempt was cut."""
        moved = self._moved if report else _ignore
        with self._store.lock(f"blob-{digest.hex}"):
            if self._store.has("blobs", digest.hex):
                moved(size)
                return
            with self._store.filling("blobs", digest.hex, size=size) as part:
                have = part.stat().st_size if part.exists() else 0
                if have > size:
                    part.unlink()
                    have = 0
                moved(have)
                fruitless = 0
                while have < size:
                    before = have
                    have = self._download(digest, size, part, have, moved)
                    fruitless = 0 if have > before else fruitless + 1
                    if fruitless == _RESUMES:
                        raise NetworkError(
                            f"{self._client.registry} breaks off every download of {digest.short} "
                            f"at {have:,} of {size:,} bytes"
                        )
            self._store.adopt("blobs", part, sha256=digest.hex)

    def _download(
        self, digest: Digest, size: int, part: Path, have: int, moved: Callable[[int], None]
    ) -> int:
        """One request; returns how much is there afterwards, which is less than ``size`` when it was cut."""
        import requests  # noqa: PLC0415  start-up
        import urllib3  # noqa: PLC0415  start-up

        response = self._client.request(
            "GET",
            self._client.url(f"/v2/{self._reference.repository}/blobs/{digest}"),
            what=f"layer {digest.short} of {self._reference.familiar}",
            scopes=_scopes(self._reference),
            headers={"Range": f"bytes={have}-"} if have else {},
            accepted=(HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT),
            stream=True,
        )
        with response, part.open("r+b" if have else "wb") as file:
            if response.status_code == HTTPStatus.PARTIAL_CONTENT:
                file.seek(have)
            else:  # no ranges here: from the beginning
                moved(-have)
                have = 0
            file.truncate(have)
            try:
                for chunk in response.iter_content(_CHUNK):
                    if have + len(chunk) > size:
                        raise IntegrityError(
                            f"{self._client.registry} sends more than the {size:,} bytes of {digest.short}"
                        )
                    file.write(chunk)
                    have += len(chunk)
                    moved(len(chunk))
            except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError):
                pass  # cut: the caller goes on from what is there
        return have


def _manifest(client: RegistryClient, reference: Reference, platform: Platform) -> tuple[Digest, bytes]:
    """The manifest for the platform, with its digest."""
    media_type, data = _fetch_manifest(client, reference, str(reference.digest or reference.tag))
    if reference.digest and Digest.of(data) != reference.digest:
        raise IntegrityError(f"{client.registry} gives {Digest.of(data)} when asked for {reference.digest}")
    if media_type not in INDEX_TYPES:
        return Digest.of(data), data
    digest = _choose(data, platform, reference)
    _, data = _fetch_manifest(client, reference, digest)
    if Digest.of(data) != digest:
        raise IntegrityError(f"{client.registry} gives {Digest.of(data)} when asked for {digest}")
    return digest, data


def _fetch_manifest(client: RegistryClient, reference: Reference, name: str) -> tuple[str, bytes]:
    response = client.request(
        "GET",
        client.url(f"/v2/{reference.repository}/manifests/{name}"),
        what=f"the manifest of {reference.familiar}",
        scopes=_scopes(reference),
        headers={"Accept": _ACCEPT},
        stream=True,
    )
    data = bytearray()
    with response:
        for chunk in response.iter_content(_CHUNK):
            data += chunk
            if len(data) > MANIFEST_LIMIT:
                raise IntegrityError(
                    f"the manifest of {reference.familiar} is longer than {MANIFEST_LIMIT} bytes"
                )
    stated = response.headers.get("Content-Type", "").partition(";")[0].strip()
    fields = Fields.parse(bytes(data), what=f"the manifest of {reference.familiar}", limit=MANIFEST_LIMIT)
    return fields.text("mediaType", stated), bytes(data)


def _choose(data: bytes, platform: Platform, reference: Reference) -> Digest:
    """The index's entry for a platform."""
    index = Fields.parse(data, what=f"the index of {reference.familiar}", limit=MANIFEST_LIMIT)
    offered = []
    for entry in index.children("manifests"):
        place = entry.child("platform")
        text = f"{place.text('os', '')}/{place.text('architecture', '')}"
        if text == str(platform):
            return Descriptor.read(entry).digest
        if "unknown" not in text:  # attestations
            offered.append(text)
    raise BuildError(
        f"{reference.familiar} has no image for {platform}",
        hint=f"it has {', '.join(sorted(set(offered))) or 'none'}",
    )


def _parse(reference: str) -> Reference:
    try:
        parsed = Reference.parse(reference)
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not parsed.tag and not parsed.digest:
        raise UsageError(
            f"{reference} names no tag and no digest", hint=f"write {reference}:TAG or {reference}@sha256:…"
        )
    return parsed


def _scopes(reference: Reference) -> tuple[str, ...]:
    return (f"repository:{reference.repository}:pull",)


def _ignore(_amount: int) -> None:
    """Take no progress."""
