"""Files of an image of Docker, by a transport that has them."""

import base64
import io
import json
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import parse_qs, urlsplit

import pytest

from layerwright.core.errors import EngineError
from layerwright.engines.connection import Answer
from layerwright.engines.files import ImageFiles

LINK = 1 << 27


class Engine:
    """An engine with one image: path → mode and content, a link's target, or None for a folder."""

    def __init__(self, files: Mapping[str, tuple[int, bytes | str | None]]) -> None:
        self.files = files
        self.calls: list[str] = []

    def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        self.calls.append(f"{method} {path.partition('?')[0]}")
        if method == "POST":
            assert json.loads(bytes(body or b""))["Entrypoint"] == []  # type: ignore[arg-type]
            return Answer(status=201, body=b'{"Id": "c1"}')
        if method == "DELETE":
            return Answer(status=204)
        wanted = parse_qs(urlsplit(path).query)["path"][0]
        if wanted not in self.files:
            return Answer(status=404)
        mode, content = self.files[wanted]
        target = content if isinstance(content, str) else ""
        stat = {"name": wanted, "mode": mode | (LINK if target else 0), "linkTarget": target}
        text = base64.b64encode(json.dumps(stat).encode()).decode()
        return Answer(status=200, headers={"x-docker-container-path-stat": text})

    def stream(self, path: str) -> Iterator[bytes]:
        top = parse_qs(urlsplit(path).query)["path"][0]
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w") as tar:
            for place, (mode, content) in sorted(self.files.items()):
                if place != top and not place.startswith(f"{top}/"):
                    continue
                member = tarfile.TarInfo(top.rpartition("/")[2] + place.removeprefix(top))
                member.mode = mode
                if isinstance(content, str):
                    member.type, member.linkname = tarfile.SYMTYPE, content
                elif content is None:
                    member.type = tarfile.DIRTYPE
                else:
                    member.size = len(content)
                tar.addfile(member, io.BytesIO(content) if isinstance(content, bytes) else None)
        data = out.getvalue()
        yield from (data[at : at + 700] for at in range(0, len(data), 700))

    def lines(self, *_: object, **__: object) -> Iterator[bytes]:
        raise AssertionError


def files_of(files: Mapping[str, tuple[int, bytes | str | None]]) -> tuple[ImageFiles, Engine]:
    engine = Engine(files)
    return ImageFiles(engine, "/v1.41", "x:1"), engine  # type: ignore[arg-type]


def test_a_tree_with_links_and_modes():
    files, engine = files_of(
        {
            "/img-man": (0o755, None),
            "/img-man/a.yaml": (0o644, b"a: 1\n"),
            "/img-man/det": (0o755, None),
            "/img-man/det/b.yaml": (0o600, b"b: 2\n"),
            "/img-man/c.yaml": (0o777, "/opt/c.yaml"),
            "/img-man/gone.yaml": (0o777, "/opt/gone.yaml"),
            "/opt/c.yaml": (0o640, b"c: 3\n"),
        }
    )
    with files as inside:
        found = inside.tree("/img-man")
        assert inside.tree("/nothing") == {}
        assert (inside.mode("/img-man/c.yaml"), inside.mode("/nothing")) == (0o640, None)
    assert {path: (file.mode, file.content) for path, file in found.items()} == {
        "/img-man/a.yaml": (0o644, b"a: 1\n"),
        "/img-man/det/b.yaml": (0o600, b"b: 2\n"),
        "/img-man/c.yaml": (0o640, b"c: 3\n"),
    }
    assert engine.calls[-1] == "DELETE /v1.41/containers/c1"


def test_links_in_a_circle_lead_nowhere():
    files, _ = files_of({"/a": (0o777, "/b"), "/b": (0o777, "/a")})
    with files as inside:
        assert inside.mode("/a") is None


def test_the_container_goes_when_something_fails():
    files, engine = files_of({"/a": (0o644, b"")})
    with pytest.raises(RuntimeError), files:
        raise RuntimeError
    assert engine.calls[-1].startswith("DELETE")


def test_an_image_that_is_not_there(monkeypatch):
    files, engine = files_of({})
    answer = Answer(status=404, body=b'{"message": "No such image: x:1"}')
    monkeypatch.setattr(engine, "request", lambda *_, **__: answer)
    with pytest.raises(EngineError, match="No such image"), files:
        pass


def test_an_answer_that_cannot_be_read(monkeypatch):
    files, engine = files_of({"/a": (0o644, b"")})
    with files as inside:
        monkeypatch.setattr(engine, "request", lambda *_, **__: Answer(status=200))
        with pytest.raises(EngineError, match="cannot be read"):
            inside.mode("/a")
