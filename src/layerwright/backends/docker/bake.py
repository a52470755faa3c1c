"""Cells as a bake file: what ``docker buildx bake`` reads, so that a farm of builders makes the matrix.

Pure text, in HCL. Each cell is a target whose Dockerfile stands in the file; a parent is a target of its own, that its
children start from by a named context (``target:NAME``, github.com/docker/buildx, docs/bake-reference.md). Named
contexts need a builder with BuildKit 0.10 or newer: Docker 23, or any builder made by ``docker buildx create``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from layerwright.backends.docker.fragments import Secrets
from layerwright.backends.docker.heading import ignore_patterns
from layerwright.backends.docker.parts import Parent
from layerwright.backends.docker.portable import portable_body
from layerwright.backends.docker.quoting import comment
from layerwright.core.errors import BuildError
from layerwright.plan.steps import BuildWheel, CellPlan, CopyTree
from layerwright.spec.model import Index, Secret

__all__ = ["target_names", "write_bake"]

_PARENT: Final = "parent"
"""Name of the context that a child starts from; no registry is asked for it."""

_NOT_A_NAME: Final = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_LINE: Final = 65535
"""Bytes, as in ``portable``."""

_UNFIT: Final = re.compile(r"[\0\r]")


def target_names(cells: Iterable[str]) -> Mapping[str, str]:
    """Cell to target: letters, digits, ``_`` and ``-`` alone are allowed (buildx, ``bake.validateTargetName``)."""
    names: dict[str, str] = {}
    for cell in cells:
        stem = name = _NOT_A_NAME.sub("_", cell)
        number = 1
        while name in names.values():
            number += 1
            name = f"{stem}_{number}"
        names[cell] = name
    return names


def write_bake(
    cells: Sequence[CellPlan],
    asked: Iterable[str],
    *,
    indexes: Mapping[str, Index],
    secrets: Mapping[str, Secret],
    root: Path,
    left_out: Sequence[str] = (),
) -> str:
    """Write plans as one bake file.

    Args:
        cells: what to build, parents before their children.
        asked: cells that a plain ``bake`` builds; their parents come with them.
        indexes: the spec's, by name.
        secrets: the spec's, by name.
        root: the project's folder, which will be the builds' context.
        left_out: patterns of what layerwright never copies.

    Raises:
        UsageError: a base, or a file of the build, cannot be had elsewhere.
        BuildError: a value that a Dockerfile cannot hold.
    """
    own = Secrets.beside(secrets)
    names = target_names(cell.cell for cell in cells)
    plans = {cell.cell: cell for cell in cells}
    targets: list[str] = []
    smoke: list[str] = []
    bodies: list[str] = []
    for cell in cells:
        parent = Parent(name=_PARENT, cell=plans[cell.parent]) if cell.parent else None
        body = "\n".join(portable_body(cell, indexes=indexes, own=own, root=root, parent=parent))
        bodies.append(body)
        name = names[cell.cell]
        targets += _target(cell, name, body, names, own, secrets)
        if "\nFROM image AS smoke\n" in body:
            # A name with a sign that no other target has.
            smoke.append(f"{name}__smoke")
            targets += [
                "",
                f"target {_text(smoke[-1])} {{",
                f"  inherits = [{_text(name)}]",
                '  target   = "smoke"',
                "  tags     = []",
                '  output   = ["type=cacheonly"]',
                "}",
            ]
    lines = [*_heading(cells, "\n".join(bodies), own, left_out), ""]
    lines += _variables("\n".join(bodies), own)
    lines += _group("default", [names[cell] for cell in asked])
    if smoke:
        lines += _group("smoke", smoke)
    return "\n".join([*lines, *targets]) + "\n"


def _heading(cells: Sequence[CellPlan], body: str, own: Secrets, left_out: Sequence[str]) -> Iterator[str]:
    text = [
        "Images of the spec, with all that the lock pins, for docker buildx bake.",
        "Written by `layerwright render bake`: change the spec, lock, and render again.",
        "",
        "In the project's folder:",
        "",
        "  docker buildx bake            build; add --load or --push to keep the images",
    ]
    if "\nFROM image AS smoke\n" in body:
        text.append("  docker buildx bake smoke      run the smoke tests")
    if own.ca_mount in body:
        text.append(
            "  CA=FILE docker buildx bake    with the certificate authorities to trust, behind a proxy"
        )
    sent = [
        (node.step.source, node.step.exclude)
        for cell in cells
        for node in cell.nodes
        if isinstance(node.step, CopyTree)
    ]
    sent += [
        (node.step.source.source, ())
        for cell in cells
        for node in cell.nodes
        if isinstance(node.step, BuildWheel) and node.step.source.kind == "path"
    ]
    if sent:
        text += [
            "",
            "COPY takes what layerwright leaves out: repositories, caches, what looks secret, what the spec excludes.",
            "With these lines in .dockerignore it does not:",
            "",
            *(f"  {pattern}" for pattern in ignore_patterns(dict.fromkeys(sent), left_out)),
        ]
    yield from (line for one in text for line in comment(one))


def _variables(body: str, own: Secrets) -> list[str]:
    """Values of the caller's environment that options take."""
    wanted = ["CA"] if own.ca_mount in body else []
    if own.netrc_mount(required=False) in body:
        wanted += ["NETRC", "HOME"]
    elif "target=/run/secrets/" in body:
        wanted.append("HOME")
    return [line for name in wanted for line in (f'variable "{name}" {{', '  default = ""', "}", "")]


