import pytest

from layerwright.oci.platform import Platform
from layerwright.spec.model import Base, IndexPackage, Mount
from support.spec import problem_of, problems_of, spec_of


def requirements(cell):
    return [package.requirement for package in cell.packages if isinstance(package, IndexPackage)]


def test_an_image_says_little_and_gets_the_defaults():
    cell = spec_of('[images.a]\nfrom = "debian:bookworm"').cells["a"]
    assert cell.base == Base(kind="debian", source="bookworm")
    assert (cell.role, cell.accelerator, cell.workdir, cell.python) == ("inference", "cpu", "/code", "")
    assert cell.platform == Platform(os="linux", architecture="amd64")
    assert cell.references == ("demo-a:local",)
    assert cell.bytecode
    assert cell.prereleases == "if-necessary-or-explicit"
    assert str(cell.location) == "layerwright.toml [images.a]"


def test_the_tag_is_the_projects_version_where_none_is_said():
    spec = spec_of('[project]\nname="Démo x"\nversion="2.0"\n[images.a]\nfrom="debian:sid"\nname="x/y"')
    assert spec.cells["a"].references == ("x/y:2.0",)


def test_defaults_are_merged_into_images():
    cell = spec_of("""
        [defaults]
        from = "debian"
        python = "3.11"
        apt = ["git", "curl"]
        packages = ["numpy"]
        tags = ["1"]
        entrypoint = ["python"]
        env = { A = "default", B = "default" }
        [images.a]
        apt = ["curl", "ffmpeg"]
        packages = ["pillow"]
        tags = ["2", "3"]
        entrypoint = ["sh"]
        env = { B = "image" }
        """).cells["a"]
    assert cell.base.source == "bookworm"
    assert cell.apt == ("git", "curl", "ffmpeg")
    assert requirements(cell) == ["numpy", "pillow"]
    assert [package.location.key for package in cell.packages] == [
        "defaults.packages[0]",
        "images.a.packages[0]",
    ]
    assert cell.tags == ("2", "3")
    assert cell.entrypoint == ("sh",)
    assert cell.env == {"A": "default", "B": "image"}


def test_run_as_a_list_holds_commands():
    cell = spec_of("""
        [images.a]
        from = "debian:bookworm"
        run = [{ script = "make", secrets = ["t"], network = true, env = { A = "1" } }, { argv = ["id", "-u"] }]
        [secrets.t]
        env = "T"
        """).cells["a"]
    script, argv = cell.run
    assert script.argv == ("/bin/sh", "-euc", "make")
    assert (script.script, script.secrets, script.network, script.env) == ("make", ("t",), True, {"A": "1"})
    assert (argv.argv, argv.script, argv.location.key) == (("id", "-u"), "", "images.a.run[1]")


def test_run_as_a_table_holds_options_and_commands():
    cell = spec_of("""
        [images.a]
        from = "debian:bookworm"
        [images.a.run]
        commands = [{ script = "make" }]
        gpus = "all"
        shm_size = "8g"
        groups = ["render"]
        mounts = [{ from = "data", to = "/data", read_only = true }]
        network = false
        """).cells["a"]
    assert cell.run[0].location.key == "images.a.run.commands[0]"
    options = cell.run_options
    assert (options.gpus, options.shm_size, options.groups, options.network) == (
        "all",
        "8g",
        ("render",),
        False,
    )
    assert options.mounts == (Mount(source="data", to="/data", read_only=True),)


def test_smoke_tests_are_split_as_a_shell_does():
    cell = spec_of("""
        [images.a]
        from = "debian:bookworm"
        smoke = ["python -c 'import a; a.b()'", "ls  -l /x", ["echo", "a b"], "echo 甲　乙"]
        """).cells["a"]
    assert [item.argv for item in cell.smoke] == [
        ("python", "-c", "import a; a.b()"),
        ("ls", "-l", "/x"),
        ("echo", "a b"),
        ("echo", "甲　乙"),
    ]


CHAIN = """
    [defaults]
    python = "3.11"
    apt = ["git"]
    smoke = ["true"]
    env = { D = "default" }
    [images.child]
    from = "image:parent"
    packages = ["scipy"]
    env = { A = "child" }
    writable = ["TORCH_HOME"]
    run = { shm_size = "1g", mounts = [{ from = "y", to = "/y" }] }
    [images.parent]
    from = "debian:bullseye"
    python = "3.9"
    role = "base"
    accelerator = "nvidia"
    timezone = "Asia/Taipei"
    workdir = "/srv"
    entrypoint = ["python"]
    command = ["x.py"]
    labels = { l = "1" }
    env = { A = "parent", B = "parent", D = "parent" }
    writable = ["HF_HOME"]
    packages = ["numpy"]
    apt = ["ffmpeg"]
    smoke = ["id"]
    [images.parent.run]
    commands = [{ script = "make" }]
    gpus = "all"
    mounts = [{ from = "x", to = "/x" }]
    """


