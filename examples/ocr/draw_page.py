"""Draw page.png, the document this example reads, with a font that Debian ships.

layerwright run ocr draw_page.py page.png
"""

import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter, ImageFont

FONTS = Path("/usr/share/fonts/truetype/dejavu")
LINES = [
    ("DejaVuSans-Bold.ttf", 40, "Corner Hardware Ltd"),
    ("DejaVuSans.ttf", 22, "12 Mill Lane, Harbour Town"),
    ("DejaVuSans.ttf", 22, "Invoice 2024-0317"),
    ("DejaVuSans.ttf", 22, "Date 17 March 2024"),
    ("DejaVuSans.ttf", 26, "Steel bolts M8 x 40      24.00"),
    ("DejaVuSans.ttf", 26, "Wood screws 5 x 60       11.50"),
    ("DejaVuSans.ttf", 26, "Cordless drill 18V      149.90"),
    ("DejaVuSans-Bold.ttf", 30, "Total due  185.40 EUR"),
    ("DejaVuSans.ttf", 20, "Payable within 30 days. Thank you!"),
]


def main() -> None:
    """Draw the lines on paper that was scanned a little askew."""
    page = Image.new("L", (900, 720), 246)
    draw = ImageDraw.Draw(page)
    top = 50
    for name, size, text in LINES:
        draw.text((70, top), text, fill=35, font=ImageFont.truetype(str(FONTS / name), size))
        top += size + 34
    page = page.rotate(1.2, fillcolor=246, resample=Image.Resampling.BICUBIC)
    noise = random.Random(7)
    dust = ImageDraw.Draw(page)
    for _ in range(400):
        dust.point(
            (noise.randrange(page.width), noise.randrange(page.height)), fill=noise.randrange(120, 220)
        )
    page.filter(ImageFilter.GaussianBlur(0.6)).save(sys.argv[1])


if __name__ == "__main__":
    main()
