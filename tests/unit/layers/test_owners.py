import pytest

from layerwright.layers import Collision, clashing_claims, find_collisions, installed_paths
from layerwright.layers.owners import make_claims
from support.wheels import make_wheel

WHERE = {"prefix": "/opt/venv", "python": "3.11"}


SITE = "opt/venv/lib/python3.11/site-packages"


def claims(**files):
    return make_claims({f"{SITE}/{path}": content for path, content in files["files"].items()}, **WHERE)


def test_a_layer_claims_what_it_alone_has_below_shared_folders():
    found = claims(
        files={
            "nvidia/cudnn/lib/a.so": (1, "sha256=a"),
            "nvidia/cudnn/include/b.h": (1, "sha256=b"),
            "nvidia/__init__.py": (0, "sha256=e"),
            "x-1.dist-info/METADATA": (2, "sha256=m"),
            "x-1.dist-info/licenses/LICENSE": (2, "sha256=l"),
            "one.py": (3, "sha256=o"),
        }
    )
    assert sorted(found) == [
        f"{SITE}/{path}" for path in ("nvidia/__init__.py", "nvidia/cudnn", "one.py", "x-1.dist-info")
    ]
    assert make_claims({"opt/venv/bin/run": (1, "sha256=r")}, **WHERE).keys() == {"opt/venv/bin/run"}


@pytest.mark.parametrize(
    ("second", "clashes"),
    [
        ({"nvidia/cublas/a.so": (1, "sha256=a"), "nvidia/__init__.py": (0, "sha256=e")}, False),
        ({"nvidia/cudnn/a.so": (1, "sha256=a")}, False),  # the same bytes
        ({"nvidia/cudnn/a.so": (1, "sha256=z")}, True),
        ({"nvidia/cudnn/a.so": (2, "sha256=a")}, True),
        ({"nvidia/cudnn/b.so": (1, "sha256=a")}, True),  # to be looked at file by file
        ({"nvidia/cudnn": (1, "sha256=a")}, True),
        ({"nvidia": (1, "sha256=a")}, True),  # a file where the other has a folder
    ],
)
def test_only_layers_that_claim_one_path_for_other_contents_are_compared(second, clashes):
    first = claims(files={"nvidia/cudnn/a.so": (1, "sha256=a"), "nvidia/__init__.py": (0, "sha256=e")})
    between = claims(files={"other/x.py": (1, "sha256=x")})
    last = claims(files=second)
    assert list(clashing_claims([first, between, last])) == ([(0, 2)] if clashes else [])
    assert list(clashing_claims([last, between, first])) == ([(0, 2)] if clashes else [])


def test_collisions_name_both_wheels_and_the_path(tmp_path):
    wheels = [
        make_wheel(tmp_path, "one", files={"cv2/a.py": b"1", "shared/__init__.py": b"", "x": b""}),
        make_wheel(tmp_path, "two", files={"cv2/a.py": b"2", "shared/__init__.py": b"", "x/y.py": b""}),
        make_wheel(tmp_path, "three", files={"other.py": b"2"}),
    ]
    owners = {wheel.file: installed_paths(wheel, **WHERE) for wheel in wheels}
    one, two = wheels[0].file, wheels[1].file
    site = "/opt/venv/lib/python3.11/site-packages"
    assert find_collisions(owners) == (
        Collision(path=f"{site}/cv2/a.py", first=one, second=two),
        Collision(path=f"{site}/x", first=one, second=two),
    )
    assert (
        str(find_collisions(owners)[0])
        == f"{one} and {two} both install {site}/cv2/a.py, with different content"
    )
    del owners[one]
    assert find_collisions(owners) == ()
