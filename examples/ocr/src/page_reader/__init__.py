"""Reads the lines of a document picture."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Line", "draw_lines", "read_lines"]


@dataclass(frozen=True)
class Line:
    """A line of text: its corners in pixels (clockwise from the upper left) and how sure the model is (0 to 1)."""

    text: str
    corners: list[tuple[float, float]]
    confidence: float


def read_lines(picture: Path) -> list[Line]:
    """All lines of the picture, from the top down."""
    from rapidocr_onnxruntime import RapidOCR

    found, _ = RapidOCR()(str(picture))
    lines = [
        Line(text=text, corners=[(float(x), float(y)) for x, y in corners], confidence=float(confidence))
        for corners, text, confidence in found or []
    ]
    return sorted(lines, key=lambda line: min(y for _, y in line.corners))


def draw_lines(picture: Path, lines: list[Line], out: Path) -> None:
    """Copy the picture with a box around every line and the text the model read above it."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.open(picture).convert("RGB")
    draw = ImageDraw.Draw(image)
    font = ImageFont.truetype("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", 13)
    for line in lines:
        draw.polygon(line.corners, outline=(200, 30, 30), width=2)
        left, top = line.corners[0]
        draw.text((left, top - 15), f"{line.text}  {line.confidence:.2f}", fill=(200, 30, 30), font=font)
    image.save(out)
