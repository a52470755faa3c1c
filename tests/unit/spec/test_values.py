"""One faulty value at a time: what is said about it, and where."""

import pytest

from support.spec import problem_of, problems_of, spec_of

BASE = '[images.a]\nfrom = "debian:bookworm"\n'
SHA = "0" * 64


@pytest.mark.parametrize(
    ("line", "key", "what"),
    [
        ('python = "3"', "python", "'3' must be a Python version such as \"3.11\""),
        ('python = "3.11.2"', "python", "'3.11.2' must be a Python version"),
        ('python = "3.011"', "python", "must be a Python version"),
        ('platforms = ["linux/riscv64"]', "platforms[0]", "unknown platform 'linux/riscv64'"),
        ('platforms = ["linux/amd64", "linux/arm64"]', "platforms[1]", "exactly one platform for now, not 2"),
        ("platforms = []", "platforms", "'platforms' must not be empty"),
        ('tags = ["-x"]', "tags[0]", "'-x' must be a tag"),
        ('tags = ["a\\n"]', "tags[0]", "must be a tag"),
        ('name = "Upper"', "name", "'Upper' must be a repository name"),
        ('name = "a:1"', "name", "'a:1' must be a repository name"),
        ('apt = ["Git"]', "apt[0]", "'Git' must be a Debian package"),
        ('timezone = "Asia Taipei"', "timezone", "must be a time zone"),
        ('exclude-newer = "2025-02-30"', "exclude-newer", "'2025-02-30' is no date"),
        ('exclude-newer = "yesterday"', "exclude-newer", "must be a date or time of RFC 3339"),
        ('env = { "A-B" = "1" }', "env.A-B", "'A-B' must be the name of an environment variable"),
        ('writable = ["1"]', "writable[0]", "'1' must be the name of an environment variable"),
        ('workdir = "code"', "workdir", "'code' must be an absolute path in the image"),
        ('packages = ["numpy>>2"]', "packages[0]", "'numpy>>2' is not a requirement"),
        ('packages = ["numpy @ https://example.org/n.whl"]', "packages[0]", "it names an address"),
        ("packages = [{}]", "packages[0]", "exactly one of path, git and url, which is missing"),
        (
            'packages = [{ path = ".", git = "x" }]',
            "packages[0]",
            "exactly one of path, git and url, not path and git",
        ),
        ('packages = [{ path = "nix" }]', "packages[0].path", "'nix' does not exist"),
        (
            'packages = [{ path = "..", extras = ["x"] }]',
            "packages[0].path",
            "'..' is outside of the project",
        ),
        (
            'packages = [{ path = ".", rev = "1" }]',
            "packages[0].rev",
            "'rev' goes with 'git', not with 'path'",
        ),
        ('packages = [{ git = "https://example.org/x" }]', "packages[0]", "a git package needs 'rev'"),
        (
            'packages = [{ url = "https://example.org/x-1.0-py3-none-any.whl" }]',
            "packages[0]",
            "needs 'sha256'",
        ),
        (
            f'packages = [{{ url = "x.whl", sha256 = "{SHA}" }}]',
            "packages[0].url",
            "not an http, https or file address",
        ),
        (
            'packages = [{ url = "https://x/x.whl", sha256 = "0" }]',
            "packages[0].sha256",
            "64 hexadecimal digits",
        ),
        ('constraints = ["a b"]', "constraints[0]", "'a b' is not a constraint"),
        (
            f'models = [{{ url = "ftp://x/y", sha256 = "{SHA}", to = "/y" }}]',
            "models[0].url",
            "not an http, https",
        ),
        (
            f'models = [{{ url = "models/../../y", sha256 = "{SHA}", to = "/y" }}]',
            "models[0].url",
            "'models/../../y' is outside of the project",
        ),
        (
            f'models = [{{ url = "https://x/y", sha256 = "{SHA}", to = "/y/../z" }}]',
            "models[0].to",
            "has '..' in it",
        ),
        (
            f'models = [{{ url = "https://x/y", sha256 = "{SHA}", to = "/y", mode = "9" }}]',
            "models[0].mode",
            "permission",
        ),
        ('copy = [{ from = "nix", to = "/x" }]', "copy[0].from", "'nix' does not exist"),
        ('copy = [{ from = "/nix-there", to = "/x" }]', "copy[0].from", "'/nix-there' does not exist"),
        (
            'copy = [{ from = "a/../../b", to = "/x" }]',
            "copy[0].from",
            "'a/../../b' is outside of the project",
        ),
        ('copy = [{ from = "." }]', "copy[0]", "missing key 'to'"),
        ("run = [{}]", "run[0]", "exactly one of script and argv, which is missing"),
        ('run = [{ script = "x", argv = ["x"] }]', "run[0]", "exactly one of script and argv, not both"),
        ('run = { gpus = "some" }', "run.gpus", '\'some\' must be "none", "all"'),
        ('run = { shm_size = "8gb" }', "run.shm_size", "'8gb' must be a size"),
        ('run = [{ script = "x", secrets = ["t"] }]', "run[0].secrets[0]", "there is no secret 't'"),
        ('smoke = ["python -c \'x"]', "smoke[0]", "a shell cannot split"),
        ("smoke = [[]]", "smoke[0]", "needs a program to run"),
        ('packages = ["numpy"]', "", "image 'a' has packages but no Python"),
        ('matrix = { variant = ["a", "a"] }', "matrix.variant[1]", "'a' is in the axis twice"),
        (
            f'tags = ["{"x" * 126}"]\nmatrix = {{ variant = ["abc"] }}',
            "tags",
            "is longer than 128 characters",
        ),
        ("role = 1", "role", "'role' must be text, not a number"),
        ("run = 1", "run", "'run' must be a list or a table, not a number"),
        ("bytecode = 1", "bytecode", "'bytecode' must be true or false, not a number"),
        ("exclude-newer = 2025-01-31", "exclude-newer", "'exclude-newer' must be text, not a date or time"),
    ],
)
def test_faulty_values_of_an_image(line, key, what, tmp_path):
    (tmp_path / "a").mkdir()
    needs_python = "\npython = '3.11'" if line.startswith("packages = [{") else ""
    problem = problem_of(BASE + line + needs_python, tmp_path)
    assert what in problem.what
    assert problem.where.key == f"images.a.{key}".removesuffix(".")
    assert problem.where.line >= 3
    assert problem.where.text


