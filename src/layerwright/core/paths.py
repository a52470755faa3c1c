"""Where programs are looked for when no environment says otherwise."""

__all__ = ["DEFAULT_PATH"]

DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""What Docker gives containers whose image sets no ``PATH`` (``oci.DefaultPathEnv`` in moby)."""
