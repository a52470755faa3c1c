"""Debian packages: which ones, by the host's own apt-get in a folder of its own, and their download."""

from layerwright.sources.apt.archive import AptContext
from layerwright.sources.apt.fetch import deb_url, fetch_debs
from layerwright.sources.apt.resolve import BaseFacts, base_facts, resolve_apt, resolve_debian_base
from layerwright.sources.apt.sourcelist import AptSources, DebianMirror, debian_sources, tree_sources
from layerwright.sources.apt.status import debs_status, tree_status

__all__ = [
    "AptContext",
    "AptSources",
    "BaseFacts",
    "DebianMirror",
    "base_facts",
    "deb_url",
    "debian_sources",
    "debs_status",
    "fetch_debs",
    "resolve_apt",
    "resolve_debian_base",
    "tree_sources",
    "tree_status",
]
