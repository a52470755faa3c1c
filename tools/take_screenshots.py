"""Take the pictures of docs/how-to/executor-page.md: a project's page, driven in a browser.

    python tools/take_screenshots.py FOLDER IMAGE [--engine native] [--epochs 12]

FOLDER holds a project with an executor and pictures below ``data``. Needs Chromium, Playwright, and a font with
Chinese characters (Debian: fonts-wqy-microhei).
"""

import argparse
import shutil
import signal
import subprocess  # noqa: TID251 - tools stand outside of the package
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "images"
_SHOWN_AT = 0.4
"""Progress at which the picture of a training that runs is taken."""


def main() -> None:
    """Serve, drive, and write the pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("image")
    parser.add_argument("--engine", default="native")
    parser.add_argument("--epochs", default="12")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - beside its use

    program = Path(sys.executable).parent / "layerwright"
    serving = subprocess.Popen(  # noqa: S603 - our own program
        [program, "executor", "serve", "--port", "0", "--engine", options.engine, "--poll", "1"],
        cwd=options.folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = (serving.stdout.readline() if serving.stdout else "").strip()
        chromium = shutil.which("chromium") or shutil.which("google-chrome")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            _drive(browser, address, options)
            browser.close()
    finally:
        serving.send_signal(signal.SIGINT)
        serving.wait(30)


def _drive(browser: Any, address: str, options: argparse.Namespace) -> None:  # noqa: ANN401 - Playwright's
    page = browser.new_context(viewport={"width": 1000, "height": 800}).new_page()
    page.set_default_timeout(600_000)
    form = f"{address}images/{options.image}"
    page.goto(f"{form}/training")
    page.get_by_label("epochs").first.fill(options.epochs)
    _take(page, "page-form.png")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url("**/jobs/*")
    bar = page.locator("progress")
    while float(bar.get_attribute("value") or 0) < _SHOWN_AT:
        page.wait_for_timeout(500)
    _take(page, "page-running.png")
    page.locator("#verdict").wait_for()
    training = page.url
    for task, link, name in (
        ("infer", "Pictures with what was found", "page-pictures.png"),
        ("mining", "Pictures in the order", "page-gallery.png"),
    ):
        page.goto(f"{form}/{task}")
        data = page.locator("#f-data")
        data.select_option(index=data.locator("option").count() - 1)
        page.get_by_role("button", name="Start", exact=True).click()
        page.wait_for_url("**/jobs/*")
        page.locator("#verdict").wait_for()
        page.get_by_role("link", name=link).click()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=TARGET / name)
    phone = browser.new_context(
        viewport={"width": 390, "height": 844}, device_scale_factor=1.5, locale="zh-CN", color_scheme="dark"
    ).new_page()
    phone.goto(training)
    phone.screenshot(path=TARGET / "page-phone.png")


def _take(page: Any, name: str) -> None:  # noqa: ANN401 - Playwright's
    page.screenshot(path=TARGET / name, full_page=True)


if __name__ == "__main__":
    main()
