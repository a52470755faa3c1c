"""What the secret scan finds, and how it is told. Nothing here holds a secret or a part of one."""

from typing import Final, Literal

from msgspec import Struct

from layerwright.core.findings import Kind, Level

__all__ = ["KINDS", "KNOWN", "RULE", "UNREAD", "Hit"]

KNOWN: Final = "LW-SECRET-KNOWN"
RULE: Final = "LW-SECRET-RULE"
UNREAD: Final = "LW-SECRET-UNREAD"

KINDS: Final = (
    Kind(
        code=KNOWN,
        title="a secret that was named is in the image",
        why="Whoever can pull an image can read its config, its history and every layer, also files that a later "
        "layer deletes. A password in one of them is given away for good.",
        evidence="The value itself, found byte for byte, or as percent-encoding, base64, hexadecimal, UTF-16 or "
        "escaped text; also inside archives. The message says where, never what.",
        repair='Change the secret: the image may have been copied already. Then keep it out: `secrets = ["NAME"]` of '
        "a run step, or `credentials` of an index, bring it to where it is needed and leave nothing behind.",
    ),
    Kind(
        code=RULE,
        title="something in the image looks like a secret",
        why="Tokens and keys have shapes that their makers publish so that leaks can be found, and leaked ones are "
        "used within minutes of a push.",
        evidence="A rule of the library (`verify/secrets/rules.toml`) matched: a documented prefix and length, and "
        "enough randomness to be no placeholder. What lies in folders of tests and documentation is a note.",
        repair="When it is real, revoke it and keep it out of the build as a secret. When it is not, a placeholder "
        "such as `<token>` says so to people and to this scan.",
    ),
    Kind(
        code=UNREAD,
        title="a part of the image could not be searched for secrets",
        why="An archive that is encrypted, damaged, nested too deep or that expands beyond all measure may hold "
        "anything.",
        evidence="The archive was opened as its first bytes say, and reading stopped where the message says. The "
        "bytes of the archive itself were searched.",
        repair="Delete the archive in the step that brings it, or unpack it there and look.",
    ),
)


class Hit(Struct, frozen=True, kw_only=True):
    """One place where a secret stands.

    Attributes:
        kind: code of one of ``KINDS``.
        name: of the known value, or id of the rule; for ``UNREAD`` the reason, in words.
        title: what it is: ``the secret 'token'``, ``GitHub token``.
        encoding: how it is written there: ``as it is``, ``percent-encoded``, ``base64`` …
        level: how bad.
        where: path in the image, or the part of the config, such as ``env PIP_INDEX_URL``.
        layer: diff id of the layer; empty for the config.
        member: path inside an archive, ``a.tar/b``; empty when it is none.
        offset: in the file, member or text, bytes.
        line: 1 for the first, 0 when the file is no text.
        excerpt: what stands before it on its line, with the secret masked.
        repair: what to do with a thing of this kind; empty when there is nothing particular.
        source: where the rule's shape is documented; empty for known values.
        more: further hits of the same kind and name in the same place that are not listed.
    """

    kind: Literal["LW-SECRET-KNOWN", "LW-SECRET-RULE", "LW-SECRET-UNREAD"]
    name: str
    title: str
    level: Level
    where: str
    encoding: str = ""
    layer: str = ""
    member: str = ""
    offset: int = 0
    line: int = 0
    excerpt: str = ""
    repair: str = ""
    source: str = ""
    more: int = 0
