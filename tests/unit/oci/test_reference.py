import pytest

from layerwright.oci.digest import Digest
from layerwright.oci.reference import Reference

HEX = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "full", "familiar"),
    [
        ("debian", "docker.io/library/debian", "debian"),
        ("debian:12", "docker.io/library/debian:12", "debian:12"),
        ("library/debian:12", "docker.io/library/debian:12", "debian:12"),
        ("docker.io/debian", "docker.io/library/debian", "debian"),
        ("index.docker.io/a/b:1", "docker.io/a/b:1", "a/b:1"),
        ("a/b", "docker.io/a/b", "a/b"),
        ("localhost/x:tag", "localhost/x:tag", "localhost/x:tag"),
        ("localhost:5000/x:tag", "localhost:5000/x:tag", "localhost:5000/x:tag"),
        ("127.0.0.1:5000/a/b-c__d.e", "127.0.0.1:5000/a/b-c__d.e", "127.0.0.1:5000/a/b-c__d.e"),
        ("[::1]:5000/x:1", "[::1]:5000/x:1", "[::1]:5000/x:1"),
        ("MyHost/x", "MyHost/x", "MyHost/x"),
        (
            "nvcr.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04",
            "nvcr.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04",
            "nvcr.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04",
        ),
        (f"x@sha256:{HEX}", f"docker.io/library/x@sha256:{HEX}", f"x@sha256:{HEX}"),
        (f"h:1/x:T@sha256:{HEX}", f"h:1/x:T@sha256:{HEX}", f"h:1/x:T@sha256:{HEX}"),
        ("x:5000", "docker.io/library/x:5000", "x:5000"),
    ],
)
def test_docker_spellings(text: str, full: str, familiar: str) -> None:
    reference = Reference.parse(text)
    assert str(reference) == full
    assert reference.familiar == familiar
    assert Reference.parse(familiar) == reference


def test_parts() -> None:
    reference = Reference.parse(f"r.example:5000/team/app:1.2@sha256:{HEX}")
    assert reference == Reference(
        registry="r.example:5000", repository="team/app", tag="1.2", digest=Digest.from_hex(HEX)
    )
    assert reference.name == "r.example:5000/team/app"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("Debian:12", "lowercase"),
        ("a//b", "no repository"),
        ("a/b/", "no repository"),
        ("/a", "no repository"),
        ("-a", "no repository"),
        ("a___b", "no repository"),
        ("a b", "no repository"),
        ("a\n", "no repository"),
        ("名前", "no repository"),
        ("a:", "no tag"),
        ("a:.x", "no tag"),
        ("a:" + "x" * 129, "no tag"),
        ("a:1\n", "no tag"),
        ("a@sha256:12", "no|not a sha256"),
        ("a@", "sha256"),
        (f"a@md5:{HEX}", "sha256"),
        (f"a@sha256:{HEX}\n", "sha256"),
        ("-h.example/x", "no registry"),
        ("h.example:port/x", "no registry"),
        ("h.example/" + "x" * 246, "longer"),
        (HEX, "image id"),
        ("https://r.example/x:1", "no"),
    ],
)
def test_what_is_no_reference(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Reference.parse(text)
