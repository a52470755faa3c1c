"""What the pages show of images and work folders, and what a form becomes."""

import json
import os
import re
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from layerwright.core.errors import UsageError
from layerwright.web import app as app_module
from layerwright.web.images import Card
from layerwright.workflow.executor_run import ExecutorRequest, Running
from support.jobs import end_job, make_job, write_training_result
from unit.web.test_guard import csrf


class Started:
    """Takes requests in place of the harness."""

    def __init__(self, folder: Path) -> None:
        self.requests: list[ExecutorRequest] = []
        self.folder = folder
        self.refusal: UsageError | None = None

    def __call__(self, session, request: ExecutorRequest) -> Running:
        if self.refusal:
            raise self.refusal
        self.requests.append(request)
        return Running(folder=self.folder, task_id="t1", thread=None)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Started:
    taken = Started(tmp_path)
    monkeypatch.setattr(app_module, "start_executor", taken)
    return taken


def send(client: TestClient, place: str, **fields: str):
    token = csrf(client.get(place).text)
    return client.post(
        place, data={"csrf": token, **{name.replace("__", "."): text for name, text in fields.items()}}
    )


def test_a_form_is_made_of_the_typed_parameters(client: TestClient) -> None:
    text = client.get("/images/hello/training").text
    assert re.search(r'inputmode="numeric" name="p.epochs" id="f-p.epochs" value="5"', text)
    assert "passes · from 1 to 100 · default 5" in re.sub(r"\s+", " ", text)
    assert '<span class="unit">(per step)</span>' in text
    assert re.search(
        r'<select name="p.mode".*?<option selected>small</option><option>large</option>', text, re.DOTALL
    )
    assert re.search(r'<select name="p.half".*?value="true" selected', text, re.DOTALL)
    assert "export_format" in text  # guessed: the image has no type for it
    assert "<code>more</code>" in text  # a list: shown, not to be typed into
    assert "per step" not in client.get("/images/hello/infer").text


def test_only_what_was_changed_is_typed_into_the_platforms_form(
    client: TestClient, site, started: Started
) -> None:
    answer = send(
        client, "/images/hello/training", p__epochs="7", p__rate=" 0.1 ", p__half="false", p__mode="large",
        data="cats", engine="native", limit="4",
    )  # fmt: skip
    assert (answer.status_code, answer.headers["location"]) == (303, "/jobs/t1")
    (request,) = started.requests
    assert request.edits == {"epochs": "7", "half": "false", "mode": "large"}
    assert (request.image, request.task, request.engine) == ("hello", "training", "native")
    assert (request.data.path, request.data.limit) == (site.data[0].path, 4)


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_lost(
    client: TestClient, started: Started
) -> None:
    answer = send(
        client, "/images/hello/training", p__epochs="0", p__rate="0,5", p__mode="huge", data="/etc", engine="rm",
        limit="-1", start="../../etc",
    )  # fmt: skip
    assert answer.status_code == 422
    assert started.requests == []
    text = answer.text
    assert "0 is below the minimum 1" in text
    assert "the decimal mark is a point" in text
    assert "is none of its choices" in text
    assert "not one of the page" in text
    assert text.count('aria-invalid="true"') == 7
    assert 'value="0,5"' in text
    assert text.index('role="alert"') < text.index('id="f-data"')


def test_what_the_platform_refuses_is_said_in_the_form(client: TestClient, started: Started) -> None:
    started.refusal = UsageError("a class is named <twice>", hint="name it once")
    answer = send(client, "/images/hello/training", p__epochs="9")
    assert answer.status_code == 422
    assert "a class is named &lt;twice&gt;" in answer.text
    assert "name it once" in answer.text
    assert 'value="9"' in answer.text


def test_mining_starts_from_a_training_that_left_a_model(client: TestClient, site, started: Started) -> None:
    assert "never runs this task without a model" in client.get("/images/hello/mining").text
    folder = make_job(site, "training")
    write_training_result(folder)
    end_job(folder)
    text = client.get("/images/hello/mining").text
    assert f'<option value="{folder.name}" selected>{folder.name}: s2, mAP 0.500</option>' in text
    send(client, "/images/hello/mining", topk="3", start=folder.name, also_infer="yes")
    (request,) = started.requests
    assert (request.model, request.topk, request.also_infer) == (folder, 3, True)


def test_a_job_that_runs(client: TestClient, site) -> None:
    folder = make_job(site, "training")
    write_training_result(folder)
    text = client.get(f"/jobs/{folder.name}").text
    assert '<progress max="1" value="0.41"' in text
    assert "<strong>1 min 23 s</strong>" in text
    assert "40 %, 2 min 30 s" in text  # what the platform would show
    assert "epoch 2 of 5" in text
    assert "s2 <span" in text  # a stage, while it runs
    assert "0.5000" in text
    assert "&lt;b&gt;second&lt;/b&gt; 线" in text
    fragment = client.get(f"/jobs/{folder.name}/live").text
    assert 'data-live="yes"' in fragment
    assert "<html" not in fragment
    log = client.get(f"/jobs/{folder.name}/log", params={"offset": "11"}).json()
    assert log["text"] == "<b>second</b> 线\n"
    assert log["whole"] is True
    assert client.get(f"/jobs/{folder.name}/log", params={"offset": str(log["offset"])}).json()["text"] == ""


