"""The page in a real browser, from the form to the result, with an executor that runs natively."""

import json
import os
import signal
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from layerwright.host.environment import HostEnvironment
from layerwright.web.board import Board
from support.command import Command, finish

pytestmark = pytest.mark.engine


def train(page, **values: str) -> str:
    """Fill the form of a training and send it; the job's id."""
    page.get_by_role("link", name="busy").first.click()
    page.get_by_role("link", name="Train").click()
    for name, value in values.items():
        page.get_by_label(name).fill(value)
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url("**/jobs/*")
    return page.url.rpartition("/")[2]


def done(page) -> None:
    page.locator("#verdict").wait_for(timeout=60_000)


def test_from_the_form_to_the_result(visit, project: Command) -> None:
    page = visit()
    job = train(page, epochs="5")
    # it runs: a bar, what is left, a stage, and the log, without a reload
    page.locator("progress").wait_for()
    page.locator("tbody th", has_text="epoch_2").wait_for()
    assert page.locator("#verdict").count() == 0
    page.locator("#log", has_text="epoch 3").wait_for()
    page.get_by_text("Remaining").wait_for()
    done(page)
    assert page.get_by_text("The platform takes the result.").is_visible()
    assert page.locator("tbody th", has_text="epoch_5").get_by_text("best").is_visible()
    assert "0.8330" in page.locator("#live").inner_text()
    assert page.locator("#log").inner_text().splitlines()[-1] == "epoch 5"
    report = json.loads((project.folder / "executor-runs" / job / "report.json").read_text())
    assert report["verdict"]["success"]
    assert report["configuration"]["epochs"] == 5
    assert report["training"]["best"] == "epoch_5"

    # its model is what the others start from
    page.goto(page.url.partition("/jobs")[0] + "/images/busy/infer")
    assert page.get_by_label("Model to start from").input_value() == job
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url("**/jobs/*")
    done(page)
    page.get_by_role("link", name="Pictures with what was found").click()
    page.wait_for_url("**/pictures")
    assert page.locator(".gallery li").count() == 6
    drawn = page.locator(".gallery svg.over rect.c0").first.bounding_box()
    shown = page.locator(".gallery img").first.bounding_box()
    scale = shown["width"] / 48
    assert drawn["x"] - shown["x"] == pytest.approx(2 * scale, abs=2.5)
    assert drawn["width"] == pytest.approx(20 * scale, abs=4)
    assert not page.locator(".truth").first.is_visible()
    page.get_by_label("Show the data set's labels").check()
    assert page.locator(".truth").first.is_visible()

    page.goto(page.url.partition("/jobs")[0] + "/images/busy/mining")
    page.get_by_label("How many pictures are selected").fill("2")
    page.get_by_role("button", name="Start", exact=True).click()
    page.wait_for_url("**/jobs/*")
    done(page)
    page.get_by_role("link", name="Pictures in the order").click()
    page.wait_for_url("**/gallery")
    assert page.locator(".gallery li.chosen").count() == 2
    assert page.locator(".gallery figcaption").first.inner_text().startswith("1 · score 1")


def test_a_wrong_form_comes_back_with_what_was_typed(visit) -> None:
    page = visit("images/busy/training")
    page.get_by_label("epochs").fill("0")
    page.get_by_label("pause").fill("0,5")
    page.get_by_role("button", name="Start", exact=True).click()
    alert = page.get_by_role("alert")
    assert "epochs: 0 is below the minimum 1" in alert.inner_text()
    assert page.get_by_label("pause").input_value() == "0,5"
    alert.get_by_role("link", name="pause").click()
    assert page.evaluate("document.activeElement.name") == "p.pause"
    assert "the decimal mark is a point" in page.locator("#error-p\\.pause").inner_text()
    assert page.get_by_label("epochs").evaluate("one => getComputedStyle(one).borderTopWidth") == "2px"


def test_a_job_is_stopped_with_its_result(visit, project: Command) -> None:
    page = visit()
    job = train(page, epochs="500")
    page.locator("tbody th", has_text="epoch_1").first.wait_for()
    page.get_by_role("button", name="Stop and keep the result").click()
    done(page)
    assert page.locator(".state.cancelled").first.is_visible()
    report = json.loads((project.folder / "executor-runs" / job / "report.json").read_text())
    assert report["ending"] == "cancelled"
    assert report["training"]["package"]["size"] > 0
    page.get_by_role("link", name="Same form again").click()
    assert page.get_by_label("epochs").input_value() == "500"


def test_with_the_keyboard_alone(visit) -> None:
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "busy"
    page.keyboard.press("Enter")
    page.wait_for_url("**/images/busy")
    page.locator("#content").focus()
    for _ in range(2):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Train"
    page.keyboard.press("Enter")
    page.wait_for_url("**/training")
    page.get_by_label("epochs").focus()
    page.keyboard.press("Control+a")
    page.keyboard.type("1")
    page.keyboard.press("Enter")  # sends the form
    page.wait_for_url("**/jobs/*")
    done(page)


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_runs_over_the_edge(visit, width: int) -> None:
    page = visit(viewport={"width": width, "height": 740})
    train(page, epochs="3", pause="0.7")
    # while it runs, the details of its steps are longest
    page.locator(".steps", has_text="best: epoch_2").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    done(page)
    job = page.url
    for place in (job, job.partition("/jobs")[0] + "/", job.partition("/jobs")[0] + "/images/busy/training"):
        page.goto(place)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, place
    small = page.evaluate(
        "[...document.querySelectorAll('button, .button, input, select')].filter(one => one.type !== 'checkbox' "
        "&& one.type !== 'hidden' && one.offsetHeight < 30).map(one => one.outerHTML)"
    )
    assert small == []


