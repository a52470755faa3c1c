"""Positions in the user's files."""

from msgspec import Struct

__all__ = ["Location"]


class Location(Struct, frozen=True, kw_only=True):
    """Where in a user's file something stands.

    Attributes:
        file: path as the user gave it.
        line: 1-based line, 0 when only the file is known.
        column: 1-based column in characters, 0 when only the line is known.
        key: dotted key path, such as ``images.infer.packages[2]``; empty for the whole file.
        text: the offending line as it stands in the file, without its line end; empty when unknown.
    """

    file: str
    line: int = 0
    column: int = 0
    key: str = ""
    text: str = ""

    def __str__(self) -> str:
        place = self.file
        if self.line:
            place += f":{self.line}"
            if self.column:
                place += f":{self.column}"
        return f"{place} [{self.key}]" if self.key else place

    @property
    def marked(self) -> str:
        """The value, name or word of the line that begins at the column; empty when line or column are unknown."""
        rest = self.text[self.column - 1 :].rstrip() if self.column else ""
        if not rest or rest[0].isspace():
            return ""
        if rest[0] in "\"'":
            end = rest.find(rest[0], 1)
            return rest[: end + 1] if end > 0 else rest
        end = next((at for at, one in enumerate(rest) if one.isspace() or one in ",]}#"), len(rest))
        return rest[: max(end, 1)]
