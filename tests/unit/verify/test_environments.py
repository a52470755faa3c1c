"""Which Pythons an image has, and what is installed in each."""

from layerwright.verify.python.dists import metadata_identity
from support.elf_file import Elf
from support.made_image import SITE, Link, debian, dist, inspect_image


def names(environment):
    return sorted(f"{dist.name} {dist.version}" for dist in environment.dists.values())


def find(image, prefix):
    return next(one for one in image.environments if one.prefix == prefix)


def test_a_virtual_environment(tmp_path):
    image = inspect_image(tmp_path, debian(), {**dist("Demo_Thing", "1.0"), **dist("numpy", "2.1.0")})
    environment = find(image, "/opt/venv")
    assert names(environment) == ["demo-thing 1.0", "numpy 2.1.0"]
    assert (environment.version, environment.full_version) == ("3.11", "3.11.2")
    assert environment.interpreter == "/usr/bin/python3.11"
    assert environment.is_venv


def test_debians_own_python(tmp_path):
    image = inspect_image(
        tmp_path,
        debian(),
        {
            **dist("six", "1.16.0", site="usr/lib/python3/dist-packages"),
            **dist("six", "1.17.0", site="usr/local/lib/python3.11/dist-packages"),
        },
    )
    environment = find(image, "/usr")
    assert names(environment) == ["six 1.17.0"]
    assert [one.version for one in environment.shadowed] == ["1.16.0"]
    assert environment.version == "3.11"


def test_a_python_below_usr_local_and_conda(tmp_path):
    image = inspect_image(
        tmp_path,
        {
            "usr/local/bin/python3.12": Elf(),
            **dist("pip", "24.0", site="usr/local/lib/python3.12/site-packages"),
            "opt/conda/bin/python3.10": Elf(),
            **dist("torch", "2.4.1", site="opt/conda/lib/python3.10/site-packages"),
        },
    )
    assert [(one.prefix, one.version, one.interpreter) for one in image.environments] == [
        ("/opt/conda", "3.10", "/opt/conda/bin/python3.10"),
        ("/usr/local", "3.12", "/usr/local/bin/python3.12"),
    ]


def test_system_packages_seen_from_a_virtual_environment(tmp_path):
    config = b"home = /usr/bin\ninclude-system-site-packages = true\nversion = 3.11.2\n"
    image = inspect_image(
        tmp_path,
        debian(**{"opt/venv/pyvenv.cfg": config}),
        {**dist("own"), **dist("systems", site="usr/lib/python3/dist-packages")},
    )
    assert names(find(image, "/opt/venv")) == ["own 1.0", "systems 1.0"]


def test_lib64_is_not_a_second_environment(tmp_path):
    image = inspect_image(tmp_path, debian(), {"opt/venv/lib64": Link(target="lib"), **dist("demo")})
    environment = find(image, "/opt/venv")
    assert names(environment) == ["demo 1.0"]
    assert environment.shadowed == ()


def test_folders_of_pythonpath_come_first(tmp_path):
    image = inspect_image(
        tmp_path,
        debian(),
        {**dist("demo", "2", site="opt/app"), **dist("demo", "1")},
        env={"PYTHONPATH": "/opt/app:relative"},
    )
    # Metadata of folders that are no site folders is not kept: they hold people's own code.
    assert names(find(image, "/opt/venv")) == ["demo 1"]


def test_metadata_of_old_and_odd_kinds(tmp_path):
    image = inspect_image(
        tmp_path,
        debian(),
        {
            f"{SITE}/old-1.2-py3.11.egg-info": b"Metadata-Version: 1.1\nName: old\nVersion: 1.2\n",
            f"{SITE}/folder-2.egg-info/PKG-INFO": b"Name: folder\nVersion: 2\nRequires-Dist: a;\n b\n",
            f"{SITE}/nothing-3.0.dist-info/METADATA": b"garbage\xff\n",
            f"{SITE}/empty-4.dist-info/INSTALLER": b"pip\n",
        },
    )
    environment = find(image, "/opt/venv")
    assert names(environment) == ["folder 2", "nothing 3.0", "old 1.2"]
    assert environment.dists["folder"].requires == ("a; b",)


def test_rows_of_record(tmp_path):
    record = (
        "demo/a.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\n"
        '"demo/with,comma.py",,\n'
        "../../../bin/tool,sha256=short,12\n"
        "/etc/absolute,md5=abc,x\n"
        "../../../../../../../../outside,,\n\n"
    )
    image = inspect_image(tmp_path, debian(), dist("demo", record=record))
    rows = list(find(image, "/opt/venv").dists["demo"].rows())
    assert [row.path for row in rows] == [
        f"/{SITE}/demo/a.py",
        f"/{SITE}/demo/with,comma.py",
        "/opt/venv/bin/tool",
        "/etc/absolute",
        "/outside",
    ]
    assert [len(row.sha256) for row in rows] == [32, 0, 0, 0, 0]
    assert [row.size for row in rows] == [0, -1, 12, -1, -1]


def test_names_of_metadata():
    assert metadata_identity(b"Name: My.Thing_x\r\nVersion: 1\r\n\r\nName: other\r\n") == ("my-thing-x", "1")
    assert metadata_identity(b"") == ("", "")
