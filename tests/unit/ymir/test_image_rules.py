"""What the platform makes of an image's /img-man: each row of the contract's §1.2; rules of §1.3, §1.4, §7.3.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layerwright.core.findings import Finding
from layerwright.ymir.image import Executor, image_files
from layerwright.ymir.image_kinds import KINDS
from layerwright.ymir.image_rules import ImageView, Start, judge_image, template_folders, wanted_files
from layerwright.ymir.parameters import Parameter
from layerwright.ymir.reading import Answer, read_answer

MANIFEST = "/img-man/manifest.yaml"
TRAINING = "/img-man/training-template.yaml"
MINING = "/img-man/mining-template.yaml"
GOOD = {MANIFEST: b"object_type: 2\nenable_livecode: false\n", TRAINING: b"epochs: 10\n"}


def judge(**parts) -> tuple[Finding, ...]:
    parts.setdefault("files", GOOD)
    return judge_image(ImageView(name="image", **parts))


def codes(findings) -> set[str]:
    return {f"{finding.level} {finding.code.removeprefix('LW-YMIR-')}" for finding in findings}


def template(text: str) -> tuple[Finding, ...]:
    """Findings of an image whose training template is the text."""
    return judge(files={**GOOD, TRAINING: text.encode()})


def mining(text: str) -> tuple[Finding, ...]:
    return judge(files={**GOOD, MINING: text.encode()})


def manifest(text: str) -> tuple[Finding, ...]:
    return judge(files={**GOOD, MANIFEST: text.encode()})


def test_a_sound_image_has_no_finding():
    assert judge() == ()


def test_every_finding_has_a_kind_and_a_repair():
    known = {kind.code for kind in KINDS}
    assert len(known) == len(KINDS)
    bad = judge(
        files={
            MANIFEST: b"object_type: x\nenable_livecode: 'false'\n",
            TRAINING: b"a: .nan\nb: [1]\ngpu_id: 1\nshm_size: 3\n",
            MINING: b"- a\n",
        },
        start=Start(entrypoint=("python",)),
        closed=(TRAINING,),
    )
    assert len(bad) > 6
    for finding in bad:
        assert finding.code in known
        assert finding.fix
        assert finding.where.image == "image"


# The table "file content → outcome"


@pytest.mark.parametrize(
    ("content", "values"),
    [
        ("epochs: 10", {"epochs": 10}),
        ("{}", {}),
        ("a: {b: 1}", {"a": {"b": 1}}),
        ("a: yes\nc: 1e-3\nd: 0o17\nf: 1_000", {"a": True, "c": "1e-3", "d": "0o17", "f": 1000}),
        ("a: 1\na: 2", {"a": 2}),
        ("CUDA: ok\nepochs: 10", {"CUDA": "ok", "epochs": 10}),
    ],
)
def test_what_counts_as_a_template(content, values):
    document = read_answer(Answer(stdout=content.encode()))
    assert document.state == "mapping"
    assert document.values == values


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("# nothing\n", "empty"),
        ("", "empty"),
        ("- a\n", "a list"),
        ("text\n", "text"),
        ("5\n", "a single value"),
        ("== CUDA ==\n\nContainer image Copyright\nepochs: 10\n", "no YAML"),
        ("a: 1\n---\nb: 2\n", "no YAML"),
        ("a: !!python/object:os.system x\n", "no YAML"),
        ("\x00", "no YAML"),
        ("a: {? [1, 2] : 3}\n", "no YAML"),
    ],
)
def test_what_counts_as_absent(content, why):
    document = read_answer(Answer(stdout=content.encode()))
    assert (document.state, document.values) == ("absent", {})
    assert why in document.why
    assert codes(template(content)) == {"error TEMPLATE", "error NO-TEMPLATE"}


@pytest.mark.parametrize(
    "content",
    [
        "a: 2020-01-01\n",
        "a: {b: 2020-01-01T10:00:00Z}\n",
        "a: 2020-13-45\n",
        "a: !!binary aGk=\n",
        "a: !!set {b}\n",
        "2020-01-01: a\n",
        "a: !!bool maybe\n",
        "a: !!int x\n",
        "a: !!timestamp x\n",
        "a: &x [*x]\n",
    ],
)
def test_what_the_platform_fails_on(content):
    assert read_answer(Answer(stdout=content.encode())).state == "failed"
    assert any(finding.level == "error" for finding in template(content))


def test_a_file_that_is_no_utf8():
    document = read_answer(Answer(stdout=b"a: 1\nb: \xff\n"))
    assert (document.state, document.line) == ("failed", 2)


def test_aliases_that_multiply_are_given_up():
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    for one, two in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{two}: &{two} [{', '.join([f'*{one}'] * 10)}]")
    document = read_answer(Answer(stdout="\n".join(lines).encode()))
    assert document.state == "failed"


def test_standard_error_is_read_when_the_command_fails():
    document = read_answer(Answer(exit_code=1, stdout=b"epochs: 1\n", stderr=b"exec failed: nope\n"))
    assert document.values == {"exec failed": "nope"}
    assert document.from_error
    told = b"cat: /img-man/x.yaml: No such file or directory\n"
    assert read_answer(Answer(exit_code=1, stderr=told)).state == "absent"


@given(st.binary(max_size=300))
def test_bytes_from_anywhere_are_judged(data):
    document = read_answer(Answer(stdout=data))
    assert document.state in {"mapping", "absent", "failed"}
    judge(files={MANIFEST: data, TRAINING: data})


yaml_pieces = st.sampled_from(
    ["a", ":", " ", "\n", "-", "&x", "*x", "!!", "{", "}", "[", "]", "1e-3", "2020-01-01", "?", "|", ">", "'", '"',
     "#", "!!int", "!!set", "!!binary", "!!omap", "!!timestamp", "<<", "~", "yes", ".nan", "0x1f", "%YAML 1.1", "---"]
)  # fmt: skip


@given(st.lists(yaml_pieces, max_size=30).map("".join))
def test_any_yaml_is_judged(text):
    read_answer(Answer(stdout=text.encode()))
    template(text)
    manifest(text)


# Values


@pytest.mark.parametrize(
    ("content", "found", "words"),
    [
        ("since: 2020-01-01", "error DATE", 'since: "2020-01-01"'),
        ("a: .nan", "error NAN", "no JSON"),
        ("a: -.inf", "error NAN", "no JSON"),
        ("a: {b: 1}", "warning FLAT", "a mapping"),
        ("a: [1, 2]", "warning FLAT", "a list"),
        ("on: 1", "warning KEY", "calls it true"),
        ("1: 1", "warning KEY", "calls it 1"),
        ("~: 1", "warning KEY", "calls it null"),
        (f"{'k' * 51}: 1", "warning KEY", "51 characters"),
        ("a: 1\nb: 2\na: 3", "warning DUPLICATE", "stands twice"),
        ("lr: 1e-3", "warning NUMBER", "lr: 0.001"),
        ("lr: 1e-9", "warning NUMBER", "lr: 1.0e-09"),
        ("mask: 0o17", "warning NUMBER", "mask: 15"),
        ("mask: 017", "warning NUMBER", "mask: 15"),
        ("n: 1_000", "warning NUMBER", "n: 1000"),
        ("t: 1:30", "warning NUMBER", "t: 90"),
        ("a: yes", "note WORD", "a: true"),
        ("a: Off", "note WORD", "a: false"),
        ("a: ~", "note NULL", "is nothing"),
        (f"a: {'x' * 101}", "warning LONG", "101 characters"),
        ("a: 123456789012345678901", "warning LONG", "21 digits"),
        ("a: |\n  one\n  two\n", "warning LONG", "several lines"),
        ("gpu_id: '0'", "warning RESERVED", "gpu_id"),
        ("gpu_count: 1", "warning RESERVED", "gpu_count"),
        ("task_id: x", "warning RESERVED", "task_id"),
        ("class_names: []", "warning RESERVED", "class_names"),
        ("object_type: 2", "warning RESERVED", "object_type"),
        ("pretrained_model_params: []", "warning RESERVED", "pretrained_model_params"),
        ("model_params_path: []", "warning RESERVED", "model_params_path"),
        ("run_infer: true", "warning RESERVED", "run_infer"),
        ("run_mining: true", "warning RESERVED", "run_mining"),
        ("git_url: x", "warning RESERVED", "git_url"),
        ("git_branch: x", "warning RESERVED", "git_branch"),
        ("code_config: x", "warning RESERVED", "code_config"),
        ("openpai_enable: true", "warning RESERVED", "openpai_enable"),
        ("openpai_host: x", "warning RESERVED", "openpai_host"),
        ("prompt: x", "warning RESERVED", "prompt"),
        ("text_prompt: x", "warning RESERVED", "text_prompt"),
        ("shm_size: 32", "error SHAPE", "16G"),
        ("shm_size: 16 gigabytes", "error SHAPE", "16G"),
        ("export_format: ark", "error SHAPE", "169999"),
        ("export_format: ark:raw:x", "error SHAPE", "169999"),
        ("export_format: ark:lmdb", "error SHAPE", "asset part"),
        ("export_format: ins-seg:raw", "error SHAPE", "all index files will be empty"),
        ("export_format: 5", "error SHAPE", "ANNOTATION:ASSET"),
    ],
)
def test_values_that_do_not_arrive_as_meant(content, found, words):
    findings = template(content)
    assert found in codes(findings), findings
    text = " ".join(
        f"{one.message} {fix.text} {fix.edit}"
        for one in findings
        for fix in one.fix
        if f"{one.level} " in found
    )
    assert words in text


@pytest.mark.parametrize(
    "content",
    [
        "a: 1.0e-3", "a: 0.001", "a: true", "a: 'yes'", "a: text", "a: 10", "a: ''", 'a: "1e-3"', "shm_size: 16G",
        "shm_size: 512m", "export_format: ark:raw", "export_format: VOC:raw", "export_format: seg-coco:raw",
        "export_format: ''", "ymir_debug: false", "a: -1", f"{'k' * 50}: {'x' * 100}", "{}",
    ],
)  # fmt: skip
def test_values_that_arrive_as_meant(content):
    assert template(content) == ()


def test_a_template_larger_than_the_platform_keeps():
    lines = [f"key_{number}: {'x' * 90}" for number in range(200)]
    found = [one for one in template("\n".join(lines)) if one.code == "LW-YMIR-SIZE"]
    assert len(found) == 1
    assert "20,000" in found[0].message


def test_findings_know_their_line():
    def place(path, key, line):
        from layerwright.core.findings import Place
        from layerwright.core.source import Location

        return Place(location=Location(file=path, line=line, key=key))

    view = ImageView(name="x", files={**GOOD, TRAINING: b"a: 1\n\nlr: 1e-3\n"})
    (found,) = judge_image(view, place)
    assert found.where.location is not None
    assert (found.where.location.line, found.where.location.key) == (3, "lr")


# Dropped values (§1.3)


def test_training_keeps_what_mining_and_inference_drop():
    assert template("a: 0\nb: false\nc: ''") == ()
    (found,) = mining("a: 0\nb: false\nc: ''\nd: 1")
    assert codes([found]) == {"note FALSY"}
    assert "a, b and c" in found.message


def test_a_zero_that_cannot_be_chosen():
    one = Parameter(name="topk", type="int", default=5, minimum=0, maximum=9)
    texts = image_files(Executor(parameters=(one,)))
    found = judge(files={path: text.encode() for path, text in texts.items()})
    assert codes(found) == {"note ZERO"}
    assert {one.where.path for one in found} == {MINING, "/img-man/infer-template.yaml"}


# The manifest (§1.2, 6)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("2", set()),
        ("3", set()),
        ("4", set()),
        ("50", set()),
        ("7", {"warning OBJECT-TYPE"}),
        ("1", {"warning OBJECT-TYPE"}),
        ("'2'", {"error OBJECT-TYPE"}),
        ("det", {"error OBJECT-TYPE"}),
        ("2.0", {"error OBJECT-TYPE"}),
        ("null", {"error OBJECT-TYPE"}),
        ("[]", {"error OBJECT-TYPE", "warning FOLDER"}),
        ("true", {"error OBJECT-TYPE"}),
        ("[2, 7]", {"error OBJECT-TYPE", "error FOLDER", "warning FOLDER", "error NO-TEMPLATE"}),
    ],
)
def test_object_types(value, found):
    assert codes(manifest(f"object_type: {value}\n")) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("enable_livecode: true", set()),
        ("enable_livecode: 'false'", {"error FLAG"}),
        ("is_official: 'false'", {"error FLAG"}),
        ("enable_livecode: 0", {"warning FLAG"}),
        ("- 2", {"warning MANIFEST"}),
        ("# nothing", {"warning MANIFEST"}),
        ("since: 2020-01-01", {"error MANIFEST"}),
        ("name: x", {"note MANIFEST"}),
    ],
)
def test_manifests(text, found):
    assert codes(manifest(text)) == found


def test_no_manifest_means_detection():
    found = judge(files={TRAINING: b"a: 1"})
    assert codes(found) == {"note MANIFEST"}


def test_live_code_as_releases_2_0_had_it():
    found = judge(files={**GOOD, "/img-man/code-access.yaml": b"{}"})
    assert codes(found) == {"warning MANIFEST"}
    text = b"object_type: 2\nenable_livecode: true\n"
    assert judge(files={**GOOD, MANIFEST: text, "/img-man/code-access.yaml": b"{}"}) == ()


def test_no_template_at_all():
    found = judge(files={MANIFEST: GOOD[MANIFEST]})
    assert codes(found) == {"error NO-TEMPLATE"}
    assert "130401" in found[0].message


def test_several_object_types_read_their_folders():
    text = b"object_type: [2, 4]\n"
    document = read_answer(Answer(stdout=text))
    assert template_folders(document) == ("det", "instance-seg")
    assert wanted_files(document)[:2] == (
        "/img-man/det/training-template.yaml",
        "/img-man/det/mining-template.yaml",
    )
    folder = "/img-man/instance-seg/training-template.yaml"
    both = {"/img-man/det/training-template.yaml": b"a: 1", folder: b"a: 1"}
    assert judge(files={MANIFEST: text, **both}) == ()
    missing = judge(files={MANIFEST: text, "/img-man/det/training-template.yaml": b"a: 1"})
    assert codes(missing) == {"error FOLDER"}
    assert "instance-seg" in missing[0].message
    at_root = judge(files={MANIFEST: text, **both, TRAINING: b"a: 1"})
    assert codes(at_root) == {"warning FOLDER"}


def test_one_object_type_reads_no_folder():
    found = judge(files={**GOOD, "/img-man/det/training-template.yaml": b"a: 1"})
    assert codes(found) == {"warning FOLDER"}
    assert "never read" in found[0].message


# Through the entrypoint


def answered(**changed: Answer) -> dict[str, Answer]:
    answers = {path: Answer(stdout=text) for path, text in GOOD.items()}
    absent = Answer(exit_code=1, stderr=b"cat: x: No such file or directory\n")
    return {
        **answers,
        MINING: absent,
        **{TRAINING if key == "training" else key: one for key, one in changed.items()},
    }


def test_an_entrypoint_that_passes_cat_through():
    assert (
        judge(answers=answered(), start=Start(entrypoint=("/own",), command=("bash", "/usr/bin/start.sh")))
        == ()
    )


def test_a_banner_that_hides_the_template():
    found = judge(answers=answered(training=Answer(stdout=b"== CUDA ==\n" + GOOD[TRAINING])))
    assert codes(found) == {"error BANNER", "error NO-TEMPLATE"}
    assert "does not see the file" in found[0].message
    assert found[0].evidence[0].text == "== CUDA =="


def test_a_banner_that_becomes_a_parameter():
    found = judge(answers=answered(training=Answer(stdout=b"CUDA: ok\n" + GOOD[TRAINING])))
    assert codes(found) == {"error BANNER"}
    assert "parameters: CUDA" in found[0].message
    assert "9 bytes" in found[0].message


def test_one_banner_before_many_files_is_one_finding():
    answers = {path: Answer(stdout=b"hi\n" + text) for path, text in GOOD.items()}
    found = [one for one in judge(answers=answers) if one.code == "LW-YMIR-BANNER"]
    assert len(found) == 1
    assert "1 more file" in found[0].message


def test_an_error_text_that_is_taken_for_the_template():
    found = judge(answers=answered(training=Answer(exit_code=126, stderr=b"exec failed: nope\n")))
    assert codes(found) == {"error STDERR"}
    assert "126" in found[0].message


def test_a_command_that_fails_after_the_file():
    found = judge(answers=answered(training=Answer(exit_code=1, stdout=GOOD[TRAINING], stderr=b"a: b\n")))
    assert codes(found) == {"error STDERR"}


def test_text_after_the_file():
    found = judge(answers=answered(training=Answer(stdout=GOOD[TRAINING] + b"bye: now\n")))
    assert codes(found) == {"error BANNER"}
    assert "other bytes" in found[0].message


def test_an_entrypoint_that_fails():
    told = b"python: can't open file 'cat': [Errno 2] No such file\n"
    found = judge(answers=answered(training=Answer(exit_code=2, stderr=told)))
    assert codes(found) == {"error ENTRYPOINT", "error NO-TEMPLATE"}


def test_an_entrypoint_that_answers_for_a_file_that_is_not_there():
    answers = {**answered(), MINING: Answer(stdout=b"usage: run\n")}
    found = judge(answers=answers)
    assert codes(found) == {"error BANNER"}
    assert "there is no such file" in found[0].message


@pytest.mark.parametrize(
    ("entrypoint", "found"),
    [
        ((), set()),
        (("/.layerwright/entry",), set()),
        (("/usr/bin/tini", "--"), set()),
        (("python",), {"error ENTRYPOINT"}),
        (("/opt/conda/bin/python3.10",), {"error ENTRYPOINT"}),
        (("bash",), {"error ENTRYPOINT"}),
        (("python", "/app/main.py"), {"error ENTRYPOINT"}),
        (("/bin/sh", "-c", "bash /usr/bin/start.sh"), {"error ENTRYPOINT"}),
        (("/bin/bash", "-lc", "start"), {"error ENTRYPOINT"}),
        (("/bin/bash", "-l"), {"error ENTRYPOINT"}),
        (("/bin/sh", "-c", 'exec "$@"', "--"), {"unknown ENTRYPOINT"}),
        (("/opt/nvidia/nvidia_entrypoint.sh",), {"error ENTRYPOINT"}),
        (("/.layerwright/entry", "python"), {"error ENTRYPOINT"}),
        (("/own",), {"unknown ENTRYPOINT"}),
    ],
)
def test_entrypoints_by_their_words(entrypoint, found):
    assert codes(judge(start=Start(entrypoint=entrypoint, command=("bash", "/usr/bin/start.sh")))) == found


@pytest.mark.parametrize(
    ("base", "found"),
    [
        ("debian:bookworm", set()),
        ("python:3.11-slim@sha256:00", set()),
        ("nvidia/cuda:11.8.0-runtime-ubuntu22.04", {"warning ENTRYPOINT"}),
        ("nvcr.io/nvidia/pytorch:24.01-py3", {"warning ENTRYPOINT"}),
        ("registry.example.org/team/base:1", {"unknown ENTRYPOINT"}),
    ],
)
def test_the_entrypoint_of_a_base(base, found):
    assert codes(judge(start=Start(inherits=base, command=("bash", "/usr/bin/start.sh")))) == found


def test_an_image_that_runs_nothing():
    assert codes(judge(start=Start())) == {"error COMMAND"}


def test_a_start_script_that_is_not_there():
    start = Start(command=("bash", "/usr/bin/start.sh"), script="/usr/bin/start.sh", script_state="absent")
    (found,) = judge(start=start)
    assert codes([found]) == {"error COMMAND"}
    assert found.where.path == "/usr/bin/start.sh"


def test_what_the_platforms_user_may_not_read():
    start = Start(
        command=("bash", "/root/start.sh"), script="/root/start.sh", script_state="present", closed="/root"
    )
    assert codes(judge(start=start)) == {"error READABLE"}
    assert codes(judge(closed=(TRAINING,))) == {"warning READABLE"}


def test_a_link_whose_file_was_not_read():
    found = judge(files={MANIFEST: GOOD[MANIFEST]}, unread=(TRAINING,))
    assert codes(found) == {"unknown TEMPLATE"}


# parameters.json beside the templates


@pytest.mark.parametrize(
    ("training", "found"),
    [
        ("epochs: 10\n", set()),
        ("epochs: 11\n", {"warning PARAMETERS"}),
        ("epochs: 10\nmore: 1\n", {"warning PARAMETERS"}),
        ("{}\n", {"warning PARAMETERS"}),
        ("epochs: true\n", {"warning PARAMETERS"}),
    ],
)
def test_parameters_that_differ_from_the_template(training, found):
    one = Parameter(name="epochs", type="int", default=10, tasks=("training",))
    files = {path: text.encode() for path, text in image_files(Executor(parameters=(one,))).items()}
    assert codes(judge(files={**files, TRAINING: training.encode()})) == found


def test_parameters_that_cannot_be_read():
    found = judge(files={**GOOD, "/img-man/parameters.json": b"{}"})
    assert codes(found) == {"error PARAMETERS"}


@pytest.mark.parametrize("types", [("detection",), ("detection", "instance-segmentation", "multi-modal")])
def test_what_we_generate_is_sound(types):
    parameters = (
        Parameter(
            name="epochs", type="int", default=10, minimum=1, unit="epochs", help="passes: all of them"
        ),
        Parameter(name="rate", type="float", default=1e-9, tasks=("training",)),
        Parameter(name="kind", type="choice", default="no", choices=("no", "yes")),
        Parameter(name="flip", type="bool", default=True),
    )
    texts = image_files(Executor(object_types=types, live_code=True, parameters=parameters))
    assert judge(files={path: text.encode() for path, text in texts.items()}) == ()
