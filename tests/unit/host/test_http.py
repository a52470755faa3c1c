import shutil
import subprocess

import pytest

from layerwright.core.errors import IntegrityError, NetworkError
from layerwright.host.http import HttpClient, HttpStatusError, RangesRefusedError, ca_bundle
from support.index import Index, serve

BODY = bytes(range(256)) * 4096


@pytest.fixture
def index():
    with serve(Index(files={"m.bin": BODY})) as served:
        yield served


@pytest.fixture
def client():
    return HttpClient(variables={}, sleep=lambda _: None)


def test_a_body_and_a_size(index, client):
    body = client.get(index.address("m.bin"), limit=2 << 20)
    assert body.data == BODY
    assert body.content_type == "application/octet-stream"
    assert client.size(index.address("m.bin")) == len(BODY)


def test_a_body_above_its_limit_is_refused(index, client):
    with pytest.raises(NetworkError, match="more than 1000 bytes"):
        client.get(index.address("m.bin"), limit=1000)


def test_failures_that_may_pass_are_tried_again_with_growing_pauses(index):
    pauses = []
    client = HttpClient(variables={}, sleep=pauses.append)
    index.failures["/files/m.bin"] = [503, 502, 500]
    assert client.get(index.address("m.bin"), limit=2 << 20).data == BODY
    assert pauses == sorted(pauses)
    assert len(pauses) == 3


def test_it_gives_up_after_enough_attempts(index):
    client = HttpClient(variables={}, attempts=2, sleep=lambda _: None)
    index.failures["/files/m.bin"] = [503] * 9
    with pytest.raises(NetworkError, match="status 503"):
        client.get(index.address("m.bin"), limit=10)
    assert len(index.requests) == 2


def test_a_refusal_is_final(index, client):
    with pytest.raises(HttpStatusError) as raised:
        client.get(index.address("gone"), limit=10)
    assert raised.value.status == 404
    assert len(index.requests) == 1


def test_credentials_are_sent_and_never_shown(index, client):
    index.credentials = "me:s3cret"
    assert client.get(index.address("m.bin"), limit=2 << 20, credentials=("me", "s3cret")).data == BODY
    with_userinfo = index.address("m.bin").replace("://", "://me:s3cret@")
    assert client.get(with_userinfo, limit=2 << 20).data == BODY
    wrong = with_userinfo.replace("s3cret", "wr0ng")
    with pytest.raises(HttpStatusError) as raised:
        client.get(wrong, limit=10)
    assert raised.value.status == 401
    assert "wr0ng" not in str(raised.value)
    assert "credentials" in raised.value.hint


def test_nothing_listens(client):
    with pytest.raises(NetworkError, match=r"cannot be reached: .*refused"):
        client.get("http://127.0.0.1:9/x", limit=10)


def test_offline_says_what_is_wanted(index):
    client = HttpClient(variables={}, offline=True)
    with pytest.raises(NetworkError, match=r"m\.bin is needed, but --offline forbids"):
        client.get(index.address("m.bin"), limit=10)
    assert index.requests == []


def test_other_schemes_are_no_addresses(client):
    with pytest.raises(NetworkError, match="no address that can be fetched"):
        client.get("gopher://example.org/x", limit=10)


def test_a_cut_download_goes_on_where_it_stopped(index, client, tmp_path):
    index.cut["m.bin"] = [300_000, 400_000]
    moved = []
    part = tmp_path / "part"
    assert client.download(index.address("m.bin"), part, size=len(BODY), progress=moved.append) == len(BODY)
    assert part.read_bytes() == BODY
    assert sum(moved) == len(BODY)
    ranges = [asked for _, _, asked in index.requests]
    assert ranges[0] == ""
    assert all(asked.startswith("bytes=") for asked in ranges[1:])


def test_a_part_of_an_earlier_run_is_used(index, client, tmp_path):
    part = tmp_path / "part"
    part.write_bytes(BODY[:1000])
    moved = []
    client.download(index.address("m.bin"), part, progress=moved.append)
    assert part.read_bytes() == BODY
    assert sum(moved) == len(BODY) - 1000


def test_a_server_without_ranges_starts_again(index, client, tmp_path):
    index.ranges = False
    part = tmp_path / "part"
    part.write_bytes(BODY[:1000])
    moved = []
    client.download(index.address("m.bin"), part, size=len(BODY), progress=moved.append)
    assert part.read_bytes() == BODY
    assert sum(moved) == len(BODY) - 1000