@pytest.mark.parametrize(
    ("base", "what"),
    [
        ("python", "'python' has neither tag nor digest, and there is no implicit latest"),
        ("localhost:5000/python", "has neither tag nor digest"),
        ("docker:thing", "has neither tag nor digest"),
        ("Python:3", "neither a known kind of base nor an image reference"),
        ("oci:", "nothing stands after oci:"),
        ("debian:Book Worm", "'Book Worm' is not the name of a Debian suite"),
        ("image:b", "there is no image 'b'"),
        ("debian", "debian without a suite needs `python`"),
        ("https://u:pw@example.org/x:1", "must not hold credentials"),
    ],
)
def test_faulty_bases(base, what):
    problem = problem_of(f'[images.a]\nfrom = "{base}"')
    assert what in problem.what
    assert (problem.where.key, problem.where.line, problem.where.column) == ("images.a.from", 4, 8)
    assert "pw" not in repr(problem)


@pytest.mark.parametrize(
    ("python", "suite", "what"),
    [
        ("3.13", "bookworm", "Debian bookworm has Python 3.11, not 3.13; debian:trixie has 3.13"),
        ("3.12", "bookworm", "Debian bookworm has Python 3.11, not 3.12"),
    ],
)
def test_a_suite_without_the_python(python, suite, what):
    assert problem_of(f'[images.a]\nfrom = "debian:{suite}"\npython = "{python}"').what == what


def test_no_suite_has_the_python():
    problem = problem_of('[images.a]\nfrom = "debian"\npython = "3.12"')
    assert (
        problem.what
        == "no Debian suite has Python 3.12: there are 3.9 (bullseye), 3.11 (bookworm), 3.13 (trixie)"
    )


@pytest.mark.parametrize(
    ("when", "what"),
    [
        ("{}", "'when' names no axis"),
        ('{ variant = "x" }', "'variant' is not an axis of the image's matrix"),
        ('{ python = "3.8" }', "'3.8' is not a value of the axis 'python'"),
        ('{ python = ["3.9", "3.10"] }', "'3.10' is not a value of the axis 'python'"),
    ],
)
def test_faulty_whens(when, what):
    problem = problem_of(
        '[images.a]\nfrom = "debian"\nmatrix = { python = ["3.9", "3.11"] }\n'
        f'[[images.a.override]]\nwhen = {when}\nworkdir = "/x"'
    )
    assert what in problem.what
    assert problem.where.line == 7