def test_tensorboard_is_started_and_linked(project: Command, tmp_path: Path, chromium) -> None:
    board = tmp_path / "bin" / "tensorboard"
    board.parent.mkdir()
    board.write_text(
        f"#!{sys.executable}\nimport http.server, sys\n"
        "port = int(sys.argv[sys.argv.index('--port') + 1])\n"
        "print(sys.argv[1:], flush=True)\n"
        "http.server.HTTPServer(('127.0.0.1', port), http.server.SimpleHTTPRequestHandler).serve_forever()\n"
    )
    board.chmod(0o755)
    command = project.with_variables(PATH=f"{board.parent}:{os.environ['PATH']}")
    process = command.start("executor", "serve", "--port", "0", "--engine", "native", "--poll", "0.2")
    page = chromium.new_page()
    try:
        page.goto(process.stdout.readline().decode().strip())
        train(page, epochs="1", pause="0")
        done(page)
        page.get_by_text("No event files yet.").wait_for()
        job = next((project.folder / "executor-runs").glob(page.url.rpartition("/")[2]))
        (job / "tensorboard" / "events.out.tfevents.1.x").write_bytes(b"x")
        page.reload()
        page.get_by_role("button", name="Start TensorBoard").click()
        link = page.get_by_role("link", name="Open TensorBoard")
        address = link.get_attribute("href")
        assert link.get_attribute("rel") == "noopener noreferrer"
        assert urllib.request.urlopen(address, timeout=20).status == 200
    finally:
        page.close()
        process.send_signal(signal.SIGINT)
        finish(process, timeout=30)
    with pytest.raises(urllib.error.URLError):  # it ends with the page
        urllib.request.urlopen(address, timeout=5)


def test_a_tensorboard_that_does_not_start_says_why(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "tensorboard"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho no module named numpy >&2\nexit 3\n")
    program.chmod(0o755)
    board = Board(tmp_path, HostEnvironment.gather({"PATH": str(program.parent), "HOME": str(tmp_path)}))
    board.start()
    assert (board.fault, board.address) == ("TensorBoard ended with 3: no module named numpy", "")


def test_a_job_that_is_watched(visit) -> None:
    """What has the focus keeps it while the page changes; only what is being done is announced."""
    page = visit()
    train(page, epochs="8", pause="0.7")
    page.locator("tbody th", has_text="epoch_2").wait_for()
    page.evaluate("window.kept = document.querySelectorAll('#live .scroll')[1]; kept.focus()")
    page.locator("tbody th", has_text="epoch_4").wait_for()
    assert page.evaluate("document.activeElement === kept")
    assert page.evaluate("document.querySelector('#live [role=status]').textContent.includes('%')") is False
    assert not page.locator("#lost").is_visible()
    done(page)


def test_a_page_whose_program_is_gone_says_so(chromium, address: str) -> None:
    page = chromium.new_page()
    try:
        page.goto(address)
        job = train(page, epochs="30", pause="0.5")
        page.route("**/live", lambda route: route.abort())
        page.get_by_text("does not answer").wait_for(timeout=20_000)
        page.unroute("**/live")
        page.locator("#lost").wait_for(state="hidden", timeout=20_000)
        page.get_by_role("button", name="Stop", exact=True).click()
        done(page)
        assert job in page.url
    finally:
        page.close()


def test_without_scripts_and_in_chinese(visit) -> None:
    page = visit(java_script_enabled=False, locale="zh-CN")
    assert page.locator("html").get_attribute("lang") == "zh"
    page.get_by_role("link", name="busy").first.click()
    page.get_by_role("link", name="训练").click()
    page.get_by_label("epochs").fill("1")
    page.get_by_role("button", name="开始").click()
    page.wait_for_url("**/jobs/*")
    for _ in range(40):
        if page.locator("#verdict").count():
            break
        page.wait_for_timeout(500)
        page.reload()
    assert page.get_by_text("平台接受该结果。").is_visible()


def test_on_another_address_a_token_is_needed(project: Command) -> None:
    process = project.start("executor", "serve", "--port", "0", "--host", "0.0.0.0", "--engine", "native")
    try:
        address = process.stdout.readline().decode().strip()
        bare, _, token = address.partition("?token=")
        assert len(token) >= 32
        assert socket.gethostname() in bare  # nobody can open 0.0.0.0 from elsewhere
        bare = bare.replace(socket.gethostname(), "127.0.0.1")
        with pytest.raises(urllib.error.HTTPError, match="401"):
            urllib.request.urlopen(bare, timeout=20)
        asked = urllib.request.Request(bare, headers={"Authorization": f"Bearer {token}"})
        assert b"busy" in urllib.request.urlopen(asked, timeout=20).read()
    finally:
        process.terminate()
        finish(process, timeout=30)


def test_what_cannot_be_served(project: Command, tmp_path: Path) -> None:
    said = project("executor", "serve", "--data", "nothing", status=2).err
    assert "there is no" in said
    assert "--data takes a folder of pictures" in said
    said = project("executor", "serve", "--host", "192.0.2.1", status=2).err
    assert "cannot listen at 192.0.2.1" in said
    assert "--host takes an address or a name of this machine" in said
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = project("executor", "serve", "--port", str(taken.getsockname()[1]), status=2).err
    assert "--port 0 takes one that is free" in said
    said = project("executor", "serve", "--port", "70000", status=2).err
    assert "70000 is no port" in said
    short = tmp_path / "token"
    short.write_text("short\n")
    assert "at least 16" in project("executor", "serve", "--token-file", short, status=2).err
