"""Every fault that people's own files are known to have is found, where it stands; a test for each kind of weakness."""

import pytest

from layerwright.lint import KINDS
from support.lint import FILES, faults, findings, found


def rows(row):
    return pytest.mark.parametrize("fault", faults()[row], ids=lambda fault: fault["what"])


@rows("W01")
def test_w01_files_that_everybody_may_change(fault):
    assert found(fault)


@rows("W02")
def test_w02_the_owner_of_a_mount_is_changed_at_start(fault):
    assert found(fault)


@rows("W03")
def test_w03_credentials_in_the_build(fault):
    assert found(fault)


@rows("W04")
def test_w04_downloads_that_can_be_swapped(fault):
    assert found(fault)


@rows("W05")
def test_w05_a_password_cut_out_of_pip_conf(fault):
    assert found(fault)


@rows("W06")
def test_w06_tags_that_move(fault):
    assert found(fault)


@rows("W07")
def test_w07_nothing_is_pinned(fault):
    assert found(fault)


@rows("W08")
def test_w08_setup_py_called_directly(fault):
    assert found(fault)


@rows("W09")
def test_w09_a_requirement_read_as_a_redirection(fault):
    assert found(fault)


@rows("W10")
def test_w10_failures_that_nobody_hears_of(fault):
    assert found(fault)


@rows("W11")
def test_w11_containers_that_are_given_the_host(fault):
    assert found(fault)


@rows("W12")
def test_w12_a_folder_of_the_callers_is_deleted(fault):
    assert found(fault)


@rows("W13")
def test_w13_what_stays_in_layers_and_contexts(fault):
    assert found(fault)


@rows("W14")
def test_w14_a_start_that_happens_once_or_ignores_its_command(fault):
    assert found(fault)


@rows("W15")
def test_w15_home_and_groups_lost(fault):
    assert found(fault)


@rows("W16")
def test_w16_the_architecture_guessed(fault):
    assert found(fault)


@rows("W17")
def test_w17_documented_commands_that_do_not_run(fault):
    assert found(fault)


@rows("W18")
def test_w18_packages_that_do_not_belong_or_are_missing(fault):
    assert found(fault)


@rows("W19")
def test_w19_the_program_is_process_one(fault):
    assert found(fault)


@rows("W20")
def test_w20_a_terminal_is_always_asked_for(fault):
    assert found(fault)


@rows("W21")
def test_w21_variables_of_the_build_kept(fault):
    assert found(fault)


@rows("W22")
def test_w22_a_password_on_a_command_line(fault):
    assert found(fault)


@rows("D4")
def test_packages_that_do_not_fit_the_base(fault):
    assert found(fault)


@rows("G05")
def test_g05_text_that_was_encoded_twice(fault):
    assert found(fault)


def test_every_kind_of_finding_is_shown_by_a_file():
    shown = {fault["code"] for row in faults().values() for fault in row}
    assert {kind.code for kind in KINDS} == shown


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("control/")])
def test_the_control_has_no_finding(file):
    assert findings(file) == ()
