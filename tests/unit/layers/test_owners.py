from dataclasses import replace

from layerwright.layers import Collision, WheelFile, find_collisions, installed_paths, layer_key
from support.wheels import make_wheel

WHERE = {"prefix": "/opt/venv", "python": "3.11"}


def wheel(sha, tmp_path, **changes):
    return replace(
        WheelFile(
            path=tmp_path / sha, sha256=sha * 64, file=f"{sha}.whl", name=sha, version="1", requested=False
        ),
        **changes,
    )


def test_the_key_covers_what_decides_the_bytes_and_nothing_else(tmp_path):
    a, b = wheel("a", tmp_path), wheel("b", tmp_path)
    key = layer_key([a, b], **WHERE)
    assert layer_key([b, a], **WHERE) == key
    assert layer_key([replace(a, path=tmp_path / "elsewhere", file="other"), b], **WHERE) == key
    different = [
        layer_key([a], **WHERE),
        layer_key([replace(a, requested=True), b], **WHERE),
        layer_key([replace(a, direct_url="{}"), b], **WHERE),
        layer_key([a, b], prefix="/opt/other", python="3.11"),
        layer_key([a, b], prefix="/opt/venv", python="3.12"),
    ]
    assert len({key, *different}) == 6
    assert len(key) == 64


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
