"""Facts of wheels that lie behind an index of this machine, and where they are kept."""

import hashlib
import random
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from layerwright.core.events import BytesMoved, TaskEnded, TaskStarted
from layerwright.core.source import Location
from layerwright.facts.model import Library, WheelFacts
from layerwright.host.http import HttpClient
from layerwright.lock import LockedWheel
from layerwright.sources import remote_wheel, wheel_facts
from layerwright.sources.wheel_facts import FACTS_FORMAT, NoFacts, WheelFactsReader
from layerwright.spec.model import Index as SpecIndex
from layerwright.store import Store
from support.elf_file import Elf
from support.wheels import Entry, make_wheel

HERE = Location(file="layerwright.toml", line=1)
NOISE = random.Random(7).randbytes(12 << 20)
PROVIDER = Elf(
    soname="libprovider.so",
    needed=("libcudart.so.12", "libcudnn.so.9", "libc.so.6"),
    runpath="$ORIGIN",
    versions={"libc.so.6": ("GLIBC_2.28",)},
    constants=b"\0libnvrtc.so.12\0" + NOISE,
)
SMALL = Elf(needed=("libprovider.so", "libc.so.6"), constants=b"\0numpy.core._multiarray_umath\0")
MODULE = "big/_c.cpython-311-x86_64-linux-gnu.so"
METADATA = "Metadata-Version: 2.1\nName: big\nVersion: 1.0\nRequires-Dist: numpy\n"


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path / "store") as made:
        yield made


@pytest.fixture
def reader(store, host, http, index, tmp_path):
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
        return WheelFactsReader(**(fields | changes))

    return make


@pytest.fixture(scope="module")
def big_wheel(tmp_path_factory):
    """A wheel of 12 MiB with a library that is not worth reading whole."""
    files = {
        "big/__init__.py": b"",
        "big/libprovider.so": Entry(data=bytes(PROVIDER), level=1),
        MODULE: bytes(SMALL),
    }
    return make_wheel(tmp_path_factory.mktemp("big"), "big", files=files, metadata_text=METADATA)


@pytest.fixture
def big(big_wheel, index, tmp_path):
    """The wheel as a lock has it, offered by the index, and in the folder ``made``."""
    (tmp_path / "made").mkdir()
    shutil.copy(big_wheel.path, tmp_path / "made")
    return offer(index, big_wheel)


@pytest.fixture(autouse=True)
def _small_budget(monkeypatch):
    monkeypatch.setattr(remote_wheel, "_LEAST", 1 << 18)


def offer(index, wheel):
    data = wheel.path.read_bytes()
    index.add((wheel.file, data))
    return locked(wheel, size=len(data))


def locked(wheel, **fields):
    fields = {"index": "main"} | fields
    return LockedWheel(name=wheel.name, version=wheel.version, file=wheel.file, sha256=wheel.sha256, **fields)


def only(found):
    (facts,) = found.values()
    return facts


def test_a_large_wheel_is_known_by_a_few_pieces(big, reader, index):
    events = []
    facts = only(reader(events).read([big, big]))
    assert (facts.reach, facts.requires, facts.why_not) == ("members", ("numpy",), "")
    provider, module = sorted(facts.libraries, key=lambda library: library.path, reverse=True)
    assert provider.needed == PROVIDER.needed
    assert provider.versions_needed == PROVIDER.versions
    assert (provider.whole, provider.unread) == (False, ("rpath", "runpath", "versions_defined"))
    assert (module.whole, module.numpy_api) == (True, 1)
    assert facts.bytes_read < big.size * 0.03
    ranges = [seen for method, path, seen in index.requests if path.startswith("/files/")]
    assert all(ranges)
    moved = sum(event.amount for event in events if isinstance(event, BytesMoved))
    assert moved == facts.bytes_read
    assert [type(event) for event in events][0 :: len(events) - 1] == [TaskStarted, TaskEnded]


def test_a_small_wheel_is_read_whole_and_verified(index, reader, tmp_path):
    wheel = offer(index, make_wheel(tmp_path, "tiny", files={"tiny/_c.abi3.so": bytes(SMALL)}))
    facts = only(reader().read([wheel]))
    assert (facts.reach, facts.bytes_read, facts.libraries[0].whole) == ("whole", wheel.size, True)
    assert [seen for _, path, seen in index.requests if path.startswith("/files/")] == [""]


def test_bytes_of_another_wheel_are_refused(index, reader, tmp_path):
    wheel = offer(index, make_wheel(tmp_path, "tiny"))
    index.wrong.add(wheel.file)
    found = only(reader().read([wheel]))
    assert isinstance(found, NoFacts)
    assert wheel.sha256 in found.why


