"""What index pages say of files: metadata beside wheels (PEP 658, PEP 714)."""

import json

import pytest

from layerwright.sources.indexes import IndexReader, Site
from support.index import JSON_TYPE

DIGEST = "ab" * 32


@pytest.fixture
def site(index):
    return Site(name="main", url=index.simple)


@pytest.mark.parametrize("json_page", [True, False])
@pytest.mark.parametrize("hashes", [True, False])
def test_metadata_beside_a_wheel_is_noted(index, site, http, json_page, hashes):
    index.json, index.metadata_hashes = json_page, hashes
    index.add(("a-1-py3-none-any.whl", b"x"), ("a-2-py3-none-any.whl", b"y"))
    index.metadata["a-1-py3-none-any.whl"] = b"Name: a"
    first, second = IndexReader(http).files(site, "a")
    assert first.metadata
    assert first.metadata_sha256 == (index.metadata_sha256(first.file) if hashes else "")
    assert (second.metadata, second.metadata_sha256) == (False, "")


class Page:
    """Answers with one page, whatever is asked."""

    def __init__(self, text, kind):
        self.text, self.kind = text, kind

    def get(self, url, **_):
        from layerwright.host.http import Body

        return Body(data=self.text.encode(), content_type=self.kind, url=url)


@pytest.mark.parametrize(
    ("stated", "offered", "digest"),
    [
        ({"core-metadata": {"sha256": DIGEST}}, True, DIGEST),
        ({"core-metadata": True}, True, ""),
        ({"core-metadata": False, "dist-info-metadata": {"sha256": DIGEST}}, False, ""),
        ({"dist-info-metadata": {"sha256": DIGEST.upper()}}, True, DIGEST),
        ({"core-metadata": {"sha256": "short"}}, True, ""),
        ({"core-metadata": {"md5": "x"}}, True, ""),
        ({}, False, ""),
    ],
)
def test_json_pages(stated, offered, digest):
    row = {"filename": "a-1-py3-none-any.whl", "url": "a.whl", "hashes": {}} | stated
    reader = IndexReader(Page(json.dumps({"files": [row]}), JSON_TYPE))
    (found,) = reader.files(Site(name="x", url="https://index.example"), "a")
    assert (found.metadata, found.metadata_sha256) == (offered, digest)


@pytest.mark.parametrize(
    ("attribute", "offered", "digest"),
    [
        (f'data-core-metadata="sha256={DIGEST}"', True, DIGEST),
        ('data-core-metadata="true"', True, ""),
        ("data-core-metadata", True, ""),
        ('data-core-metadata="false"', False, ""),
        (f'data-dist-info-metadata="sha256={DIGEST}"', True, DIGEST),
        ("", False, ""),
    ],
)
def test_html_pages(attribute, offered, digest):
    text = f'<a href="a-1-py3-none-any.whl" {attribute}>a</a>'
    (found,) = IndexReader(Page(text, "text/html")).files(Site(name="x", url="https://index.example"), "a")
    assert (found.metadata, found.metadata_sha256) == (offered, digest)