def test_a_child_inherits_what_is_not_in_the_layers_below():
    spec = spec_of(CHAIN)
    assert list(spec.cells) == ["parent", "child"]
    child = spec.cells["child"]
    assert child.base == Base(kind="image", source="parent")
    assert (child.python, child.timezone, child.workdir) == ("3.9", "Asia/Taipei", "/srv")
    assert (child.entrypoint, child.command, child.labels) == (("python",), ("x.py",), {"l": "1"})
    assert child.accelerator == "nvidia"
    assert child.env == {"A": "child", "B": "parent", "D": "parent"}
    assert child.writable == ("HF_HOME", "TORCH_HOME")
    assert (child.run_options.gpus, child.run_options.shm_size) == ("all", "1g")
    assert [mount.to for mount in child.run_options.mounts] == ["/x", "/y"]


def test_a_child_does_not_repeat_its_parents_layers():
    spec = spec_of(CHAIN)
    child = spec.cells["child"]
    assert child.role == "inference"
    assert requirements(child) == ["scipy"]
    assert (child.apt, child.run, child.copy, child.models) == ((), (), (), ())
    assert [item.argv for item in child.smoke] == [("true",)]
    assert spec.cells["parent"].apt == ("git", "ffmpeg")


def test_matrix_cells_are_named_by_their_axes_in_order():
    spec = spec_of("""
        [images.a]
        from = "debian"
        name = "team/a"
        tags = ["1.2", "1"]
        [images.a.matrix]
        variant = ["slim", "full"]
        python = ["3.9", "3.11"]
        """)
    assert list(spec.cells) == ["a-slim-py39", "a-slim-py311", "a-full-py39", "a-full-py311"]
    cell = spec.cells["a-slim-py39"]
    assert list(cell.axes.items()) == [("variant", "slim"), ("python", "3.9")]
    assert cell.references == ("team/a:1.2-slim-py39", "team/a:1-slim-py39")
    assert cell.base.source == "bullseye"
    assert cell.image == "a"


@pytest.mark.parametrize(
    ("base", "name"),
    [
        ("debian:trixie", "a-trixie"),
        ("image:b", "a-b"),
        ("oci:layouts/cuda", "a-cuda"),
        ("nvcr.io/nvidia/cuda:12.4.1-base", "a-cuda-12.4.1-base"),
        (f"python@sha256:{'0' * 64}", "a-python"),
    ],
)
def test_bases_as_axis(base, name):
    spec = spec_of(f'[images.a.matrix]\nfrom = ["{base}"]\n[images.b]\nfrom = "debian:trixie"')
    assert name in spec.cells


def test_overrides_change_the_cells_they_are_for():
    spec = spec_of("""
        [images.a]
        from = "debian"
        packages = ["numpy"]
        workdir = "/a"
        env = { A = "1", B = "1" }
        matrix = { python = ["3.9", "3.11"], accelerator = ["cpu", "nvidia"] }
        [[images.a.override]]
        when = { python = "3.9" }
        from = "python:3.9-slim"
        packages = ["typing-extensions"]
        workdir = "/b"
        env = { B = "2" }
        [[images.a.override]]
        when = { python = ["3.9", "3.11"], accelerator = "nvidia" }
        packages = ["onnxruntime-gpu"]
        """)
    assert requirements(spec.cells["a-py39-cpu"]) == ["numpy", "typing-extensions"]
    assert requirements(spec.cells["a-py39-nvidia"]) == ["numpy", "typing-extensions", "onnxruntime-gpu"]
    assert requirements(spec.cells["a-py311-cpu"]) == ["numpy"]
    assert requirements(spec.cells["a-py311-nvidia"]) == ["numpy", "onnxruntime-gpu"]
    changed = spec.cells["a-py39-cpu"]
    assert (str(changed.base), changed.workdir, changed.env) == (
        "python:3.9-slim",
        "/b",
        {"A": "1", "B": "2"},
    )
    assert spec.cells["a-py311-cpu"].workdir == "/a"


PARENT = """
    [images.p]
    from = "debian"
    matrix = { python = ["3.9", "3.11"], accelerator = ["cpu", "nvidia"] }
    """


@pytest.mark.parametrize(
    ("child", "parent"),
    [
        ('python = "3.9"\naccelerator = "nvidia"', {"c": "p-py39-nvidia"}),
        (
            'matrix = { accelerator = ["cpu", "nvidia"] }\npython = "3.11"',
            {"c-cpu": "p-py311-cpu", "c-nvidia": "p-py311-nvidia"},
        ),
        ('python = "3.9"\nmatrix = { accelerator = ["nvidia"] }', {"c-nvidia": "p-py39-nvidia"}),
    ],
)
def test_a_child_starts_from_the_cell_with_its_values(child, parent):
    spec = spec_of(f'{PARENT}\n[images.c]\nfrom = "image:p"\n{child}')
    assert {name: cell.base.source for name, cell in spec.cells.items() if cell.image == "c"} == parent