def test_a_wheel_of_another_size_is_refused(big, reader):
    found = only(reader().read([msgspec.structs.replace(big, size=big.size + 1)]))
    assert isinstance(found, NoFacts)
    assert f"{big.size} bytes, not {big.size + 1}" in found.why


def test_an_unknown_size_is_asked_for(big, reader):
    facts = only(reader().read([msgspec.structs.replace(big, size=0)]))
    assert (facts.reach, facts.size) == ("members", big.size)


def test_without_ranges_a_middling_wheel_is_fetched_whole(big, reader, index):
    index.ranges = False
    facts = only(reader().read([big]))
    assert (facts.reach, facts.bytes_read) == ("whole", big.size)
    assert facts.libraries[1].opens == ("libnvrtc.so.12",)


@pytest.mark.parametrize("json", [True, False])
@pytest.mark.parametrize("hashes", [True, False])
def test_without_ranges_a_large_wheel_is_known_by_its_metadata(big, reader, index, monkeypatch, json, hashes):
    monkeypatch.setattr(wheel_facts, "_WHOLE", 1 << 20)
    index.ranges, index.json, index.metadata_hashes = False, json, hashes
    index.metadata[big.file] = METADATA.encode()
    facts = only(reader().read([big]))
    assert (facts.reach, facts.name, facts.requires) == ("metadata", "big", ("numpy",))
    assert facts.libraries == ()
    assert "cannot be read in pieces" in facts.why_not
    assert facts.bytes_read == len(METADATA)


def test_metadata_of_another_digest_is_refused(big, reader, index, monkeypatch):
    monkeypatch.setattr(wheel_facts, "_WHOLE", 1 << 20)
    index.ranges = False
    index.metadata[big.file] = METADATA.encode()
    monkeypatch.setattr(index, "metadata_sha256", lambda _: "0" * 64)
    found = only(reader().read([big]))
    assert isinstance(found, NoFacts)
    assert f"the index says {'0' * 64}" in found.why


def test_without_ranges_and_metadata_the_reason_is_given(big, reader, index, monkeypatch):
    monkeypatch.setattr(wheel_facts, "_WHOLE", 1 << 20)
    index.ranges = False
    found = only(reader().read([big]))
    assert isinstance(found, NoFacts)
    assert "cannot be read in pieces" in found.why


def test_a_cut_line_is_tried_again(big, reader, index):
    index.cut[big.file] = [100]
    assert only(reader().read([big])).reach == "members"


def test_credentials_are_brought(big, reader, index):
    index.credentials = "user:secret"
    main = SpecIndex(
        name="main", url=index.simple.replace("://", "://user:secret@"), default=True, location=HERE
    )
    assert only(reader(indexes={"main": main}).read([big])).reach == "members"
    found = only(reader(store=reader()._store).read([msgspec.structs.replace(big, sha256="1" * 64)]))
    assert isinstance(found, NoFacts)
    assert "401" in found.why
    assert "secret" not in found.why


def test_offline_the_reason_is_given_unless_it_was_read_before(big, reader, host):
    http = HttpClient(variables={}, offline=True)
    found = only(reader(http=http).read([big]))
    assert isinstance(found, NoFacts)
    assert "--offline" in found.why
    reader().read([big])
    assert only(reader(http=http).read([big])).reach == "members"


def test_what_was_read_is_kept(big, reader, index):
    first = only(reader().read([big]))
    index.requests.clear()
    assert only(reader().read([big])) == first
    assert index.requests == []


def test_a_wheel_in_the_store_is_read_whole_without_the_network(big, reader, index, store):
    assert only(reader().read([big])).reach == "members"
    with store.writer("wheels", sha256=big.sha256) as writer:
        writer.write(index.files[big.file])
    index.requests.clear()
    facts = only(reader().read([big]))
    assert (facts.reach, facts.bytes_read, facts.file) == ("whole", 0, big.file)
    assert facts.libraries[1].opens == ("libnvrtc.so.12",)
    assert index.requests == []
    assert only(reader().read([big])) == facts


def test_a_damaged_wheel_in_the_store_does_not_take_away_what_is_known(big, reader, index, store):
    known = only(reader().read([big]))
    with store.writer("wheels", sha256=big.sha256) as writer:
        writer.write(index.files[big.file])
    path = store.path("wheels", big.sha256)
    path.chmod(0o600)
    path.write_bytes(b"damaged")
    assert only(reader().read([big])) == known


def test_a_folder_of_wheels_is_an_index(big, reader, index, tmp_path):
    folder = tmp_path / "made"
    main = SpecIndex(name="main", url=str(folder), format="flat", default=True, location=HERE)
    facts = only(reader(indexes={"main": main}).read([big]))
    assert (facts.reach, facts.bytes_read) == ("whole", 0)
    assert index.requests == []


