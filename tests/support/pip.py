"""A wheel of pip for images, from the pip of the tests' own environment: no index is asked."""

import base64
import hashlib
import importlib.metadata
import io
import zipfile
from pathlib import Path


def pip_wheel() -> tuple[str, bytes]:
    """File name and bytes."""
    distribution = importlib.metadata.distribution("pip")
    info = f"pip-{distribution.version}.dist-info"
    left_out = {f"{info}/RECORD", f"{info}/INSTALLER", f"{info}/REQUESTED", f"{info}/direct_url.json"}
    contents = {
        str(file): Path(str(file.locate())).read_bytes()
        for file in distribution.files or ()
        if not str(file).startswith("..") and "__pycache__" not in str(file) and str(file) not in left_out
    }
    rows = [
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}"
        for path, data in contents.items()
    ]
    contents[f"{info}/RECORD"] = ("\n".join([*rows, f"{info}/RECORD,,"]) + "\n").encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in contents.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return f"pip-{distribution.version}-py3-none-any.whl", buffer.getvalue()
