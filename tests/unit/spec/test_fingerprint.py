import pytest

from layerwright.spec.fingerprint import cell_resolution_digest
from support.change import replace
from support.spec import spec_of

TEXT = """
    [images.p]
    from = "debian:bookworm"
    apt = ["git"]
    [images.a]
    from = "image:p"
    python = "3.11"
    packages = ["numpy", { path = "/" }, { git = "https://example.org/x", rev = "1" }]
    constraints = ["scipy<2"]
    env = { A = "1" }
    [indexes.i]
    url = "https://pypi.example.org/simple"
    credentials = "netrc"
    """


def digest(text=TEXT, cell="a"):
    spec = spec_of(text)
    return cell_resolution_digest(spec.cells[cell], spec)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"git"', '"curl"'),
        ('"numpy"', '"numpy>2"'),
        ('rev = "1"', 'rev = "2"'),
        ('path = "/"', 'path = "/", extras = ["x"]'),
        ("scipy<2", "scipy<3"),
        ("pypi.example.org", "other.example.org"),
        ('credentials = "netrc"', "default = true"),
        ('env = { A = "1" }', 'exclude-newer = "2025-01-01"'),
        ('env = { A = "1" }', 'prereleases = "allow"'),
        ('env = { A = "1" }', 'apt = ["ffmpeg"]'),
        ('env = { A = "1" }', f'models = [{{ url = "https://x/y", sha256 = "{"0" * 64}", to = "/y" }}]'),
        ('apt = ["git"]', 'apt = ["git"]\ntimezone = "Asia/Taipei"'),
        ("debian:bookworm", "python:3.11-slim"),
        ("[images.p]", '[defaults]\nplatforms = ["linux/arm64"]\n[images.p]'),
    ],
)
def test_what_decides_the_resolution_is_in_the_digest(old, new):
    assert old in TEXT
    assert digest(TEXT.replace(old, new)) != digest()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            'env = { A = "1" }',
            'env = { A = "2" }\nworkdir = "/x"\ntags = ["9"]\nrole = "dev"\nsmoke = ["true"]',
        ),
        ('credentials = "netrc"', 'credentials = "keyring"'),
        ("[images.p]", "# moved\n\n[images.p]"),
        ("[indexes.i]", '[secrets.t]\nenv = "T"\n[indexes.i]'),
        ('["numpy", { path = "/" }', '[{ path = "/" }, "numpy"'),
    ],
)
def test_what_does_not_decide_it_stays_out(old, new):
    assert old in TEXT
    assert digest(TEXT.replace(old, new)) == digest()


def test_which_time_zone_it_is_does_not_matter_nor_any_on_a_base_that_is_taken_as_it_is():
    def zoned(base, zone):
        return digest(f'[images.a]\nfrom = "{base}"\n{zone}')

    assert zoned("debian:bookworm", 'timezone = "UTC"') == zoned(
        "debian:bookworm", 'timezone = "Asia/Taipei"'
    )
    assert zoned("python:3.11-slim", 'timezone = "UTC"') == zoned("python:3.11-slim", "")


def test_the_cells_own_name_stays_out():
    spec = spec_of(TEXT)
    cell = spec.cells["a"]
    renamed = replace(cell, name="b", image="b")
    assert cell_resolution_digest(renamed, spec) == cell_resolution_digest(cell, spec)


def test_indexes_matter_to_packages_only():
    assert digest(TEXT.replace("pypi.example.org", "other.example.org"), "p") == digest(cell="p")


def test_the_digest_does_not_change_between_releases():
    text = '[images.a]\nfrom = "debian:bookworm"\npython = "3.11"\npackages = ["numpy>=2"]\napt = ["git"]'
    assert digest(text) == "2294b78977d9f1c4f4147b1b6984d7ea9378f430f7ec5ed6952b7174c367ad7a"
