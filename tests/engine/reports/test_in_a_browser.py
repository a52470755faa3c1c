"""The page as people use it: opened from a file, filtered, zoomed, printed, read on a phone."""

import pytest

from layerwright.reports.html import Details, html_page
from support.report_samples import CUDNN, FINDINGS, TREE, graph


def report(**options):
    details = Details(facts=(("platform", "linux/amd64"),), tree=TREE, graph=graph(**options))
    return html_page(FINDINGS, title="layerwright verify receipts:1", details=details)


@pytest.fixture
def page(open_page):
    return open_page(report()).page


def test_it_says_what_was_found(page):
    assert page.title() == "layerwright verify receipts:1"
    assert page.locator(".finding").count() == len(FINDINGS)
    first = page.locator(".finding").first
    assert CUDNN.message in first.inner_text()
    assert page.locator(".finding.error mark").first.inner_text() == '"onnxruntime-gpu==1.20.0"'


def test_levels_words_and_images_filter(page):
    shown = page.locator("#shown")
    assert shown.inner_text() == "5 of 5 shown"
    page.get_by_label("errors").uncheck()
    assert shown.inner_text() == "3 of 5 shown"
    assert not page.get_by_text(CUDNN.message).is_visible()
    page.get_by_label("errors").check()
    page.locator("#search").fill("CUDNN 9")
    assert shown.inner_text() == "1 of 5 shown"
    page.locator("#search").fill("")
    page.locator("#image").select_option("dev")
    assert shown.inner_text() == "2 of 5 shown"


def test_tiles_have_the_area_their_sizes_have(page):
    boxes = [box.bounding_box() for box in page.locator("#map > .tile").all()]
    areas = [box["width"] * box["height"] for box in boxes]
    map_box = page.locator("#map").bounding_box()
    assert sum(areas) == pytest.approx(map_box["width"] * map_box["height"], rel=0.01)
    sizes = sorted((child.bytes for child in TREE.children), reverse=True)
    for area, size in zip(areas, sizes, strict=True):
        assert area / sum(areas) == pytest.approx(size / TREE.bytes, rel=0.02)
    # Squarified: what is large is no sliver.
    assert all(max(box["width"] / box["height"], box["height"] / box["width"]) < 4 for box in boxes[:3])


def test_the_treemap_opens_by_mouse_and_by_keyboard(page):
    trail = page.locator("#trail")
    page.get_by_role("button", name="nvidia-cudnn-cu12").first.click()
    assert "nvidia-cudnn-cu12" in trail.inner_text()
    assert "libcudnn_adv" not in trail.inner_text()
    page.keyboard.press("Enter")  # the first tile has the focus
    assert "lib" in trail.locator("[aria-current]").inner_text()
    assert page.locator("#map > .tile").count() == 4
    assert "libcudnn_engines_precompiled.so.9" in page.locator("#sizes").inner_text()
    page.keyboard.press("Escape")
    page.keyboard.press("Backspace")
    assert trail.locator("[aria-current]").inner_text().startswith("receipts-infer:1.2.0")
    assert page.evaluate("document.activeElement.dataset.name") == "nvidia-cudnn-cu12 9.10.2.21"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.dataset.name") == "onnxruntime-gpu 1.26.0"


def test_the_graph_marks_what_is_missing_and_filters_the_table(page):
    missing = page.locator("#graph .box.missing")
    assert {box.text_content() for box in missing.all()} >= {"libGL.so.1: missingmissing: libGL.so.1"}
    rows = page.locator("#needs tbody tr:visible")
    everything = rows.count()
    assert "nobody" in rows.first.inner_text()
    page.locator('#graph .box[data-owner="opencv-python 4.12.0.88"]').click()
    assert 0 < rows.count() < everything
    assert all("opencv-python" in row.inner_text() for row in rows.all())
    assert page.locator("#graph .box.near").count() == 5
    page.get_by_role("button", name="Show all").click()
    assert rows.count() == everything
    page.locator("#needle").fill("libgl")
    assert rows.count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window_and_text_can_be_read(open_page, width, scheme, tmp_path):
    page = open_page(report(), width=width, scheme=scheme).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=str(tmp_path / f"{width}-{scheme}.png"), full_page=True)
    assert page.evaluate(_CONTRAST) == []


def test_without_scripts_everything_is_there(open_page):
    page = open_page(report(), scripts=False).page
    assert page.locator(".finding").count() == len(FINDINGS)
    assert page.locator("#sizes tbody tr").count() == len(TREE.children)
    assert page.locator("#needs tbody tr").count() > 20
    assert not page.locator("#filters").is_visible()


def test_printing_opens_everything(page):
    assert page.locator("details:not([open])").count() == 1
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert page.locator("details:not([open])").count() == 0
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert page.locator("details:not([open])").count() == 1
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.pdf(format="A4")[:5] == b"%PDF-"


def test_a_good_image_has_a_quiet_page(open_page):
    page = open_page(html_page((), title="fine", details=Details(graph=graph(missing=False)))).page
    assert page.get_by_text("Nothing was found.").is_visible()
    assert page.get_by_text("none missing").is_visible()


# Text and what is behind it, by WCAG 2.1's formula; elements whose ratio is below 4.5.
_CONTRAST = """
() => {
  const parse = (text) => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((one) => {
    const share = one / 255;
    return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }).reduce((sum, one, at) => sum + one * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      const parts = parse(colour);
      if (parts[3] > 200) return parts;
    }
    return [255, 255, 255];
  };
  const weak = [];
  for (const element of document.querySelectorAll("main *, header *, nav *, footer *")) {
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own || element.closest("svg") || !element.checkVisibility()) continue;
    const one = light(parse(getComputedStyle(element).color));
    const other = light(behind(element));
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    if (ratio < 4.5) weak.push(`${element.tagName}.${element.className}: ${ratio.toFixed(2)}`);
  }
  return [...new Set(weak)];
}
"""
