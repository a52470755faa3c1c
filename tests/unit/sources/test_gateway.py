"""uv's door to indexes with an account: pages and files as they are, links pointed here, nothing for strangers."""

import json
import urllib.error
import urllib.request

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from layerwright.core.errors import NetworkError
from layerwright.host.http import HttpClient
from layerwright.sources.gateway import Gateway, open_gateway
from layerwright.sources.indexes import Site
from support.index import JSON_TYPE
from support.packages import make_wheel

KEY = b"k" * 32


@pytest.fixture
def site(index):
    index.credentials = "me:p@s:s"
    index.add(make_wheel("alpha"))
    (wheel,) = index.files
    index.metadata[wheel] = b"Metadata-Version: 2.1\nName: alpha\nVersion: 1.0\n"
    index.yanked[wheel] = 'broken "badly" & more'
    index.requires_python[wheel] = ">=3.8,<4"
    return Site(name="internal", url=index.simple, credentials=("me", "p@s:s"))


def fetch(url, **headers):
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=10) as answer:
        return answer.read(), answer.headers, answer.status


@pytest.fixture
def gateway(site, http):
    with open_gateway([site], http, key=KEY) as opened:
        yield opened


def test_pages_and_files_come_through(gateway, index):
    (wheel,) = index.files
    (site,) = gateway.sites
    assert site.credentials is None
    assert site.url.startswith("http://127.0.0.1:")
    data, headers, _ = fetch(f"{site.url}/alpha/", Accept=JSON_TYPE)
    (row,) = json.loads(data)["files"]
    assert headers["Content-Type"] == JSON_TYPE
    assert row["requires-python"] == ">=3.8,<4"
    assert row["core-metadata"]
    assert row["url"].startswith(gateway.root)
    assert row["url"].endswith(f"/{wheel}")
    assert gateway.restored(f"took {row['url']}, ok") == f"took {index.address(wheel)}, ok"
    assert gateway.restored(f"asked {site.url}/alpha/") == f"asked {index.simple}/alpha/"
    body, headers, status = fetch(row["url"])
    assert (body, status) == (index.files[wheel], 200)
    piece, headers, status = fetch(row["url"], Range="bytes=3-9")
    assert (piece, status) == (index.files[wheel][3:10], 206)
    assert headers["Content-Range"] == f"bytes 3-9/{len(index.files[wheel])}"
    assert fetch(f"{row['url']}.metadata")[0] == index.metadata[wheel]


def test_pages_of_html_keep_what_they_say_of_files(gateway, index):
    index.json = False
    (wheel,) = index.files
    (site,) = gateway.sites
    text = fetch(f"{site.url}/alpha/", Accept="text/html")[0].decode()
    assert f'href="{gateway.root}/file/0/' in text
    assert f"{wheel}#sha256={index.sha256(wheel)}" in text
    assert 'data-yanked="broken &quot;badly&quot; &amp; more"' in text
    assert 'data-requires-python="&gt;=3.8,&lt;4"' in text
    assert "data-core-metadata" in text


def status_of(url):
    try:
        return fetch(url)[2]
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_strangers_and_other_addresses_are_refused(gateway, index):
    origin = gateway.root.rpartition("/")[0]
    (site,) = gateway.sites
    assert status_of(f"{origin}/guess/simple/0/alpha/") == 404
    assert status_of(f"{origin}/") == 404
    assert status_of(f"{gateway.root}/simple/7/alpha/") == 424
    assert status_of(f"{gateway.root}/file/0/!!/x") == 424
    elsewhere = "aHR0cHM6Ly9vdGhlci5vcmcveC53aGw="  # https://other.org/x.whl
    assert status_of(f"{gateway.root}/file/0/{elsewhere}/x.whl") == 424
    assert status_of(f"{site.url}/unknown/") == 404
    assert index.requests == [("GET", "/simple/unknown/", "")]


def test_a_refusal_is_handed_on_and_told_by_the_indexs_own_address(site, http, index):
    index.credentials = "me:changed"
    with open_gateway([site], http, key=KEY) as gateway:
        assert status_of(f"{gateway.sites[0].url}/alpha/") == 401
        assert gateway.troubles == [f"{index.simple}/alpha/ answers with status 401"]


def test_links_that_are_no_addresses_are_left_out(gateway):
    page = gateway._html(0, gateway._real[0], b'<a href="//[">a</a><a href="b-1.whl">b</a>', "https://x/")
    assert page.count(b"<a ") == 1


def test_links_to_other_servers_stay(gateway):
    page = gateway._html(
        0, gateway._real[0], b'<a href="https://cdn.example.org/a-1.whl#sha256=0">a</a>', "https://x"
    )
    assert b'href="https://cdn.example.org/a-1.whl#sha256=0"' in page


def test_addresses_stay_as_long_as_the_key_does(site, http):
    def root(key):
        with open_gateway([site], http, key=key) as gateway:
            return gateway.root

    assert root(KEY) == root(KEY)
    assert root(KEY) != root(b"x" * 32)
    with open_gateway([site], http, key=KEY) as first, open_gateway([site], http, key=KEY) as second:
        assert first.root != second.root  # two at once: the port is taken


def test_indexes_that_anybody_may_ask_need_no_door(http):
    site = Site(name="pypi", url="https://pypi.org/simple", default=True)
    with open_gateway([site], http, key=KEY) as gateway:
        assert gateway.root == ""
        assert gateway.sites == (site,)
        assert gateway.restored("https://pypi.org/simple") == "https://pypi.org/simple"


def test_a_server_that_is_not_there_is_told_once_the_client_gave_up():
    client = HttpClient(variables={}, attempts=1, sleep=lambda _: None)
    site = Site(name="internal", url="https://127.0.0.1:9/simple", credentials=("me", "pw"))
    with open_gateway([site], client, key=KEY) as gateway:
        assert status_of(f"{gateway.sites[0].url}/alpha/") == 424
        assert "cannot be reached" in gateway.troubles[0]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.binary(max_size=200) | st.text(alphabet="<a href=\"'>/#:x&;base", max_size=120).map(str.encode)
)
def test_any_page_is_handed_on_or_refused(http, data):
    site = Site(name="internal", url="https://h/simple", credentials=("me", "pw"))
    gateway = Gateway("http://127.0.0.1:1/word", [site], http)
    try:
        page = gateway._html(0, site, data, "https://h/simple/a/")
    except NetworkError:
        page = b""
    assert b"pw" not in page or b"pw" in data
    with pytest.raises(NetworkError, match="no index page"):
        gateway._json(0, site, data, "https://h/simple/a/")


def test_a_page_without_end_is_refused(http):
    gateway = Gateway(
        "http://127.0.0.1:1/word", [site := Site(name="i", url="https://h/s", credentials=("a", "b"))], http
    )
    with pytest.raises(NetworkError, match="no index page"):
        gateway._json(0, site, b"[" * 100_000, "https://h/s")
