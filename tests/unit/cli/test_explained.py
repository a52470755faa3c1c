"""Sizes and differences as text."""

from layerwright.cli.differences import difference_lines
from layerwright.cli.excerpts import Painter
from layerwright.cli.sizes import size_lines
from layerwright.verify.difference import Difference, FileChange, LayerShare, Setting, Versioned
from layerwright.verify.savings import Saving
from layerwright.verify.sizes import LayerSize, Part, SizeReport

PLAIN = Painter(colour=False)
REPORT = SizeReport(
    image="app:1",
    digest="sha256:ab",
    platform="linux/amd64",
    bytes=3_000_000,
    compressed=1_000_000,
    visible=2_000_000,
    packed=True,
    layers=(
        LayerSize(
            number=1,
            created_by="RUN make \x1b[31m",
            diff_id="sha256:1",
            digest="sha256:2",
            bytes=3_000_000,
            compressed=1_000_000,
            hidden=1_000_000,
            files=12,
        ),
    ),
    packages=tuple(Part(name=f"p{n} 1", bytes=1000 - n, compressed=500, files=1) for n in range(5)),
    folders=(),
    kinds=(Part(name="other", bytes=2_000_000, compressed=900_000, files=1234),),
    largest=(),
    gpu=(Part(name="compute capability 8.6", bytes=500_000, compressed=0, files=2),),
    savings=(
        Saving(
            title="copies",
            bytes=300_000,
            compressed=100_000,
            sure=False,
            advice="keep one of the copies and link to it",
            examples=(("/a", 100_000), ("/b", 100_000), ("/c", 60_000), ("/d", 40_000)),
        ),
    ),
)


def test_sizes():
    assert list(size_lines(PLAIN, REPORT, top=2, width=40)) == [
        "app:1  linux/amd64  sha256:ab",
        "3.0 MB unpacked in 1 layer, 1.0 MB to download; a container sees 2.0 MB of them",
        "",
        "By layer, bottom first",
        "  #  unpacked  download  hidden  made by",
        "  1    3.0 MB    1.0 MB  1.0 MB  RUN make \\x1b[31m",
        "",
        "By package",
        "  unpacked  share  download  files",
        "    1.0 kB  0.1 %     500 B      1  p0 1",
        "     999 B  0.0 %     500 B      1  p1 1",
        "    3.0 kB  0.1 %    1.5 kB      3  3 more",
        "",
        "By kind",
        "  unpacked  share  download  files",
        "    2.0 MB  100 %  900.0 kB  1,234  other",
        "",
        "Code for GPUs, inside shared libraries",
        "  unpacked  share  libraries",
        "  500.0 kB   25 %          2  compute capability 8.6",
        "",
        "What could go",
        "  300.0 kB (100.0 kB to download), perhaps: copies",
        "      100.0 kB  /a",
        "      100.0 kB  /b",
        "       60.0 kB  /c",
        "      and more; --json has them",
        "    → keep one of the copies and link to",
        "      it",
    ]


def test_blobs_that_are_not_compressed_say_nothing_about_downloads():
    from msgspec.structs import replace

    text = "\n".join(size_lines(PLAIN, replace(REPORT, packed=False), top=2, width=0))
    assert "to download" not in text


def test_differences():
    found = Difference(
        old="a:1",
        new="a:2",
        packages=(
            Versioned(kind="python", name="numpy", fate="changed", old="2.1", new="2.2"),
            Versioned(kind="python", name="six", fate="removed", old="1.0"),
            Versioned(kind="deb", name="curl", fate="added", new="8"),
        ),
        settings=(Setting(name="env A", old="", new="1"),),
        files=(
            FileChange(path="/p/x", fate="changed", old=1000, new=2000, owner="numpy 2.2"),
            FileChange(path="/p/y", fate="added", new=500, owner="numpy 2.2"),
            FileChange(path="/etc/x", fate="changed", old=10, new=10, note="mode 644 → 755"),
            FileChange(path="/etc/y", fate="removed", old=5),
        ),
        layers=LayerShare(
            shared=3,
            shared_bytes=5000,
            prefix=2,
            old_only=(("layer 4 (x)", 100),),
            new_only=(("layer 4 (y)", 200),),
        ),
        compressed=(5100, 5200),
        visible=(9000, 8000),
    )
    assert list(difference_lines(PLAIN, found, top=1)) == [
        "a:1 → a:2",
        "blobs 5.1 kB → 5.2 kB (+100 B); files 9.0 kB → 8.0 kB (-1.0 kB)",
        "",
        "Python packages (2)",
        "  ~ numpy  2.1  →  2.2",
        "  - six    1.0",
        "",
        "Debian packages (1)",
        "  + curl  8",
        "",
        "Settings (1)",
        "  env A  (not set)  →  1",
        "",
        "Files (4)",
        "  1 added, 1 changed of numpy 2.2, 2.5 kB",
        "  ~ /etc/x  10 B  mode 644 → 755",
        "    and 1 removed of no package; --json has them",
        "",
        "Layers",
        "  3 shared (5.0 kB; the first 2 in the same order), 1 only in the old, 1 only in the new",
        "  whoever has the old image downloads 200 B for the new one",
        "  -    100 B  layer 4 (x)",
        "  +    200 B  layer 4 (y)",
    ]


def test_nothing_differs():
    lines = list(difference_lines(PLAIN, Difference(old="lock:a", new="a", packages=()), top=5))
    assert lines == ["lock:a → a", "both hold the same packages"]
