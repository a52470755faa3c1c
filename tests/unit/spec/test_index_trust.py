"""Row D04: http and untrusted certificates only by an opt-in that fits the index."""

from pathlib import Path

import pytest

from layerwright.core.errors import SpecError
from layerwright.spec.parse import parse_spec

HEAD = '[project]\nname = "a"\n[images.x]\nfrom = "debian:bookworm"\n'


def read(text):
    return parse_spec((HEAD + text).encode(), file="layerwright.toml", root=Path("/nowhere"))


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ('url = "http://h.org/s"', "plain http is refused"),
        ('url = "http://h.org/s"\ninsecure = "certificate"', "does not fit"),
        ('url = "https://h.org/s"\ninsecure = "http"', "does not fit"),
        ('url = "https://h.org/s"\ninsecure = true', "insecure"),
        ('url = "https://h.org/s"\nca = "ca.pem"\ninsecure = "certificate"', "contradict"),
        ('url = "wheels"\nformat = "flat"\nca = "ca.pem"', "needs no ca"),
        ('url = "https://h.org/s"\ncredentials = "file:"', "file:PATH"),
        ('url = "https://u:hunter2@h.org/s"', "must not hold credentials"),
    ],
)
def test_d04_refused(keys, says):
    with pytest.raises(SpecError) as raised:
        read(f"[indexes.internal]\n{keys}\n")
    told = " ".join(problem.what + problem.hint for problem in raised.value.problems)
    assert says in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("keys", "ca", "insecure"),
    [
        ('url = "http://h.org/s"\ninsecure = "http"', "", "http"),
        ('url = "https://h.org/s"\ninsecure = "certificate"', "", "certificate"),
        ('url = "https://h.org/s"\nca = "ca.pem"', "ca.pem", ""),
        ('url = "http://127.0.0.1:8/s"', "", ""),
        ('url = "http://[::1]:8/s"', "", ""),
        ('url = "http://localhost/s"', "", ""),
    ],
)
def test_d04_taken(keys, ca, insecure):
    index = read(f"[indexes.internal]\n{keys}\n").indexes["internal"]
    assert (index.ca, index.insecure) == (ca, insecure)


def test_secrets_may_be_missing_only_when_they_say_so():
    spec = read('[secrets.a]\nenv = "A"\n[secrets.b]\nfile = "b"\nrequired = false\n')
    assert [secret.required for secret in spec.secrets.values()] == [True, False]


def test_what_the_leak_scan_lets_pass():
    assert read('[leaks]\nallow = ["/code/*.pem"]\n').leaks_allow == ("/code/*.pem",)
    assert read("").leaks_allow == ()


@pytest.mark.parametrize("mode", ["0666", "0777", "0664", "0646"])
def test_no_model_is_writable_for_others(mode):
    with pytest.raises(SpecError, match="would let others write"):
        read(f'[images.y]\nfrom = "debian:bookworm"\nmodels = [{{ url = "https://h/m", sha256 = "{"0" * 64}", '
             f'to = "/m", mode = "{mode}" }}]\n')  # fmt: skip
