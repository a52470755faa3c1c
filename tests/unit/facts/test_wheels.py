"""Facts of wheels at hand."""

import pytest

from layerwright.facts import wheels
from layerwright.facts.wheels import WheelError, is_library, read_metadata, read_wheel_file, top_level
from support.elf_file import Elf
from support.wheels import Entry, make_wheel, write_zip

DEMO = Elf(soname="libdemo.so.1", needed=("libc.so.6",), versions={"libc.so.6": ("GLIBC_2.28",)})
METADATA = """\
Metadata-Version: 2.1
Name: Demo_Pkg
Version: 1.0
Requires-Python: >=3.9
Requires-Dist: numpy<2,>=1.21
Requires-Dist: nvidia-cudnn-cu12==9.1.0.70; platform_system == "Linux"

Text
"""


def demo(tmp_path, **changes):
    files = {
        "demo/__init__.py": b"",
        "demo/_c.cpython-311-x86_64-linux-gnu.so": bytes(Elf(needed=("libdemo.so.1",))),
        "demo_pkg.libs/libdemo.so.1": bytes(DEMO),
        "demo/notes.so.txt": b"text",
        "demo/text.so": b"INPUT(libfoo.so)",
        "single.py": b"",
    }
    fields = {"name": "demo-pkg", "files": files, "metadata_text": METADATA}
    return make_wheel(tmp_path, **(fields | changes))


def test_a_wheel_says_what_it_is_and_holds(tmp_path):
    wheel = demo(tmp_path)
    facts = read_wheel_file(wheel.path, sha256=wheel.sha256)
    assert (facts.name, facts.version, facts.requires_python) == ("demo-pkg", "1.0", ">=3.9")
    assert facts.requires == (
        "numpy<2,>=1.21",
        'nvidia-cudnn-cu12==9.1.0.70; platform_system == "Linux"',
    )
    assert [library.path for library in facts.libraries] == [
        "demo/_c.cpython-311-x86_64-linux-gnu.so",
        "demo_pkg.libs/libdemo.so.1",
    ]
    assert facts.libraries[1].needed == ("libc.so.6",)
    assert facts.paths == ("demo/", "demo_pkg.libs/", "single.py")
    assert (facts.reach, facts.size, facts.bytes_read) == ("whole", wheel.path.stat().st_size, 0)
    assert facts.file == wheel.file
    assert facts.sha256 == wheel.sha256


def test_a_large_library_goes_by_way_of_a_scratch_file(tmp_path, monkeypatch):
    wheel = demo(tmp_path)
    expected = read_wheel_file(wheel.path)
    monkeypatch.setattr(wheels, "_IN_MEMORY", 100)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    assert read_wheel_file(wheel.path, scratch=scratch) == expected
    assert list(scratch.iterdir()) == []


def test_a_damaged_library_is_said_to_be_unread(tmp_path):
    wheel = demo(tmp_path, files={"demo/libx.so": bytes(DEMO)[:120], "demo/__init__.py": b""})
    (library,) = read_wheel_file(wheel.path).libraries
    assert not library.whole
    assert "needed" in library.unread


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ([("a.py", Entry(data=b""))], "has 0 METADATA files"),
        (
            [
                ("a-1.dist-info/METADATA", Entry(data=METADATA.encode())),
                ("b-1.dist-info/METADATA", Entry(data=METADATA.encode())),
            ],
            "has 2 METADATA files",
        ),
        ([("a-1.dist-info/METADATA", Entry(data=b"Name: a\n\n"))], "no name or no version"),
    ],
)
def test_what_is_no_wheel_is_named(tmp_path, files, told):
    path = tmp_path / "bad-1.0-py3-none-any.whl"
    write_zip(path, files)
    with pytest.raises(WheelError, match=told) as caught:
        read_wheel_file(path)
    assert "bad-1.0-py3-none-any.whl" in caught.value.what


def test_an_empty_file_is_named(tmp_path):
    path = tmp_path / "bad-1.0-py3-none-any.whl"
    path.touch()
    with pytest.raises(WheelError, match=r"bad-1\.0-py3-none-any\.whl is empty"):
        read_wheel_file(path)


def test_namespaces_show_their_own_folders():
    names = [
        "nvidia/__init__.py",
        "nvidia/cudnn/lib/libcudnn.so.9",
        "google/protobuf/message.py",
        "opencv_python.libs/libQt5Core.so.5",
        "demo-1.0.dist-info/METADATA",
        "demo-1.0.data/scripts/tool",
        "six.py",
    ]
    assert top_level(names) == ("google/", "google/protobuf/", "nvidia/", "opencv_python.libs/", "six.py")
    assert top_level(names[1:2]) == ("nvidia/", "nvidia/cudnn/")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a/libx.so", True),
        ("a/libx.so.1.2.3", True),
        ("a/_c.abi3.so", True),
        ("a/x.sox", False),
        ("a.so/x.py", False),
        (".so", False),
        ("a/libx.so.txt", True),
    ],
)
def test_names_of_libraries(name, expected):
    assert is_library(name) is expected


def test_metadata_that_an_index_serves_is_read_alike():
    assert read_metadata(METADATA.encode(), file="demo").name == "demo-pkg"
