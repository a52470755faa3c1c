"""Small real wheels and sdists, made in memory."""

import base64
import hashlib
import io
import random
import tarfile
import zipfile


def make_wheel(
    name, version="1.0", *, requires=(), tag="py3-none-any", files=None, requires_python="", extras=()
):
    """File name and bytes of a wheel with one module (or the given files)."""
    stem = name.replace("-", "_")
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    lines += [f"Requires-Python: {requires_python}"] if requires_python else []
    lines += [f"Provides-Extra: {extra}" for extra in extras]
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    pure = "true" if tag.endswith("none-any") else "false"
    info = f"{stem}-{version}.dist-info"
    contents = dict(
        files if files is not None else {f"{stem}/__init__.py": f"VERSION = {version!r}\n".encode()}
    )
    contents[f"{info}/METADATA"] = ("\n".join(lines) + "\n").encode()
    contents[f"{info}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: {pure}\nTag: {tag}\n".encode()
    )
    rows = [f"{path},sha256={_record_hash(data)},{len(data)}" for path, data in contents.items()]
    contents[f"{info}/RECORD"] = ("\n".join([*rows, f"{info}/RECORD,,"]) + "\n").encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in contents.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), data, zipfile.ZIP_DEFLATED)
    return f"{stem}-{version}-{tag}.whl", buffer.getvalue()


def make_sdist(name, version="1.0", *, requires=(), files=None):
    """File name and bytes of an sdist whose metadata is static (nothing must be built to read it)."""
    stem = name.replace("-", "_")
    root = f"{stem}-{version}"
    info = ["Metadata-Version: 2.2", f"Name: {name}", f"Version: {version}"]
    info += [f"Requires-Dist: {requirement}" for requirement in requires]
    contents = {
        f"{root}/PKG-INFO": ("\n".join(info) + "\n").encode(),
        f"{root}/pyproject.toml": project_text(name, version, requires=requires).encode(),
        f"{root}/{stem}.py": b"VALUE = 1\n",
    } | {f"{root}/{path}": data for path, data in (files or {}).items()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, data in contents.items():
            member = tarfile.TarInfo(path)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return f"{root}.tar.gz", buffer.getvalue()


def project_text(name, version="1.0", *, requires=(), extras=None, backend="hatchling"):
    """A pyproject.toml with static metadata."""
    lines = [
        "[build-system]",
        f'requires = ["{backend}"]',
        f'build-backend = "{backend}.build"',
        "[project]",
        f'name = "{name}"',
        f'version = "{version}"',
        f"dependencies = {list(requires)!r}",
    ]
    if extras:
        lines.append("[project.optional-dependencies]")
        lines += [f"{extra} = {list(wanted)!r}" for extra, wanted in extras.items()]
    return "\n".join(lines) + "\n"


def _record_hash(data):
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def make_heavy_wheel(name, version="1.0", *, requires=(), size=1_200_000):
    """A wheel that is large enough for a layer of its own, with a little code; the payload depends on the name."""
    stem = name.replace("-", "_")
    files = {
        f"{stem}/__init__.py": f"VERSION = {version!r}\n".encode(),
        f"{stem}/data.bin": random.Random(name).randbytes(size),
    }
    files |= {
        f"{stem}/part{number}.py": b"".join(
            f"def f{line}(x={{1, 'a', None}}):\n    return x\n\n".encode() for line in range(40)
        )
        for number in range(5)
    }
    return make_wheel(name, version, requires=requires, files=files)
