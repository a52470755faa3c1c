"""A short-lived registry on 127.0.0.1 that serves one image, for engines that would rather pull.

Read-only, the least of the OCI distribution specification that ``docker pull`` and ``podman pull`` ask for. Docker
takes 127.0.0.0/8 for an insecure registry without being told (``registry/config.go`` in moby).
"""

import contextlib
import json
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal

from layerwright.core.errors import EngineError, LayerwrightError
from layerwright.oci.blobs import BlobSource
from layerwright.oci.descriptor import Descriptor
from layerwright.oci.digest import Digest
from layerwright.oci.fields import canonical_json
from layerwright.oci.image import Image
from layerwright.oci.layer import TAR_LAYER, Layer
from layerwright.oci.media import OCI_CONFIG, OCI_MANIFEST

__all__ = ["ServedImage", "serve", "serve_tars"]

_PATH = re.compile(r"/v2/(?P<name>[a-z0-9/]+)/(?P<kind>manifests|blobs)/(?P<reference>[A-Za-z0-9_.:-]+)")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedImage:
    """An image while it is served.

    Attributes:
        name: ``127.0.0.1:PORT/layerwright/…``; its last part is random, so that other users cannot guess it.
        digest: of the manifest that is served; with ``layers="tar"`` another than the image's own.
        failures: errors of the blob source, which the engine only sees as a broken download.
    """

    name: str
    digest: Digest
    failures: list[LayerwrightError]

    @property
    def reference(self) -> str:
        """What to pull."""
        return f"{self.name}@{self.digest}"


@contextlib.contextmanager
def serve(
    image: Image, blobs: BlobSource, *, layers: Literal["tar", "blob"] = "blob"
) -> Iterator[ServedImage]:
    """Serve an image until the block is left.

    Args:
        image: what to serve.
        blobs: gives its layers.
        layers: ``blob`` serves the image as it is; ``tar`` serves the layers uncompressed under a manifest of their
            own. The config, and so Docker's image id, is the same.

    Raises:
        EngineError: no port can be had.
    """
    plain = layers == "tar"
    manifest = _plain_manifest(image, blobs) if plain else image.manifest
    content = _Content(
        manifest=manifest,
        media_type=OCI_MANIFEST if plain else image.media_type,
        config=image.config,
        open_layer=blobs.open_tar if plain else blobs.open_blob,
        layers={(layer.diff_id if plain else layer.digest): layer for layer in image.layers},
        sizes={row["digest"]: row["size"] for row in json.loads(manifest)["layers"]},
    )
    with _serving(content) as port:
        yield ServedImage(
            name=f"127.0.0.1:{port}/{content.repository}",
            digest=content.digest,
            failures=content.failures,
        )


@contextlib.contextmanager
def serve_tars(
    layers: Iterable[Layer], blobs: BlobSource, *, progress: Callable[[int], None] | None = None
) -> Iterator[tuple[str, list[LayerwrightError]]]:
    """Serve the plain tars of layers whose ``tar_size`` is known.

    Args:
        layers: what to serve.
        blobs: gives their tars.
        progress: gets the bytes of each piece that went out.

    Yields:
        the address to which a diff id is to be appended, and the errors met so far.

    Raises:
        EngineError: no port can be had.
    """
    known = {layer.diff_id: layer for layer in layers}
    content = _Content(
        manifest=b"",
        media_type="",
        config=b"",
        open_layer=blobs.open_tar,
        layers=known,
        sizes={diff_id: layer.tar_size for diff_id, layer in known.items()},
        progress=progress,
    )
    with _serving(content) as port:
        yield f"http://127.0.0.1:{port}/v2/{content.repository}/blobs/", content.failures