def test_a_child_may_name_its_parents_cell():
    spec = spec_of(f'{PARENT}\n[images.c]\nfrom = "image:p-py39-cpu"')
    assert spec.cells["c"].base.source == "p-py39-cpu"
    assert spec.cells["c"].python == "3.9"


def test_the_defaults_choose_among_a_parents_cells():
    spec = spec_of(
        f'[defaults]\npython = "3.11"\naccelerator = "cpu"\n{PARENT}\n[images.c]\nfrom = "image:p"'
    )
    assert spec.cells["c"].base.source == "p-py311-cpu"


def test_an_ambiguous_parent_is_an_error_that_lists_the_choices():
    problem = problem_of(f'{PARENT}\n[images.c]\nfrom = "image:p"\npython = "3.9"')
    assert problem.what == "'c' could start from several cells of 'image:p'"
    assert problem.hint == "name one: image:p-py39-cpu, image:p-py39-nvidia"


def test_a_parent_without_the_value_is_an_error():
    problem = problem_of(f'{PARENT}\n[images.c]\nfrom = "image:p"\npython = "3.13"\naccelerator = "cpu"')
    assert "has no cell with python 3.13, accelerator cpu" in problem.what
    assert problem.where.key == "images.c.from"


@pytest.mark.parametrize(
    ("edges", "cycle"),
    [
        ({"a": "a"}, "a → a"),
        ({"a": "b", "b": "a"}, "a → b → a"),
        ({"a": "b", "b": "c", "c": "b"}, "b → c → b"),
    ],
)
def test_a_cycle_is_shown(edges, cycle):
    text = "".join(f'[images.{child}]\nfrom = "image:{parent}"\n' for child, parent in edges.items())
    assert problem_of(text).what == f"images start from each other: {cycle}"


def test_a_cycle_of_matrix_images_is_shown_once():
    text = '[images.{}]\nfrom = "image:{}"\nmatrix = {{ python = ["3.9", "3.11"] }}\n'
    problems = problems_of(text.format("a", "b") + text.format("b", "a"))
    assert [problem.what for problem in problems] == ["images start from each other: a → b → a"]


def test_a_child_of_another_python_than_its_parents_packages():
    problem = problem_of("""
        [images.p]
        from = "python:3.11-slim"
        python = "3.11"
        packages = ["numpy"]
        [images.c]
        from = "image:p"
        python = "3.9"
        """)
    assert problem.what == "'c' has Python 3.9, but its parent 'p' has packages for 3.11"
    assert problem.where.key == "images.c.python"


def test_a_base_without_packages_leaves_the_python_open():
    spec = spec_of("""
        [defaults]
        python = "3.11"
        [images.p]
        from = "nvcr.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04"
        [images.c]
        from = "image:p"
        packages = ["numpy"]
        matrix = { python = ["3.9", "3.13"] }
        """)
    assert [spec.cells[name].python for name in ("p", "c-py39", "c-py313")] == ["3.11", "3.9", "3.13"]


def test_a_debian_parent_settles_the_python():
    problem = problem_of("""
        [images.p]
        from = "debian:bookworm"
        [images.c]
        from = "image:p"
        python = "3.13"
        """)
    assert problem.what == "'c': Debian bookworm has Python 3.11, not 3.13; debian:trixie has 3.13"


def test_indexes_and_secrets():
    spec = spec_of("""
        [images.a]
        from = "debian:bookworm"
        [indexes.internal]
        url = "https://pypi.example.org/simple"
        credentials = "env:IDX"
        explicit = true
        packages = ["Torch_Vision"]
        [indexes.local]
        url = "wheels"
        format = "flat"
        [indexes.near]
        url = "http://127.0.0.1:3141/simple"
        default = true
        [secrets.t]
        file = "t.txt"
        """)
    internal = spec.indexes["internal"]
    assert (internal.credentials, internal.explicit, internal.packages) == (
        "env:IDX",
        True,
        ("torch-vision",),
    )
    assert list(spec.indexes) == ["internal", "local", "near"]
    assert (spec.secrets["t"].file, spec.secrets["t"].env) == ("t.txt", "")


def test_two_cells_with_one_reference():
    problem = problem_of(
        '[images.a]\nfrom="debian:sid"\nname="x"\n[images.b]\nfrom="debian:sid"\nname="x"\ntags=["1", "local"]'
    )
    assert problem.what == "'a' and 'b' have the same reference 'x:local'"


def test_two_cells_with_one_name():
    problem = problem_of(
        '[images.a-py39]\nfrom="debian:sid"\n[images.a]\nfrom="debian"\nmatrix={python=["3.9"]}'
    )
    assert problem.what == "two cells are named 'a-py39': of images 'a-py39' and 'a'"


def test_chinese_names_and_values():
    spec = spec_of("""
        [images."图像"]
        from = "debian:bookworm"
        name = "tu-xiang"
        env = { TITLE = "收据识别" }
        labels = { "说明" = "测试" }
        """)
    cell = spec.cells["图像"]
    assert cell.env == {"TITLE": "收据识别"}
    assert cell.labels == {"说明": "测试"}
    assert cell.location.key == 'images."图像"'