def test_a_job_is_stopped(client: TestClient, site) -> None:
    folder = make_job(site, "training")
    token = csrf(client.get(f"/jobs/{folder.name}").text)
    answer = client.post(f"/jobs/{folder.name}/cancel", data={"csrf": token, "keep": "yes"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{folder.name}")
    assert (folder / "cancel").read_text() == "fetch"


def test_a_job_that_failed_says_why(client: TestClient, site) -> None:
    folder = make_job(site, "training")
    end_job(folder, exit_code=1)
    text = client.get(f"/jobs/{folder.name}").text
    assert "160004" in text
    assert "EXECUTOR OUTLOG TAIL" in text
    assert 'data-live="no"' in text
    again = client.get(f"/images/hello/training?like={folder.name}").text
    assert 'value="5"' in again
    document = client.get(f"/jobs/{folder.name}/report.json").json()
    assert document["verdict"]["code"] == 160004


def test_pictures_of_an_infer(client: TestClient, site) -> None:
    folder = make_job(site, "infer")
    dataset = json.loads((folder / "dataset.json").read_text())
    first = dataset["candidates"][1]
    boxes = [{"box": {"x": 1, "y": 1, "w": 3, "h": 4}, "class_name": "cat", "score": 0.75}]
    result = {"detection": {f"{first['asset_id']}.png": {"boxes": boxes}}}
    (folder / "out/infer-result.json").write_text(json.dumps(result))
    end_job(folder)
    text = client.get(f"/jobs/{folder.name}/pictures").text
    assert text.index(first["asset_id"]) < text.index(
        dataset["candidates"][0]["asset_id"]
    )  # most found first
    assert '<rect class="c0" x="1" y="1" width="3" height="4"><title>cat 0.75</title>' in text
    assert text.count('class="truth"') == 3
    shown = client.get(f"/jobs/{folder.name}/pictures/{first['asset_id']}")
    assert (shown.headers["content-type"], shown.content[:4]) == ("image/png", b"\x89PNG")
    masks = client.get(f"/jobs/{folder.name}/pictures/{first['asset_id']}/masks")
    assert (masks.headers["content-type"], masks.content[:4]) == ("image/png", b"\x89PNG")


def test_the_gallery_of_a_mining(client: TestClient, site) -> None:
    folder = make_job(site, "mining")
    assets = [one["asset_id"] for one in json.loads((folder / "dataset.json").read_text())["candidates"]]
    lines = [
        f"/in/assets/{asset[-2:]}/{asset}.png\t{score}"
        for asset, score in zip(assets[::-1], (9, 5, 1), strict=True)
    ]
    (folder / "out/result.tsv").write_text("\n".join(lines) + "\n")
    end_job(folder)
    text = client.get(f"/jobs/{folder.name}/gallery").text
    assert re.findall(r"/pictures/([0-9a-f]{40})", text) == assets[::-1]
    assert text.count('class="chosen"') == 2  # topk
    assert "score 9" in text


@pytest.mark.parametrize(
    "place",
    [
        "/jobs/%2e%2e", "/jobs/%2e", "/jobs/%2e%2e%2fdata/log.txt", "/jobs/%2e%2e/log.txt", "/jobs/nothing",
        "/images/other", "/images/hello/else", "/static/page.py", "/static/..%2fapp.py", "/static/%2e%2e/app.py",
        "/jobs/JOB/pictures/..%2f..%2fjob.json", "/jobs/JOB/pictures/" + "0" * 40, "/jobs/JOB/in/config.yaml",
        "/jobs/JOB/report.json",  # it has not ended
    ],
)  # fmt: skip
def test_nothing_else_can_be_read(client: TestClient, site, place: str) -> None:
    folder = make_job(site, "infer")
    assert client.get(place.replace("JOB", folder.name)).status_code == 404


def test_the_same_form_again_is_the_same(client: TestClient, site) -> None:
    folder = make_job(site, "mining", also_infer=True, limit=2)
    text = client.get(f"/images/hello/mining?like={folder.name}").text
    assert re.search(r'name="limit" id="f-limit" value="2"', text)
    assert re.search(r'name="topk" id="f-topk" value="2"', text)
    assert re.search(r'name="also_infer" id="f-also" value="yes" checked', text)
    assert re.search(r'<option value="">', text)  # it started from no model


def test_a_form_like_that_of_no_job(client: TestClient) -> None:
    answer = client.get("/images/hello/training?like=../data")
    assert (answer.status_code, 'value="5"' in answer.text) == (200, True)


def test_links_that_an_executor_left_lead_nowhere(client: TestClient, site, tmp_path: Path) -> None:
    folder = make_job(site, "infer")
    secret = tmp_path / "secret"
    secret.write_text("very secret")
    log = folder / "out/ymir-executor-out.log"
    log.unlink()
    log.symlink_to(secret)
    asset = json.loads((folder / "dataset.json").read_text())["candidates"][0]["asset_id"]
    picture = folder / "assets" / asset[-2:] / f"{asset}.png"
    picture.unlink()
    picture.symlink_to(secret)
    assert client.get(f"/jobs/{folder.name}/log?offset=0").json()["text"] == ""
    assert "very secret" not in client.get(f"/jobs/{folder.name}").text
    for place in ("log.txt", f"pictures/{asset}"):
        answer = client.get(f"/jobs/{folder.name}/{place}")
        assert answer.status_code == 404, place
        assert "very secret" not in answer.text


def test_a_result_that_is_a_link_shows_nothing(client: TestClient, site, tmp_path: Path) -> None:
    folder = make_job(site, "mining")
    asset = json.loads((folder / "dataset.json").read_text())["candidates"][0]["asset_id"]
    (tmp_path / "elsewhere").write_text(f"/in/{asset}.png\t0.5\n")
    (folder / "out/result.tsv").symlink_to(tmp_path / "elsewhere")
    end_job(folder)
    answer = client.get(f"/jobs/{folder.name}/gallery")
    assert (answer.status_code, asset in answer.text) == (200, False)


def test_a_job_without_a_log_has_a_page(client: TestClient, site) -> None:
    folder = make_job(site, "training")
    (folder / "out/ymir-executor-out.log").unlink()
    answer = client.get(f"/jobs/{folder.name}")
    assert (answer.status_code, "Remaining" in answer.text) == (200, True)
    assert client.get(f"/jobs/{folder.name}/log").json() == {"text": "", "offset": 0, "whole": True}


def test_a_command_line_can_be_pasted(client: TestClient, site) -> None:
    folder = make_job(site, "training")
    job = json.loads((folder / "job.json").read_text())
    job["argv"] = ["docker", "run", "-v/图 像/in:/in:ro", "hello:1"]
    (folder / "job.json").write_text(json.dumps(job))
    assert "docker run &#39;-v/图 像/in:/in:ro&#39; hello:1" in client.get(f"/jobs/{folder.name}").text


def test_a_damaged_work_folder(client: TestClient, site) -> None:
    folder = make_job(site, "infer")
    (folder / "job.json").write_text("{")
    answer = client.get(f"/jobs/{folder.name}")
    assert answer.status_code == 400
    assert "job.json" in answer.text
    assert client.get("/").status_code == 200


def test_another_language_of_the_same_page(client: TestClient, site) -> None:
    folder = make_job(site, "mining")
    text = client.get(f"/jobs/{folder.name}/gallery?page=1&lang=zh").text
    assert '<input type="hidden" name="page" value="1">' in text
    assert 'type="hidden" name="lang"' not in text


def test_the_languages(client: TestClient, site) -> None:
    make_job(site, "training")
    assert "还没有" not in client.get("/").text
    chinese = client.get("/", headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"}).text
    assert '<html lang="zh">' in chinese
    assert "任务" in chinese
    client.get("/?lang=zh")
    assert '<html lang="zh">' in client.get("/", headers={"Accept-Language": "en"}).text
    assert '<html lang="en">' in client.get("/?lang=xx", headers={"Accept-Language": "fr"}).text


def test_an_image_that_cannot_be_read(client: TestClient, app, monkeypatch: pytest.MonkeyPatch) -> None:
    from layerwright.web.images import Cards

    broken = Card(name="hello", engine="docker", fault=("it prints a <banner>", "be silent"))
    monkeypatch.setattr(Cards, "_ask", lambda *_: broken)
    text = client.get("/images/hello").text
    assert "it prints a &lt;banner&gt;" in text
    assert "be silent" in text
    assert client.get("/images/hello/training").status_code == 404


def test_words_of_both_languages_are_there() -> None:
    """Every key that a template or a module uses."""
    from layerwright.web.language import _WORDS, translator

    folder = Path(app_module.__file__).parent
    used = set()
    for file in (*folder.glob("templates/*.html"), *folder.glob("*.py")):
        used |= set(re.findall(r"""\bt\("([^"]+)"\)""", file.read_text(encoding="utf-8")))
    dynamic = {"start ", "step "}
    assert used - dynamic <= set(_WORDS)
    assert all(len(pair) == 2 and all(pair) for pair in _WORDS.values())
    assert translator("zh")("jobs") == "任务"
    assert os.sep not in "".join(_WORDS)
