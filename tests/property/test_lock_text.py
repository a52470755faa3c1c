import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from layerwright.core.addresses import has_credential, mask_credentials
from layerwright.lock import (
    Deb,
    Lock,
    LockedBase,
    LockedCell,
    LockedComponent,
    LockedFile,
    LockedSource,
    LockedWheel,
    diff,
    read_lock,
    write_lock,
)

pytestmark = pytest.mark.property

words = st.text(max_size=12).filter(lambda text: not has_credential(text))
names = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=8)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
sizes = st.integers(min_value=0, max_value=2**40)
file_names = words.filter(lambda text: "/" not in text and text not in {"", ".", ".."})
paths = words.filter(lambda text: not text.startswith("/") and ".." not in text.split("/"))


def of(cls, **fields):
    return st.builds(cls, **fields)


def unique(items, key):
    return st.lists(items, max_size=3, unique_by=key).map(tuple)


debs = unique(
    of(Deb, name=names, version=words, architecture=names, sha256=digests, size=sizes, path=paths),
    lambda deb: (deb.name, deb.architecture),
)
wheels = unique(
    of(
        LockedWheel,
        name=names,
        version=words,
        file=file_names,
        sha256=digests,
        size=sizes,
        index=words,
        url=words,
        requested=st.booleans(),
    ),
    lambda wheel: wheel.name,
)
sources = unique(
    of(
        LockedSource,
        name=names,
        version=words,
        kind=st.sampled_from(["path", "git", "sdist"]),
        source=words,
        commit=words,
        subdirectory=words,
        sha256=digests | st.just(""),
        size=sizes,
        index=words,
        url=words,
        requested=st.booleans(),
    ),
    lambda source: source.name,
)
files = unique(of(LockedFile, url=words, sha256=digests, size=sizes, to=words), lambda file: file.to)
components = unique(
    of(LockedComponent, name=names, url=words, sha256=digests, size=sizes), lambda one: one.name
)
bases = of(
    LockedBase,
    kind=st.sampled_from(["debian", "oci", "archive", "docker", "registry"]),
    source=words,
    digest=words,
    debs=debs,
    python=words,
    interpreter=words,
    glibc=words,
)


@st.composite
def locks(draw):
    shared = draw(st.lists(bases, min_size=1, max_size=3))
    cells = {}
    for name in draw(st.lists(words, max_size=3, unique=True)):
        choices = st.sampled_from(shared)
        if cells:
            parents = st.builds(LockedBase, kind=st.just("image"), source=st.sampled_from(sorted(cells)))
            choices = choices | parents
        cells[name] = LockedCell(
            name=name,
            spec_digest=draw(words),
            base=draw(choices),
            python=draw(words),
            platform=draw(st.sampled_from(["linux/amd64", "linux/arm64"])),
            apt=draw(debs),
            wheels=draw(wheels),
            sources=draw(sources),
            files=draw(files),
            components=draw(components),
        )
    return Lock(cells=cells)


@settings(max_examples=60, deadline=None)
@given(locks())
def test_reading_what_was_written_gives_the_same_lock(lock):
    text = write_lock(lock)
    again = read_lock(text)
    assert again == lock
    assert write_lock(again) == text
    assert diff(lock, again) == ()


@settings(max_examples=25, deadline=None)
@given(locks(), st.randoms(use_true_random=False))
def test_the_order_of_the_cells_does_not_change_the_text(lock, random):
    shuffled = list(lock.cells.items())
    random.shuffle(shuffled)
    assert write_lock(Lock(cells=dict(shuffled))) == write_lock(lock)


schemes = st.sampled_from(["https", "http", "git+https", "ftp", "HTTPS"])
secret_text = st.text(string.ascii_letters + string.digits + "%-_.~!$'(),; \"", min_size=1, max_size=12)


@st.composite
def addresses_with_credentials(draw):
    scheme, secret = draw(schemes), draw(secret_text)
    if draw(st.booleans()):
        user = draw(st.sampled_from(["", "me:", "oauth2:"]))
        return f"{scheme}://{user}{secret}@example.org/simple/x.whl"
    name = draw(
        st.sampled_from(
            ["token", "access_token", "X-Amz-Signature", "sig", "private-token", "API_KEY", "%74oken"]
        )
    )
    lead = draw(st.sampled_from(["?", "?a=b&", "#"]))
    return f"{scheme}://example.org/x.whl{lead}{name}={secret.strip(';') or 'x'}"


@settings(max_examples=60, deadline=None)
@given(addresses_with_credentials(), st.sampled_from(["wheel", "source", "model", "base"]))
@example("ssh://git:hunter2@example.org/x.git", "source")
def test_no_credential_is_ever_written(address, place):
    wheel = LockedWheel(name="x", version="1", file="x.whl", sha256="0" * 64, size=1, url=address)
    source = LockedSource(name="x", version="1", kind="git", source=address)
    model = LockedFile(url=address, sha256="0" * 64, size=0, to="/m")
    cell = LockedCell(
        name="c",
        spec_digest="",
        base=LockedBase(kind="registry", source=address if place == "base" else "debian:12"),
        python="3.11",
        platform="linux/amd64",
        wheels=(wheel,) if place == "wheel" else (),
        sources=(source,) if place == "source" else (),
        files=(model,) if place == "model" else (),
    )
    with pytest.raises(ValueError, match="credential"):
        write_lock(Lock(cells={"c": cell}))


@settings(max_examples=60, deadline=None)
@given(
    addresses_with_credentials().filter(lambda address: not set(address) & set(" \"'")), st.text(max_size=8)
)
def test_masked_text_holds_no_credential(address, around):
    assert not has_credential(
        mask_credentials(f"{around} {address}").replace("****@", "").replace("=****", "=")
    )
