"""Write ``docs/reference/doctor.md`` from the checks; with ``--check``, compare and fail when it is out of date."""

import sys
from pathlib import Path

from layerwright.doctor import data
from layerwright.doctor.examine import FAMILIES

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "doctor.md"

HEAD = """\
# What doctor looks at

<!-- written by tools/generate_doctor_reference.py; change the checks in src/layerwright/doctor -->

[`layerwright doctor`](cli.md#layerwright-doctor) starts no container and changes nothing. All checks run at the same
time, each in bounded time: what hangs becomes `unknown`, the rest is told all the same.

| status | meaning |
| --- | --- |
| `ok` | it works |
| `warning` | it may not work, or works less well |
| `error` | something that is asked for is missing or broken; the exit code is 1 |
| `unknown` | nobody could find out |
| `not_needed` | it is not there, and nothing asks for it; shown with `--verbose` |

What is asked for comes from the spec: `build` and `run` always, `nvidia` or `mthreads` where an image says so in
`accelerator` (and `docker` with them: a native run cannot hand GPUs to a program), mmdebstrap and Debian's keys where a
base is built from Debian packages, git where a package comes from a repository. `--for` takes the spec's place. With
neither, problems are warnings.

`--json` prints one object: `schema` (1), `checks` (each with `id`, `status`, `detail` and `fix`, a list of `text` and
`command`), `needs` (what is asked for, and by what) and `summary` (how many checks of each status). `--record FILE`
writes the machine's facts for `layerwright check --host FILE`: system, kernel, driver, GPUs, engines. The record is
named after the file; host name, users, addresses and serial numbers are not in it.
"""

MIRRORS = """\
## Mirrors

None is used unless you say so. `layerwright doctor --mirrors` measures these, and prints what to export:
`LAYERWRIGHT_MIRRORS` takes a name and switches all; `LAYERWRIGHT_INDEX_PYPI` (packages), `LAYERWRIGHT_DEBIAN_MIRROR`
and `LAYERWRIGHT_UBUNTU_MIRROR` take an address of one of them. They hold for this machine alone; spec and lock stay as
they are.

| name | mirror | region | packages | Debian | Ubuntu | conda | source |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""

PRODUCTS = """
## Moore Threads' products

`arch` is what image tags and archives are named by, `MUSA` the number in `TORCH_MUSA_ARCH_LIST`. A product that is not
here is `unknown`.

| product | arch | MUSA | source | confidence |
| --- | --- | --- | --- | --- |
"""


def page() -> str:
    """The whole page."""
    lines = [HEAD]
    for family in FAMILIES:
        lines += [f"## {family.title[0].upper()}{family.title[1:]}", ""]
        for kind in family.kinds:
            lines += [f"### {kind.code}", "", f"{kind.title[0].upper()}{kind.title[1:]}.", ""]
            lines += [f"- *Why*: {kind.why}", f"- *Seen in*: {kind.evidence}", f"- *Cure*: {kind.repair}", ""]
    lines += [MIRRORS.rstrip()]
    for mirror in data.mirrors():
        addresses = " | ".join(
            f"`{address}`" for address in (mirror.pypi, mirror.debian, mirror.ubuntu, mirror.conda)
        )
        lines.append(f"| `{mirror.id}` | {mirror.title} | {mirror.region} | {addresses} | {mirror.source} |")
    lines.append(PRODUCTS.rstrip())
    for product in data.mthreads().product:
        cells = (product.name, product.arch or "-", product.musa_arch, product.source, product.confidence)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write or compare."""
    text = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
            print(f"{PAGE} is out of date: run `nox -s docs`", file=sys.stderr)
            return 1
        return 0
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
