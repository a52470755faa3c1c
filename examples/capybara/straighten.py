"""A PDF page photographed askew is found, straightened and saved, all with Capybara."""

from pathlib import Path

import capybara as cb
import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

OUT = Path("out")


def make_pdf(path: Path) -> None:
    """One page with a few lines of text."""
    page = Image.new("RGB", (620, 877), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.truetype("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", 26)
    for row, text in enumerate(
        ["Delivery note 4711", "2 boxes of paper", "1 stapler, red", "Received with thanks"]
    ):
        draw.text((60, 80 + 60 * row), text, fill=(20, 20, 20), font=font)
    page.save(path)


def photograph(page: np.ndarray) -> np.ndarray:
    """The page on a dark desk, seen from the side."""
    height, width = page.shape[:2]
    corners = np.float32([[190, 120], [760, 60], [840, 900], [90, 840]])
    matrix = cv2.getPerspectiveTransform(
        np.float32([[0, 0], [width, 0], [width, height], [0, height]]), corners
    )
    return cv2.warpPerspective(page, matrix, (960, 960), borderValue=(50, 60, 55))


def find_page(photo: np.ndarray) -> cb.Polygon:
    """The largest bright shape with four corners."""
    grey = cb.imcvtcolor(photo, "BGR2GRAY")
    _, bright = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    contours, _ = cv2.findContours(bright, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea)
    corners = cv2.approxPolyDP(largest, 0.02 * cv2.arcLength(largest, closed=True), closed=True).reshape(
        -1, 2
    )
    return cb.Polygon(cb.order_points_clockwise(corners.astype(np.float32)))


def main() -> None:
    """Print what was found; leave the pictures in out/."""
    OUT.mkdir(exist_ok=True)
    make_pdf(OUT / "note.pdf")
    (page,) = cb.pdf2imgs(OUT / "note.pdf")
    photo = photograph(page)
    cb.imwrite(photo, str(OUT / "photo.jpg"))
    photo = cb.imread(str(OUT / "photo.jpg"))
    polygon = find_page(photo)
    truth = cb.Polygon(np.float32([[190, 120], [760, 60], [840, 900], [90, 840]]))
    straight = cb.imwarp_quadrangle(photo, polygon, dst_size=(620, 877))
    cb.imwrite(straight, str(OUT / "straight.png"))
    print(f"page {page.shape[1]} x {page.shape[0]}, photo {photo.shape[1]} x {photo.shape[0]}")
    print(f"corners {[[round(float(v)) for v in corner] for corner in polygon.numpy()]}")
    print(f"overlap with the truth {float(cb.polygon_iou(polygon, truth)):.3f}")
    print(f"straightened {straight.shape[1]} x {straight.shape[0]}, saved at {cb.now(fmt='%Y-%m-%d')}")


if __name__ == "__main__":
    main()
