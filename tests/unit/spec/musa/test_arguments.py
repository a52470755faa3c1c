import pytest

from layerwright.spec.musa.arguments import WrongWordError, read_arguments
from layerwright.spec.musa.options import GLOBAL, SCRIPTS, table_of

BUILD = table_of("build")


def wrong(*words: str, table=BUILD) -> str:
    with pytest.raises(WrongWordError) as caught:
        read_arguments(table, words)
    return caught.value.problem.what


@pytest.mark.parametrize(
    "words",
    [("-n", "x"), ("-nx",), ("--name", "x"), ("--name=x",), ("-n", "x", "-n", "x"), ("-n", "x", "--")],
)
def test_a_value_is_given_in_every_way_that_getopt_takes(words: tuple[str, ...]) -> None:
    assert read_arguments(BUILD, words) == {"name": "x"}


def test_switches_stand_alone_or_in_front_of_another_option() -> None:
    assert read_arguments(BUILD, ["-r"]) == {"release": True}
    assert read_arguments(BUILD, ["-rn", "x", "--no_prepare"]) == {
        "release": True,
        "name": "x",
        "no_prepare": True,
    }
    assert wrong("--release=yes") == "-r/--release takes no value"


def test_a_value_may_be_empty_and_may_hold_what_it_likes_but_not_look_like_an_option() -> None:
    assert read_arguments(BUILD, ["--mccl_url", "", "-t", "a=b c"]) == {"mccl_url": "", "tag": "a=b c"}
    assert wrong("--mccl_url", "--mudnn_url", "x") == "--mccl_url has no value: --mudnn_url follows it"
    assert wrong("--mccl_url") == "--mccl_url has no value"


def test_some_options_are_given_several_times() -> None:
    assert read_arguments(BUILD, ["--insecure_http", "a", "--insecure_http=b"]) == {
        "insecure_http": ("a", "b")
    }


@pytest.mark.parametrize("script", ["build-base", "build"])
def test_both_documented_names_of_the_python_are_taken_and_the_slip_is_not(script: str) -> None:
    table = table_of(script)
    for words in (["-v", "3.9"], ["--python_version", "3.9"]):
        assert read_arguments(table, words) == {"python_version": "3.9"}
    assert "--python_verison is a slip" in wrong("--python_verison", "3.9", table=table)


def test_a_word_that_is_nearly_an_option_is_told_the_right_one() -> None:
    with pytest.raises(WrongWordError) as caught:
        read_arguments(BUILD, ["--python-version", "3.9"])
    assert caught.value.problem.hint == "did you mean --python_version?"


def test_every_option_of_a_script_has_a_name_of_its_own() -> None:
    for table in SCRIPTS.values():
        names = [name for option in (*table, *GLOBAL) for name in (option.short, option.long) if name]
        assert len(names) == len(set(names))


def test_the_documented_options_and_their_defaults() -> None:
    """As docker/README.md of MooreThreads/torch_musa has them at 21080ff."""

    def documented(script: str) -> dict[str, str]:
        return {option.name: option.default for option in table_of(script) if option.documented}

    assert documented("build-base") == {
        "-n/--name": "", "-t/--tag": "latest", "-s/--sys": "ubuntu:20.04", "-v/--python_version": "3.8",
    }  # fmt: skip
    assert documented("build") == {
        "-n/--name": "", "-t/--tag": "latest", "-b/--base_img": "", "-f/--docker_file": "",
        "-v/--python_version": "3.8", "-m/--musa_toolkits_url": "", "--mudnn_url": "", "--mccl_url": "",
        "-r/--release": "", "--torch_whl_url": "", "--torch_musa_whl_url": "", "--torchvision_whl_url": "",
        "--torchaudio_whl_url": "", "--torch_musa_tag": "dev1.5.1", "--no_prepare": "",
    }  # fmt: skip
    assert documented("build-all") == {}


def test_bytes_that_are_no_text_are_refused_where_they_stand() -> None:
    assert wrong("-m", "a\udcff.tar") == "-m/--musa_toolkits_url is no UTF-8 text: 'a\\udcff.tar'"
