"""Move the fragments of changelog.d into CHANGELOG.md under a version: ``release_notes.py 0.2.0 2026-01-31``."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
KINDS = ("added", "changed", "fixed", "removed")


def main() -> int:
    """Write the section and remove the fragments."""
    if len(sys.argv) != 3:  # noqa: PLR2004 - version and date
        print(__doc__, file=sys.stderr)
        return 2
    version, date = sys.argv[1:]
    fragments = sorted((ROOT / "changelog.d").glob("*.*.md"), key=lambda path: int(path.name.split(".")[0]))
    lines = [f"## {version} ({date})", ""]
    for kind in KINDS:
        chosen = [path for path in fragments if path.name.split(".")[1] == kind]
        if chosen:
            lines += [f"### {kind.capitalize()}", ""]
            lines += [
                f"- {path.read_text(encoding='utf-8').strip()} (#{path.name.split('.')[0]})"
                for path in chosen
            ]
            lines.append("")
    page = ROOT / "CHANGELOG.md"
    head, _, rest = page.read_text(encoding="utf-8").partition("\n## ")
    page.write_text(
        "\n".join([head.rstrip(), "", *lines]) + (f"\n## {rest}" if rest else ""), encoding="utf-8"
    )
    for path in fragments:
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
