"""Tasks: ``nox`` runs lint, types and tests; the others on request. CI calls the same sessions."""

import nox

nox.options.sessions = ["lint", "types", "generated", "tests"]
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.reuse_existing_virtualenvs = True

GENERATORS = [
    "tools/generate_spec_reference.py",
    "tools/generate_cli_reference.py",
    "tools/generate_doctor_reference.py",
    "tools/elf_agreement.py",
    "tools/generate_findings_reference.py",
    "tools/generate_acceptance.py",
    "tools/generate_lint_recall.py",
    "tools/generate_platform_verdicts.py",
]


def install(session: nox.Session) -> None:
    """Install the package and its development tools, unless the session runs in the caller's environment."""
    if session.virtualenv.is_sandboxed:
        session.install("--editable", ".", "--group", "dev")


@nox.session
def lint(session: nox.Session) -> None:
    """Style, imports between rooms, shell scripts' syntax."""
    install(session)
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")
    for script in (
        "tools/quickstart.sh",
        "tools/test.sh",
        "tools/lib.sh",
        ".ci/run",
        "src/layerwright/guest/entry.sh",
    ):
        session.run("sh", "-n", script, external=True)


@nox.session
def types(session: nox.Session) -> None:
    """Types, strictly."""
    install(session)
    session.run("mypy")
    session.run("mypy", "--config-file", "packages/ymir-exc/pyproject.toml")


@nox.session
def generated(session: nox.Session) -> None:
    """Pages and schemas are what the code says."""
    install(session)
    for generator in GENERATORS:
        session.run("python", generator, "--check")


@nox.session
def tests(session: nox.Session) -> None:
    """Tests that need no engine and no network."""
    install(session)
    session.run("pytest", "-m", "not engine and not network and not gpu", *session.posargs)


@nox.session
def engines(session: nox.Session) -> None:
    """Tests on real engines, registries, indexes and mirrors."""
    install(session)
    session.run("pytest", "-m", "engine or network", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Write the generated pages anew."""
    install(session)
    for generator in GENERATORS:
        session.run("python", generator)


@nox.session
def bench(session: nox.Session) -> None:
    """Measure; see benchmarks/README.md."""
    install(session)
    session.run("python", "benchmarks/run.py", *session.posargs)
