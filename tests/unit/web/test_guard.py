"""Who may ask, and what a request must bring."""

import re

import pytest
from starlette.testclient import TestClient

from layerwright.web.app import make_app
from layerwright.web.board import Board
from layerwright.web.crew import Crew

TOKEN = "a-token-of-more-than-16"


def csrf(text: str) -> str:
    return re.search(r'name="csrf" value="([0-9a-f]{64})"', text)[1]


def test_names_that_point_here_from_elsewhere_are_refused(client: TestClient) -> None:
    answer = client.get("/", headers={"Host": "evil.example"})
    assert answer.status_code == 421
    assert "evil.example" in answer.text
    for name in ("localhost:1", "LocalHost", "127.0.0.1", "127.0.0.2:8620", "[::1]:8620"):
        assert client.get("/", headers={"Host": name}).status_code == 200


@pytest.mark.parametrize(
    "name",
    ["", "my_host.evil.example", "a!b.evil.example", "127.0.0.1.evil.example", "a b", "[::1", "127.0.0.1:"],
)
def test_names_that_no_framework_understands_are_no_names_of_ours(client: TestClient, name: str) -> None:
    assert client.get("/", headers={"Host": name}).status_code == 421


def test_what_another_page_asks_for_is_refused_and_its_links_are_not(client: TestClient) -> None:
    def ask(mode: str, destination: str, site: str = "cross-site") -> int:
        headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, "Sec-Fetch-Dest": destination}
        return client.get("/images/hello", headers=headers).status_code

    assert ask("no-cors", "image") == 403
    assert ask("cors", "empty") == 403
    assert ask("navigate", "iframe") == 403
    assert ask("navigate", "document") == 200
    assert ask("no-cors", "image", "same-origin") == 200


@pytest.mark.parametrize(
    ("headers", "body", "why"),
    [
        ({}, {}, "expired"),
        ({}, {"csrf": "0" * 64}, "expired"),
        ({"Origin": "http://evil.example"}, None, "another page"),
        ({"Origin": "null"}, {}, "expired"),
        ({"Sec-Fetch-Site": "cross-site"}, None, "another page"),
        ({"Sec-Fetch-Site": "same-site"}, None, "another page"),
    ],
)
def test_a_form_of_another_page_changes_nothing(client: TestClient, site, headers, body, why) -> None:
    good = {"csrf": csrf(client.get("/images/hello/training").text), "p.epochs": "7"}
    answer = client.post("/images/hello/training", data=good if body is None else body, headers=headers)
    assert answer.status_code == 403
    assert why in answer.text
    assert not site.runs.exists()


def test_the_token_of_a_form_is_the_browsers_own(app, client: TestClient) -> None:
    other = TestClient(app, base_url="http://127.0.0.1:8620", follow_redirects=False)
    stolen = csrf(other.get("/images/hello").text)
    client.get("/")
    assert client.post("/images/hello", data={"csrf": stolen}).status_code == 403
    own = csrf(client.get("/images/hello").text)
    assert client.post("/images/hello", data={"csrf": own}).status_code == 303


def test_a_form_that_is_too_long(client: TestClient) -> None:
    client.get("/")
    answer = client.post("/images/hello", content=b"a" * (1 << 20) + b"b")
    assert (answer.status_code, answer.text) == (403, "the form is too long")
    many = client.post("/images/hello", data={f"a{number}": "1" for number in range(2001)})
    assert (many.status_code, many.text) == (403, "the form has more than 2000 fields")
    no_length = client.post("/images/hello", content=iter([b"csrf=x"]))
    assert no_length.status_code == 403


def test_other_methods(client: TestClient) -> None:
    assert client.delete("/jobs/x").status_code == 405
    assert client.post("/jobs/x", data={"csrf": "x"}).status_code == 403


def test_a_token_where_one_is_asked_for(site) -> None:
    app = make_app(site, token=TOKEN, board=Board(site.runs, site.session.host), crew=Crew())
    client = TestClient(app, base_url="http://gpu-box.example:8620", follow_redirects=False)
    assert client.get("/").status_code == 401
    assert client.get("/?token=wrong").status_code == 401
    assert client.get("/static/page.css").status_code == 401
    entered = client.get("/", params={"token": TOKEN})
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    cookie = entered.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert client.get("/").status_code == 200
    program = TestClient(app, base_url="http://gpu-box.example:8620")
    assert program.get("/", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert program.get("/", headers={"Authorization": "Bearer "}).status_code == 401


def test_what_a_browser_is_told(client: TestClient) -> None:
    headers = client.get("/").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_a_program_with_the_token_needs_no_form(site, app) -> None:
    """``app`` keeps the image from being read."""
    guarded = make_app(site, token=TOKEN, board=Board(site.runs, site.session.host), crew=Crew())
    client = TestClient(guarded, base_url="http://gpu-box:8620", follow_redirects=False)
    for words, status in (
        (f"Bearer {TOKEN}", 303),
        (f"bearer {TOKEN}", 303),
        (TOKEN, 401),
        ("Bearer x", 401),
    ):
        assert (
            client.post("/images/hello", headers={"Authorization": words}, data={}).status_code == status
        ), words
    entered = TestClient(guarded, base_url="http://gpu-box:8620")
    entered.get(f"/?token={TOKEN}")
    assert entered.post("/images/hello", data={}).status_code == 403