@contextlib.contextmanager
def _serving(content: "_Content") -> Iterator[int]:
    try:
        server = _Server(("127.0.0.1", 0), _Handler)
    except OSError as error:
        raise EngineError(f"no port on 127.0.0.1 can be had: {error.strerror or error}") from error
    server.content = content
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Content:
    """What the server can give, by digest."""

    manifest: bytes
    media_type: str
    config: bytes
    open_layer: Callable[[Layer], Iterator[bytes]]
    layers: Mapping[Digest, Layer]
    sizes: Mapping[str, int]
    progress: Callable[[int], None] | None = None
    repository: str = field(default_factory=lambda: f"layerwright/{secrets.token_hex(16)}")
    failures: list[LayerwrightError] = field(default_factory=list)

    @property
    def digest(self) -> Digest:
        return Digest.of(self.manifest)

    @property
    def config_digest(self) -> Digest:
        return Digest.of(self.config)


def _plain_manifest(image: Image, blobs: BlobSource) -> bytes:
    """The image's manifest with every layer as a plain tar."""
    config = Descriptor(media_type=OCI_CONFIG, digest=image.config_digest, size=len(image.config))
    layers = []
    for layer in image.layers:
        # Layers from outside do not tell the size of their tar.
        size = layer.tar_size or sum(len(chunk) for chunk in blobs.open_tar(layer))
        layers.append(Descriptor(media_type=TAR_LAYER, digest=layer.diff_id, size=size).as_json())
    return canonical_json(
        {"config": config.as_json(), "layers": layers, "mediaType": OCI_MANIFEST, "schemaVersion": 2}
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    content: _Content

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: Docker tries TLS first, and drops connections as it likes."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # What a TLS greeting gets as an answer: with a status line, by which containerd's resolver sees plain HTTP.
    default_request_version = "HTTP/1.1"
    server: _Server

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def do_GET(self) -> None:
        self._answer(body=True)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name is http.server's
        """Keep quiet; the engine tells what it does."""

    def _answer(self, *, body: bool) -> None:
        content = self.server.content
        if self.path in {"/v2", "/v2/"}:
            self._bytes(b"{}", "application/json", body=body)
            return
        found = _PATH.fullmatch(self.path)
        if found is None or found["name"] != content.repository:
            self._refuse(HTTPStatus.NOT_FOUND)
            return
        reference = found["reference"]
        if found["kind"] == "manifests":
            if reference not in {content.digest, "image"}:
                self._refuse(HTTPStatus.NOT_FOUND)
                return
            self._bytes(content.manifest, content.media_type, body=body, digest=content.digest)
        elif reference == content.config_digest:
            self._bytes(content.config, OCI_CONFIG, body=body, digest=content.config_digest)
        elif (layer := content.layers.get(Digest(reference))) is not None:
            self._layer(layer, Digest(reference), body=body)
        else:
            self._refuse(HTTPStatus.NOT_FOUND)

    def _refuse(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _bytes(self, data: bytes, media_type: str, *, body: bool, digest: str = "") -> None:
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        if digest:
            self.send_header("Docker-Content-Digest", digest)
        self.end_headers()
        if body:
            self.wfile.write(data)

    def _layer(self, layer: Layer, digest: Digest, *, body: bool) -> None:
        size = self.server.content.sizes[digest]
        first, last = 0, size - 1
        if wanted := _RANGE.fullmatch(self.headers.get("Range", "")):
            first, last = int(wanted[1]), min(int(wanted[2] or last), last)
        if first > last:
            self._refuse(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            return
        whole = (first, last) == (0, size - 1)
        self.send_response(HTTPStatus.OK if whole else HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Docker-Content-Digest", digest)
        if not whole:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        if body:
            self._send(layer, first, last)

    def _send(self, layer: Layer, first: int, last: int) -> None:
        """Write bytes ``first`` to ``last``; a layer is made from its beginning, so what comes before is dropped."""
        position = 0
        progress = self.server.content.progress
        try:
            for chunk in self.server.content.open_layer(layer):
                wanted = chunk[max(0, first - position) : max(0, last + 1 - position)]
                position += len(chunk)
                if wanted:
                    self.wfile.write(wanted)
                    if progress is not None:
                        progress(len(wanted))
        except LayerwrightError as error:
            self.server.content.failures.append(error)
            self.close_connection = True
        except OSError:
            self.close_connection = True