def test_a_path_is_read_and_its_digest_compared(big, reader, tmp_path):
    by_path = msgspec.structs.replace(big, index="", url=f"made/{big.file}")
    assert only(reader().read([by_path])).reach == "whole"
    found = only(reader().read([msgspec.structs.replace(by_path, sha256="2" * 64)]))
    assert isinstance(found, NoFacts)
    assert "expected sha256 2222" in found.why
    gone = only(reader().read([msgspec.structs.replace(by_path, sha256="3" * 64, url="made/none.whl")]))
    assert "none.whl" in gone.why


def test_reasons_for_wheels_that_are_nowhere(big, reader):
    unlisted = msgspec.structs.replace(big, file="big-2.0-py3-none-any.whl", sha256="4" * 64)
    unknown = msgspec.structs.replace(big, index="other", sha256="5" * 64)
    found = reader().read([unlisted, unknown, big])
    assert "does not list big-2.0-py3-none-any.whl" in found["4" * 64].why
    assert "'other'" in found["5" * 64].why
    assert found[big.sha256].reach == "members"


def test_what_is_no_wheel_gives_the_reason(index, reader):
    data = b"PK\x05\x06" + bytes(18) + NOISE[: 1 << 20]
    index.add(("bad-1.0-py3-none-any.whl", data))
    wheel = LockedWheel(
        name="bad",
        version="1.0",
        file="bad-1.0-py3-none-any.whl",
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        index="main",
    )
    found = only(reader().read([wheel]))
    assert isinstance(found, NoFacts)
    assert "bad-1.0-py3-none-any.whl" in found.why


def test_damaged_records_are_as_good_as_absent(big, reader, store):
    store.write_record("facts", f"{big.sha256}-{FACTS_FORMAT}", b"\xc1 no facts")
    assert only(reader().read([big])).reach == "members"


def test_stored_members_are_read_at_any_place(index, reader, tmp_path):
    files = {"big/libprovider.so": Entry(data=bytes(PROVIDER), stored=True)}
    wheel = offer(index, make_wheel(tmp_path, "big", files=files))
    facts = only(reader().read([wheel]))
    (library,) = facts.libraries
    assert (library.runpath, library.unread, library.whole) == (("$ORIGIN",), (), False)
    assert library.needed == PROVIDER.needed
    assert facts.bytes_read < wheel.size * 0.05


def test_what_the_front_does_not_show_is_read_whole_while_the_budget_lasts(index, reader, tmp_path):
    moved = Elf(needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.17",)}, moved=True)
    small = Elf(needed=("libm.so.6",), moved=True, constants=NOISE[: 150 << 10])
    large = Elf(needed=("libz.so.1",), moved=True, constants=NOISE[: 3 << 20])
    files = {"big/libsmall.so": bytes(small), "big/liblarge.so": bytes(large), "big/libm.so": bytes(moved)}
    wheel = offer(index, make_wheel(tmp_path, "big", files=files))
    facts = only(reader().read([wheel]))
    found = {library.path: library for library in facts.libraries}
    assert found["big/libsmall.so"].needed == ("libm.so.6",)
    assert found["big/libsmall.so"].whole
    assert found["big/liblarge.so"].needed == ()
    assert "needed" in found["big/liblarge.so"].unread
    assert facts.bytes_read < (1 << 18) + (1 << 17)


def test_two_processes_read_a_wheel_once(big, reader, index):
    gate = threading.Barrier(2)

    def look():
        gate.wait()
        return only(reader().read([big]))

    with ThreadPoolExecutor(2) as pool:
        first, second = [future.result() for future in [pool.submit(look), pool.submit(look)]]
    assert first == second
    ranges = [seen for _, path, seen in index.requests if path.startswith("/files/")]
    assert len(ranges) == len(set(ranges))


def test_facts_of_many_wheels_come_back_at_once(store, reader):
    libraries = tuple(
        Library(path=f"x/lib{n}.so", needed=("libc.so.6",), versions_needed={"libc.so.6": ("GLIBC_2.28",)})
        for n in range(20)
    )
    wheels = []
    for number in range(35):
        sha256 = hashlib.sha256(str(number).encode()).hexdigest()
        facts = WheelFacts(
            file="x", sha256=sha256, name="x", version="1", libraries=libraries, reach="members"
        )
        store.write_record("facts", f"{sha256}-{FACTS_FORMAT}", msgspec.msgpack.encode(facts))
        wheels.append(LockedWheel(name="x", version="1", file="x", sha256=sha256, size=1, index="main"))
    found = reader().read(wheels)
    assert all(facts.libraries == libraries for facts in found.values())
    assert len(found) == 35