def _group(name: str, targets: Sequence[str]) -> list[str]:
    return [f'group "{name}" {{', f"  targets = [{', '.join(map(_text, targets))}]", "}", ""]


def _target(
    cell: CellPlan,
    name: str,
    body: str,
    names: Mapping[str, str],
    own: Secrets,
    secrets: Mapping[str, Secret],
) -> list[str]:
    if _UNFIT.search(body):
        raise BuildError(f"the build of {cell.cell} holds a sign that a bake file cannot hold")
    for line in body.split("\n"):
        if len(line.encode()) > _LONGEST_LINE:
            raise BuildError(
                f"a line of {cell.cell} is longer than Docker reads ({_LONGEST_LINE:,} bytes): {line[:60]}…",
                hint="put the command's script into a file of the project, and copy that",
            )
    end = "DOCKERFILE"
    while end in body:
        end += "_"
    lines = [
        "",
        f"target {_text(name)} {{",
        '  context    = "."',
        f"  platforms  = [{_text(cell.platform)}]",
        f"  tags       = [{', '.join(map(_text, cell.references))}]",
    ]
    if cell.parent:
        lines.append(f"  contexts   = {{ {_PARENT} = {_text(f'target:{names[cell.parent]}')} }}")
    lines += _secrets(body, own, secrets)
    if "--mount=type=ssh" in body:
        lines.append('  ssh        = ["default"]')
    return [*lines, f"  dockerfile-inline = <<{end}", _template(body), end, "}"]


def _secrets(body: str, own: Secrets, secrets: Mapping[str, Secret]) -> Iterator[str]:
    """Secrets that the file's commands take; those that need not be given only when they are."""
    optional, needed = [], []
    if own.ca_mount in body:
        optional.append(f'CA == "" ? [] : ["id={own.ca},src=${{CA}}"]')
    file = '${NETRC == "" ? "${HOME}/.netrc" : NETRC}'
    if own.netrc_mount(required=True) in body:
        needed.append(f'"id={own.netrc},src={file}"')
    elif own.netrc_mount(required=False) in body:
        optional.append(f'NETRC == "" ? [] : ["id={own.netrc},src=${{NETRC}}"]')
    for name, secret in secrets.items():
        if f"id={name},target=/run/secrets/{name},mode=0400" in body:
            if secret.env:
                needed.append(_text(f"id={name},env={secret.env}"))
            elif secret.file.startswith("~/"):
                # HOME is the caller's; the rest of the path stands for itself.
                needed.append(f'"id={name},src=${{HOME}}{_text(secret.file[1:])[1:]}')
            else:
                needed.append(_text(f"id={name},src={secret.file}"))
    if not optional and not needed:
        return
    given = [f"[{', '.join(needed)}]", *optional]
    yield f"  secret     = concat({', '.join(given)})"


def _template(text: str) -> str:
    """Text of a heredoc that means itself (HCL native syntax, templates)."""
    return text.replace("${", "$${").replace("%{", "%%{")


def _text(text: str) -> str:
    """A quoted string that means itself (HCL native syntax, quoted templates)."""
    escaped = "".join(
        {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(
            sign, sign if sign.isprintable() else f"\\U{ord(sign):08x}"
        )
        for sign in text
    )
    return f'"{_template(escaped)}"'
