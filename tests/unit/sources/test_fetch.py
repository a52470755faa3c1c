import hashlib
import threading

import pytest

from layerwright.core.errors import IntegrityError, NetworkError, UsageError
from layerwright.core.events import BytesMoved, TaskEnded, TaskStarted
from layerwright.core.source import Location
from layerwright.lock import LockedFile, LockedSource, LockedWheel
from layerwright.sources.fetch import Fetcher
from layerwright.spec.model import Index as SpecIndex
from layerwright.store import Store
from support.change import replace
from support.index import Index, serve
from support.packages import make_sdist, make_wheel

HERE = Location(file="layerwright.toml", line=1)
BIG = ("big-1.0-py3-none-any.whl", bytes(range(256)) * 8000)


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store") as made:
        yield made


@pytest.fixture
def fetcher(store, host, http, index, tmp_path):
    def make(events=None, **changes):
        main = SpecIndex(name="main", url=index.simple, default=True, location=HERE)
        fields = {
            "store": store,
            "host": host,
            "reporter": (events if events is not None else []).append,
            "indexes": {"main": main},
            "root": tmp_path,
            "http": http,
        }
        return Fetcher(**(fields | changes))

    return make


def locked(packed, **fields):
    file, data = packed
    fields = {"index": "main"} | fields
    name, version, *_ = file.split("-")
    sha256 = hashlib.sha256(data).hexdigest()
    return LockedWheel(name=name, version=version, file=file, sha256=sha256, size=len(data), **fields)


@pytest.mark.parametrize("json", [True, False])
def test_wheels_are_found_by_name_and_digest_and_stored(index, fetcher, store, json):
    index.json = json
    packed = [make_wheel("alpha"), make_wheel("beta"), BIG]
    index.add(*packed)
    wheels = [locked(item) for item in packed]
    events = []
    fetcher(events).fetch_wheels(wheels)
    for (_, data), wheel in zip(packed, wheels, strict=True):
        assert store.path("wheels", wheel.sha256).read_bytes() == data
    assert sum(event.amount for event in events if isinstance(event, BytesMoved)) == sum(
        w.size for w in wheels
    )
    assert {event.task for event in events if isinstance(event, TaskStarted)} == {
        event.task for event in events if isinstance(event, TaskEnded)
    }
    assert not any(event.failed for event in events if isinstance(event, TaskEnded))


def test_what_is_there_asks_nothing(index, fetcher):
    index.add(BIG)
    fetcher().fetch_wheels([locked(BIG)])
    index.requests.clear()
    events = []
    fetcher(events).fetch_wheels([locked(BIG)])
    assert index.requests == []
    assert events == []


def test_a_cut_line_is_resumed_in_the_same_run(index, fetcher, store):
    index.add(BIG)
    index.cut[BIG[0]] = [600_000]
    fetcher().fetch_wheels([locked(BIG)])
    assert store.has("wheels", locked(BIG).sha256)
    assert [asked for _, path, asked in index.requests if path.endswith(BIG[0])] == ["", "bytes=524288-"]


def test_a_later_run_goes_on_where_a_failed_one_stopped(index, fetcher, store):
    index.add(BIG)
    index.cut[BIG[0]] = [600_000, 0, 0, 0]
    with pytest.raises(NetworkError):
        fetcher().fetch_wheels([locked(BIG)])
    assert not store.has("wheels", locked(BIG).sha256)
    index.cut.clear()
    index.requests.clear()
    events = []
    fetcher(events).fetch_wheels([locked(BIG)])
    assert store.path("wheels", locked(BIG).sha256).read_bytes() == BIG[1]
    assert [asked for _, path, asked in index.requests if path.endswith(BIG[0])] == ["bytes=524288-"]
    assert sum(event.amount for event in events if isinstance(event, BytesMoved)) == len(BIG[1])


def test_a_part_with_wrong_bytes_costs_a_second_download_and_nothing_else(index, fetcher, store):
    index.add(BIG)
    wheel = locked(BIG)
    store.part_path("wheels", wheel.sha256).write_bytes(b"x" * 1000)
    fetcher().fetch_wheels([wheel])
    assert store.path("wheels", wheel.sha256).read_bytes() == BIG[1]


