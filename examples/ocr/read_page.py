"""Print the text of a picture, and write the picture with boxes around it.

usage: read_page.py PICTURE [OUT]
"""

import sys
from pathlib import Path

from page_reader import draw_lines, read_lines


def main() -> int:
    """Read the picture named on the command line."""
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 2
    picture = Path(sys.argv[1])
    out = Path(sys.argv[2]) if len(sys.argv) > 2 else picture.with_name(f"{picture.stem}-read.png")
    out.parent.mkdir(parents=True, exist_ok=True)
    lines = read_lines(picture)
    for line in lines:
        print(f"{line.confidence:.3f}  {line.text}")
    draw_lines(picture, lines, out)
    print(f"{len(lines)} lines, drawn to {out}")
    return 0 if lines else 1


if __name__ == "__main__":
    sys.exit(main())