@pytest.mark.parametrize("present", [len(BODY), len(BODY) + 5])
def test_a_part_that_is_too_long_without_a_known_size_is_thrown_away(index, client, tmp_path, present):
    part = tmp_path / "part"
    part.write_bytes(b"x" * present)
    client.download(index.address("m.bin"), part)
    assert part.read_bytes() == BODY


def test_a_complete_part_needs_no_request(index, client, tmp_path):
    part = tmp_path / "part"
    part.write_bytes(BODY)
    client.download(index.address("m.bin"), part, size=len(BODY))
    assert index.requests == []


def test_a_body_longer_than_promised_is_refused(index, client, tmp_path):
    with pytest.raises(IntegrityError, match="longer than 1000 bytes"):
        client.download(index.address("m.bin"), tmp_path / "part", size=1000)


def test_tls_is_checked_against_the_named_certificates(tmp_path, client):
    chain, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    openssl = shutil.which("openssl")
    assert openssl, "openssl makes the test's certificate"
    options = "-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=127.0.0.1"
    options += " -addext subjectAltName=IP:127.0.0.1"
    argv = [openssl, "req", *options.split(), "-keyout", str(key), "-out", str(chain)]
    subprocess.run(argv, check=True, capture_output=True)
    with serve(Index(files={"m.bin": BODY}), certificate=(chain, key)) as index:
        trusting = HttpClient(variables={"SSL_CERT_FILE": str(chain)})
        assert trusting.get(index.address("m.bin"), limit=2 << 20).data == BODY
        with pytest.raises(NetworkError, match="is not trusted") as raised:
            client.get(index.address("m.bin"), limit=2 << 20)
        assert "SSL_CERT_FILE" in raised.value.hint


def test_the_caller_names_the_certificates():
    assert ca_bundle({"REQUESTS_CA_BUNDLE": "/a", "SSL_CERT_FILE": "/b"}) == "/b"
    assert ca_bundle({"REQUESTS_CA_BUNDLE": "/a"}) == "/a"


def test_proxies_come_from_the_given_environment_only(index, monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    client = HttpClient(variables={}, attempts=1)
    assert client.get(index.address("m.bin"), limit=2 << 20).data == BODY
    proxied = HttpClient(variables={"http_proxy": "http://127.0.0.1:9"}, attempts=1)
    with pytest.raises(NetworkError):
        proxied.get(index.address("m.bin"), limit=2 << 20)
    excepted = HttpClient(variables={"http_proxy": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1"}, attempts=1)
    assert excepted.get(index.address("m.bin"), limit=2 << 20).data == BODY


def test_a_piece_of_a_file(index, client):
    index.files["a.bin"] = bytes(range(200))
    assert client.read_range(index.address("a.bin"), 10, 20, total=200) == bytes(range(10, 30))
    assert index.requests == [("GET", "/files/a.bin", "bytes=10-29")]


def test_a_cut_piece_is_asked_for_again(index, client):
    index.files["a.bin"] = bytes(range(200))
    index.cut["a.bin"] = [5]
    assert client.read_range(index.address("a.bin"), 0, 20, total=200) == bytes(range(20))
    assert len(index.requests) == 2


def test_a_server_that_sends_everything_is_not_listened_to(index, client):
    index.files["a.bin"] = bytes(1 << 20)
    index.ranges = False
    with pytest.raises(RangesRefusedError, match="cannot be read in pieces"):
        client.read_range(index.address("a.bin"), 0, 20, total=1 << 20)
    assert len(index.requests) == 1


def test_a_piece_of_a_file_of_another_size_is_refused(index, client):
    index.files["a.bin"] = bytes(200)
    with pytest.raises(IntegrityError, match="has 200 bytes, not 300"):
        client.read_range(index.address("a.bin"), 0, 20, total=300)


def test_a_piece_beyond_the_end_is_refused(index, client):
    index.files["a.bin"] = bytes(200)
    with pytest.raises(HttpStatusError) as caught:
        client.read_range(index.address("a.bin"), 500, 20, total=200)
    assert caught.value.status == 416


def test_a_piece_that_ends_early_fails_in_the_end(index, client):
    index.files["a.bin"] = bytes(200)
    with pytest.raises(NetworkError, match="sends 10 bytes where 20 were asked"):
        client.read_range(index.address("a.bin"), 190, 20, total=200)
