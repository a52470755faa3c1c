"""A registry client: blobs, manifests, authentication."""

from layerwright.registry.client import ConnectionCutError, RegistryClient, RegistryError
from layerwright.registry.credentials import Credentials, find_credentials
from layerwright.registry.pull import BlobStore, open_image, resolve_digest
from layerwright.registry.push import Pusher, PushReport, push_image

__all__ = [
    "BlobStore",
    "ConnectionCutError",
    "Credentials",
    "PushReport",
    "Pusher",
    "RegistryClient",
    "RegistryError",
    "find_credentials",
    "open_image",
    "push_image",
    "resolve_digest",
]
