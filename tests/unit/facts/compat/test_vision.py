"""torchvision and torchaudio beside torch."""

import pytest

from layerwright.facts.compat import vision
from layerwright.facts.compat.records import load


def test_the_wrong_torchvision_is_refused_with_what_it_wants():
    fit = vision.fits("torchvision", "0.16.0", "2.0.0")
    assert fit.fits is False
    assert fit.wanted == "==2.1.0"
    assert fit.evidence[0].text == "torchvision 0.16.0 needs torch ==2.1.0"


@pytest.mark.parametrize(
    ("name", "version", "torch", "fits"),
    [
        ("torchvision", "0.15.1", "2.0.0", True),
        ("torchvision", "0.15.2", "2.0.0", False),
        ("torchvision", "0.19.1", "2.4.1", True),
        ("torchvision", "0.19.1", "2.4.1+cu118", True),
        ("torchvision", "0.29.2", "2.15.0", True),
        ("torchvision", "0.29.2", "2.13.0", False),
        ("torchvision", "0.19.0", "2.4.0a0+07cecf4168", False),
        ("torchaudio", "2.0.1", "2.0.0", True),
        ("torchaudio", "2.0.2", "2.0.0", False),
        ("torchaudio", "2.11.0", "2.11.0", True),
        ("torchaudio", "2.11.0", "2.12.0", False),
        ("torchvision", "0.9.2", "1.8.2", True),
        ("torchvision", "0.9.2", "1.8.1", False),
        ("torchvision", "99.0", "2.4.1", None),
        ("torchvision", "0.19.1", "no version", False),
    ],
)
def test_pairs(name, version, torch, fits):
    found = vision.fits(name, version, torch)
    assert found.fits is fits
    assert bool(found.evidence) == (fits is not None)


def test_a_pin_with_a_local_tag_cannot_be_met_from_pypi():
    build = vision.build("torchvision", "0.15.0")
    assert not build.satisfiable_from_pypi
    assert build.yanked
    assert vision.fits("torchvision", "0.15.0", "2.0.0").fits is False


def test_what_goes_with_a_torch():
    found = vision.companions("2.4.1")
    assert found.torchvision == ("0.19.1",)
    assert found.torchaudio == ("2.4.1",)
    assert found.evidence[0].confidence == "metadata"
    assert found.disagreements == ()


def test_torchaudio_has_a_number_of_its_own_for_torch_2_0():
    found = vision.companions("2.0.0")
    assert found.torchvision == ("0.15.1",)
    assert found.torchaudio == ("2.0.1",)


def test_open_requirements_count_newest_first():
    assert vision.companions("2.15.0").torchvision[:2] == ("0.29.2", "0.29.1")
    assert "0.29.0" in vision.companions("2.14.0").torchvision
    assert vision.companions("2.15.0").torchaudio == ()


def test_documentation_answers_where_no_wheel_does():
    found = vision.companions("1.8.2")
    assert found.torchvision == ("0.9.2",)
    assert found.evidence[0].confidence == "docs"


def test_a_yanked_release_is_not_offered_though_documented():
    found = vision.companions("1.10.0")
    assert found.torchvision == ("0.11.1",)
    assert "0.11.0" in found.disagreements[0].other.text


def test_an_unknown_torch_has_no_companions():
    found = vision.companions("9.9.9")
    # a requirement without an upper end takes it all the same
    assert found.torchaudio == ()
    assert set(found.torchvision) == {"0.29.1", "0.29.2"}


def test_a_build():
    build = vision.build("torchvision", "0.19.1")
    assert build.requires_torch == "==2.4.1"
    assert "libcudart.so.12" in build.cuda_sonames
    assert build.sm
    assert vision.build("torchvision", "99") is None


def test_both_directions_agree():
    """What a torch goes with is made for it, as the maker's pairs say too."""
    for pair in load(vision.VisionFile).pair:
        for name, versions in (("torchvision", pair.torchvision), ("torchaudio", pair.torchaudio)):
            found = vision.companions(pair.torch)
            for version in getattr(found, name):
                assert vision.fits(name, version, pair.torch).fits
            assert not versions or set(versions) & set(getattr(found, name)) or found.disagreements
