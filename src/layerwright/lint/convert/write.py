"""Drafts as the text of a spec."""

import json
import re
from collections.abc import Sequence

from layerwright.lint.convert.model import Draft, IndexDraft, Left, PackageDraft, RunDraft

__all__ = ["write_spec"]

_WIDE = 100


def write_spec(drafts: Sequence[Draft], left: Sequence[Left], *, project: str, file: str) -> str:
    """The spec's text; what is left stands as comments at its end."""
    lines = [
        f"# Written from {file} by `layerwright init --from`. Check it, then `layerwright build`.",
        "" if not left else "# What could not be carried over, or only in another way, is listed at the end.",
        "",
        "[project]",
        f"name = {quoted(project)}",
    ]
    for draft in drafts:
        lines += ["", *_image(draft, file)]
    indexes = {index.name: index for draft in drafts for index in draft.indexes}
    for index in indexes.values():
        lines += ["", *_index(index)]
    secrets = {name: variable for draft in drafts for name, variable in draft.secrets.items()}
    for name, variable in secrets.items():
        lines += ["", f"[secrets.{_key(name)}]", f"env = {quoted(variable)}"]
    if left:
        lines += ["", "# Not carried over:"]
        for note in left:
            place = f"{file}:{note.line}" if note.line else file
            lines.append(f"#   {place}: {_comment(note.text)}")
            lines.append(f"#     {_comment(note.why)}")
    return "\n".join(line for index, line in enumerate(lines) if line or index != 1) + "\n"


def quoted(text: str) -> str:
    """A basic string of TOML."""
    # JSON's escapes are TOML's, but for DEL; lone surrogates cannot be written at all.
    return json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")


def _image(draft: Draft, file: str) -> list[str]:
    lines = [f"[images.{_key(draft.name)}]", f"from = {quoted(draft.base)}  # {file}:{draft.line}"]
    if draft.role and draft.role != "inference":
        lines.append(f"role = {quoted(draft.role)}")
    for key in ("accelerator", "python", "timezone"):
        value = getattr(draft, key)
        if value:
            lines.append(f"{key} = {quoted(value)}")
    if draft.platform and draft.platform != "linux/amd64":
        lines.append(f"platforms = [{quoted(draft.platform)}]")
    lines += _list("apt", [quoted(name) for name in draft.apt])
    lines += _list("packages", [_package(package) for package in draft.packages], one_each=True)
    lines += _list("constraints", [quoted(one) for one in draft.constraints], one_each=True)
    lines += _table("env", draft.env)
    lines += _table("labels", draft.labels)
    lines += _list("writable", [quoted(name) for name in draft.writable])
    models = [
        f"{{ url = {quoted(url)}, sha256 = {quoted(sha256)}, to = {quoted(to)} }}"
        for url, sha256, to in draft.models
    ]
    lines += _list("models", models, one_each=True)
    copies = [f"{{ from = {quoted(source)}, to = {quoted(to)} }}" for source, to in draft.copies]
    lines += _list("copy", copies, one_each=True)
    smoke = [f"[{', '.join(quoted(word) for word in words)}]" for words in draft.smoke]
    lines += _list("smoke", smoke, one_each=True)
    if draft.workdir:
        lines.append(f"workdir = {quoted(draft.workdir)}")
    lines += _list("entrypoint", [quoted(word) for word in draft.entrypoint])
    lines += _list("command", [quoted(word) for word in draft.command])
    for run in draft.runs:
        lines += ["", *_run(draft.name, run, file)]
    return lines


def _list(key: str, items: Sequence[str], *, one_each: bool = False) -> list[str]:
    if not items:
        return []
    line = f"{key} = [{', '.join(items)}]"
    if len(line) <= _WIDE and not (one_each and len(items) > 1):
        return [line]
    return [f"{key} = [", *(f"  {item}," for item in items), "]"]


def _table(key: str, values: dict[str, str]) -> list[str]:
    if not values:
        return []
    line = f"{key} = {{ {', '.join(f'{_key(name)} = {quoted(value)}' for name, value in values.items())} }}"
    if len(line) <= _WIDE:
        return [line]
    return [f"{key}.{_key(name)} = {quoted(value)}" for name, value in values.items()]


def _package(package: PackageDraft) -> str:
    if package.requirement:
        return quoted(package.requirement)
    parts = [
        f"{key} = {quoted(value)}"
        for key in ("path", "git", "rev", "subdirectory", "url", "sha256")
        if (value := getattr(package, key))
    ]
    if package.extras:
        parts.append(f"extras = [{', '.join(quoted(name) for name in package.extras)}]")
    return f"{{ {', '.join(parts)} }}"


def _run(image: str, run: RunDraft, file: str) -> list[str]:
    lines = [f"[[images.{_key(image)}.run]]  # {file}:{run.line}"]
    if run.argv:
        lines += _list("argv", [_text(word) for word in run.argv])
    else:
        lines.append(f"script = {_text(run.script)}")
    if run.secrets:
        lines += _list("secrets", [quoted(name) for name in run.secrets])
    if run.network:
        lines.append("network = true")
    return lines


def _text(text: str) -> str:
    """A string; a script of several lines as such, where it can stand there as it is."""
    if "\n" not in text:
        return quoted(text)
    plain = all(sign in "\n\t" or sign.isprintable() for sign in text)
    if plain and "'''" not in text and not text.endswith("'"):
        return f"'''\n{text}'''"
    return quoted(text)


def _index(index: IndexDraft) -> list[str]:
    lines = [f"[indexes.{_key(index.name)}]", f"url = {quoted(index.url)}"]
    if index.flat:
        lines.append('format = "flat"')
    if index.credentials:
        lines.append(f"credentials = {quoted(index.credentials)}")
    if index.default:
        lines.append("default = true")
    elif index.packages:
        lines.append("explicit = true")
        lines += _list("packages", [quoted(name) for name in index.packages])
    return lines


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else quoted(name)


def _comment(text: str) -> str:
    """Text for a comment: TOML has no control characters there."""
    return "".join(sign if sign.isprintable() else " " for sign in text.encode("utf-8", "replace").decode())