def test_an_override_cannot_set_an_axis():
    problem = problem_of("""
        [images.a]
        from = "debian"
        matrix = { python = ["3.9", "3.11"] }
        override = [{ when = { python = "3.9" }, python = "3.11" }]
        """)
    assert problem.what == "'python' is an axis of the matrix: an override cannot set it"


@pytest.mark.parametrize(
    ("text", "key", "what"),
    [
        ('[indexes.i]\nurl = "http://example.org/simple"', "indexes.i.url", "plain http is refused"),
        ('[indexes.i]\nurl = "http://127.example.org/simple"', "indexes.i.url", "plain http is refused"),
        ('[indexes.i]\nurl = "ftp://example.org"', "indexes.i.url", "is not an http, https or file address"),
        ('[indexes.i]\nurl = "wheels"', "indexes.i.url", "'wheels' is not an address"),
        ('[indexes.i]\nurl = "https://[x/simple"', "indexes.i.url", "cannot be read"),
        ('[indexes.i]\nurl = "https://x"\nexplicit = true', "indexes.i.explicit", "so it is never used"),
        ('[indexes.i]\nurl = "https://x"\ncredentials = "me:pw"', "indexes.i.credentials", 'must be "netrc"'),
        (
            '[indexes.i]\nurl = "https://x"\ndefault = true\n[indexes.j]\nurl = "https://y"\ndefault = true',
            "indexes.j.default",
            "'i' is the default index already",
        ),
        (
            '[indexes.a-b]\nurl = "https://x"\n[indexes.A_b]\nurl = "https://y"',
            "indexes.A_b",
            "differ only in",
        ),
        ("[secrets.t]", "secrets.t", "exactly one of env and file, which is missing"),
        ('[secrets.t]\nenv = "T"\nfile = "t"', "secrets.t", "exactly one of env and file, not both"),
        ('[defaults]\nname = "x"', "defaults.name", "unknown key 'name'"),
        ('[image.b]\nfrom = "debian:sid"', "image", "unknown key 'image'"),
        ('[images."a b"]\nfrom = "debian:sid"', 'images."a b"', "must be a name without spaces"),
    ],
)
def test_faulty_tables(text, key, what):
    problem = problem_of(BASE + text)
    assert what in problem.what
    assert problem.where.key == key


@pytest.mark.parametrize(
    "url",
    [
        "https://me:geheim@example.org/simple",
        "https://geheim@example.org/simple",
        "https://me:ge/geheim@example.org/simple",
        "https://me:x geheim@example.org/simple",
        "https://me:@geheim@example.org/simple",
        "https://example.org/simple?token=geheim",
    ],
)
def test_a_password_in_an_index_is_never_told(url):
    problem = problem_of(f'{BASE}[indexes.i]\nurl = "{url}"')
    assert "geheim" not in repr(problem)
    assert "****" in problem.where.text


@pytest.mark.parametrize("key", ["git", "url"])
def test_a_password_in_a_package_is_never_told(key):
    other = 'rev = "1"' if key == "git" else f'sha256 = "{SHA}"'
    problem = problem_of(
        f'{BASE}python = "3.11"\npackages = [{{ {key} = "https://me:geheim@x/y", {other} }}]'
    )
    assert problem.what == "an address must not hold credentials"
    assert "geheim" not in repr(problem)


def test_ssh_with_a_plain_user_is_no_credential():
    problems = problems_of(
        f"""
        {BASE}
        python = "3.11"
        packages = [{{ git = "ssh://git@example.org/x", rev = "1" }}, "a b"]
        """.replace("\n        ", "\n")
    )
    assert [problem.where.key for problem in problems] == ["images.a.packages[1]"]


def test_no_image_name_can_be_made():
    problem = problem_of('[project]\nname = "收据"\n[images.a]\nfrom = "debian:sid"')
    assert problem.what == "no repository name can be made of '收据-a'"


def test_an_image_without_base():
    problem = problem_of("[images.a]")
    assert problem.what == "image 'a' does not say what it starts from"


def test_another_platform_than_the_parents():
    problem = problem_of(BASE + '[images.b]\nfrom = "image:a"\nplatforms = ["linux/arm64"]')
    assert problem.what == "'b' is for linux/arm64, but its parent 'a' for linux/amd64"


def test_a_model_by_path_need_not_be_there_when_the_spec_is_read():
    text = BASE + f'models = [{{ url = "models/m.onnx", sha256 = "{SHA}", to = "/m.onnx" }}]'
    [model] = spec_of(text).cells["a"].models
    assert (model.url, model.mode) == ("models/m.onnx", 0o644)