@pytest.mark.parametrize("hashes", [True, False])
def test_wrong_bytes_are_refused_by_name_with_both_digests(index, fetcher, store, hashes):
    index.hashes = hashes
    index.add(BIG)
    index.wrong.add(BIG[0])
    wheel = locked(BIG)
    with pytest.raises(IntegrityError) as raised:
        fetcher().fetch_wheels([wheel])
    damaged = BIG[1][:-1] + bytes([BIG[1][-1] ^ 1])
    assert BIG[0] in raised.value.what
    assert wheel.sha256 in raised.value.what
    assert hashlib.sha256(damaged).hexdigest() in raised.value.what
    assert not store.has("wheels", wheel.sha256)
    assert store.part_path("wheels", wheel.sha256).stat().st_size == 0


def test_a_file_that_the_index_replaced_is_told_before_it_is_loaded(index, fetcher):
    index.add(BIG)
    wheel = replace(locked(BIG), sha256="0" * 64)
    with pytest.raises(IntegrityError, match="the index has " + index.sha256(BIG[0])):
        fetcher().fetch_wheels([wheel])
    assert index.downloads() == []


def test_a_file_that_is_gone_is_told(index, fetcher):
    index.add(make_wheel("big", "2.0"))
    with pytest.raises(NetworkError, match=r"index main does not list big-1\.0-py3-none-any\.whl"):
        fetcher().fetch_wheels([locked(BIG)])


def test_offline_names_everything_at_once_but_takes_what_is_on_this_machine(fetcher, index, store, tmp_path):
    folder = tmp_path / "wheels"
    folder.mkdir()
    here = make_wheel("here")
    (folder / here[0]).write_bytes(here[1])
    indexes = {
        "main": SpecIndex(name="main", url=index.simple, default=True, location=HERE),
        "flat": SpecIndex(name="flat", url=str(folder), format="flat", location=HERE),
    }
    offline = fetcher(http=None, offline=True, indexes=indexes)
    model = LockedFile(url="https://example.org/m.onnx", sha256="1" * 64, size=10, to="/m")
    wheels = [locked(make_wheel("alpha")), locked(BIG), locked(here, index="flat")]
    with pytest.raises(NetworkError) as raised:
        offline.fetch(wheels=wheels, files=[model])
    assert raised.value.what.startswith("3 files are missing from the store (")
    assert "  alpha 1.0 (index main)" in raised.value.what
    assert "  m.onnx (https://example.org/m.onnx)" in raised.value.what
    assert "here" not in raised.value.what
    offline.fetch_wheels([locked(here, index="flat")])
    assert store.has("wheels", locked(here).sha256)
    assert (folder / here[0]).exists()
    assert index.requests == []


def test_addresses_paths_models_and_sdists(index, fetcher, store, tmp_path):
    remote, local, packed = make_wheel("remote"), make_wheel("local"), make_sdist("packed")
    index.add(remote, packed, ("m.onnx", b"model"))
    (tmp_path / local[0]).write_bytes(local[1])
    source = LockedSource(
        name="packed",
        version="1.0",
        kind="sdist",
        source=packed[0],
        sha256=index.sha256(packed[0]),
        size=len(packed[1]),
        index="main",
    )
    project = LockedSource(name="mine", version="", kind="path", source=".")
    model = LockedFile(url=index.address("m.onnx"), sha256=index.sha256("m.onnx"), size=0, to="/m")
    fetcher().fetch(
        wheels=[
            locked(remote, index="", url=index.address(remote[0])),
            locked(local, index="", url=local[0]),
        ],
        files=[model],
        sources=[source, project],
    )
    assert store.path("files", model.sha256).read_bytes() == b"model"
    assert store.has("sdists", source.sha256)
    assert store.has("wheels", locked(remote).sha256)
    assert store.has("wheels", locked(local).sha256)
    assert (tmp_path / local[0]).exists()


def test_credentials_of_an_index_do_not_travel_to_another_host(index, fetcher, host):
    index.credentials = "me:s3cret"
    index.json = False
    index.add(BIG)
    main = SpecIndex(name="main", url=index.simple, credentials="env:TOKEN", default=True, location=HERE)
    known = replace(host, variables={"TOKEN": "me:s3cret"})
    fetcher(host=known, indexes={"main": main}).fetch_wheels([locked(BIG)])
    assert BIG[0] in index.downloads()
    with serve(Index()) as other:
        other.credentials = "me:s3cret"
        other.add(("alpha-1.0-py3-none-any.whl", b"x"))
        file = LockedFile(url=other.address("alpha-1.0-py3-none-any.whl"), sha256="2" * 64, size=1, to="/x")
        with pytest.raises(NetworkError, match="401"):
            fetcher(host=known, indexes={"main": main}).fetch_files([file])


def test_an_index_that_the_spec_lost_is_told(fetcher):
    with pytest.raises(UsageError, match="names the index 'gone'"):
        fetcher().fetch_wheels([locked(BIG, index="gone")])


def test_the_same_file_twice_is_loaded_once_even_by_two_builders(index, fetcher):
    index.add(BIG)
    fetcher().fetch_wheels([locked(BIG), locked(BIG)])
    assert index.downloads().count(BIG[0]) == 1
    other = ("other-1.0-py3-none-any.whl", BIG[1] + b"!")
    index.add(other)
    threads = [threading.Thread(target=fetcher().fetch_wheels, args=([locked(other)],)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert index.downloads().count(other[0]) == 1


def test_one_failure_ends_all_and_is_the_one_told(index, fetcher):
    index.add(BIG, make_wheel("alpha"))
    lost = locked(("lost-1.0-py3-none-any.whl", b"lost"))
    with pytest.raises(NetworkError, match="lost"):
        fetcher().fetch_wheels([locked(BIG), lost, locked(make_wheel("alpha"))])


@pytest.mark.parametrize("by", ["path", "address"])
def test_models_of_this_machine(fetcher, store, tmp_path, by):
    (tmp_path / "models").mkdir()
    file = tmp_path / "models" / "m 1.onnx"
    file.write_bytes(b"model")
    url = "models/m 1.onnx" if by == "path" else file.as_uri()
    model = LockedFile(url=url, sha256=hashlib.sha256(b"model").hexdigest(), size=0, to="/m.onnx")
    fetcher(http=None, offline=True).fetch_files([model])
    assert store.path("files", model.sha256).read_bytes() == b"model"
    assert file.read_bytes() == b"model"


@pytest.mark.parametrize("local", [True, False])
def test_a_model_with_another_digest_names_both_and_the_line_of_the_spec(
    index, fetcher, store, tmp_path, local
):
    index.add(("m.onnx", b"model"))
    (tmp_path / "m.onnx").write_bytes(b"model")
    model = LockedFile(url="m.onnx" if local else index.address("m.onnx"), sha256="1" * 64, size=0, to="/m")
    other = LockedFile(url=index.address("m.onnx"), sha256=index.sha256("m.onnx"), size=0, to="/n")
    line = replace(HERE, line=7)
    with pytest.raises(IntegrityError, match=r"m\.onnx from .*m\.onnx is not what the spec says") as raised:
        fetcher().fetch(files=[other, model], places={model.sha256: line, other.sha256: HERE})
    assert raised.value.where == line
    assert "1" * 64 in raised.value.what
    assert hashlib.sha256(b"model").hexdigest() in raised.value.what
    assert "write its digest into the spec" in raised.value.hint
    assert not store.has("files", model.sha256)
    assert (tmp_path / "m.onnx").read_bytes() == b"model"


@pytest.mark.parametrize(("url", "said"), [("gone", "there is no file"), ("models", "cannot read .*models")])
def test_a_model_that_is_no_file_is_told(fetcher, tmp_path, url, said):
    (tmp_path / "models").mkdir()
    with pytest.raises(NetworkError, match=said):
        fetcher().fetch_files([LockedFile(url=url, sha256="1" * 64, size=0, to="/m")])
