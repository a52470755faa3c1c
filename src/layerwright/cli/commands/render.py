"""``layerwright render``."""

import argparse
import json
from pathlib import Path

from layerwright.cli.context import Context
from layerwright.cli.parsers import Commands
from layerwright.cli.texts import give_text

__all__ = ["add"]


def add(commands: Commands, common: argparse.ArgumentParser) -> None:
    """Declare the command and its verbs."""
    parser = commands.add_parser(
        "render",
        parents=[common],
        help="write the build down for other tools: dockerfile, bake, script, devcontainer",
    )
    verbs = parser.add_subparsers(dest="verb", metavar="WHAT", required=True)
    dockerfile = verbs.add_parser(
        "dockerfile",
        parents=[common],
        help="the plan as a Dockerfile",
        description="Print a Dockerfile made from the lock. It needs the project's folder as its context and no "
        "layerwright; packages are pinned by version and digest.",
    )
    dockerfile.add_argument("image", nargs="?", default="", metavar="IMAGE", help="an image or cell")
    dockerfile.add_argument(
        "--out", type=Path, metavar="FILE", help="write to FILE instead of standard output"
    )
    dockerfile.set_defaults(handler=_dockerfile)
    bake = verbs.add_parser(
        "bake",
        parents=[common],
        help="images and their parents as a file for docker buildx bake",
        description="Print a bake file made from the lock: a target for each cell, with its Dockerfile in it. It needs "
        "the project's folder as its context and no layerwright, and leaves the building to whatever builders buildx "
        "has.",
    )
    bake.add_argument("images", nargs="*", metavar="IMAGE", help="images or cells (default: all)")
    bake.add_argument("--out", type=Path, metavar="FILE", help="write to FILE instead of standard output")
    bake.set_defaults(handler=_bake)
    script = verbs.add_parser(
        "script",
        parents=[common],
        help="a shell script that runs the image as `run` does",
        description="Print a POSIX shell script that starts the image with docker or podman as whoever calls it: user, "
        "groups, mounts, GPUs and limits of `run`, and no layerwright.",
    )
    script.add_argument("image", nargs="?", default="", metavar="IMAGE", help="an image or cell")
    script.add_argument(
        "--out", type=Path, metavar="FILE", help="write an executable FILE instead of standard output"
    )
    script.set_defaults(handler=_script)
    devcontainer = verbs.add_parser(
        "devcontainer",
        parents=[common],
        help="a development container, for editors that work inside of the image",
        description="Write devcontainer.json and a Dockerfile that gives people an account in the image: the project "
        "is mounted at the workdir, files stay the caller's, and mounts, GPUs, limits and caches are those of `run`. "
        "The image itself has to be in the engine: `build --output docker`.",
    )
    devcontainer.add_argument("image", nargs="?", default="", metavar="IMAGE", help="an image or cell")
    devcontainer.add_argument(
        "--out", type=Path, metavar="DIR", help="the folder (default: .devcontainer beside the spec)"
    )
    devcontainer.set_defaults(handler=_devcontainer)


def _dockerfile(context: Context, options: argparse.Namespace) -> int:
    from layerwright.workflow.render import render_dockerfile  # noqa: PLC0415 - start-up

    return give_text(context, options.out, "dockerfile", render_dockerfile(context.session, options.image))


def _bake(context: Context, options: argparse.Namespace) -> int:
    from layerwright.workflow.render import render_bake  # noqa: PLC0415 - start-up

    return give_text(context, options.out, "bake", render_bake(context.session, options.images))


def _script(context: Context, options: argparse.Namespace) -> int:
    from layerwright.workflow.script import render_script  # noqa: PLC0415 - start-up

    text = render_script(context.session, options.image, options.out)
    return give_text(context, options.out, "script", text, executable=True)


def _devcontainer(context: Context, options: argparse.Namespace) -> int:
    from layerwright.workflow.devcontainer import (  # noqa: PLC0415 - start-up
        render_devcontainer,
        write_devcontainer,
    )

    folder, files = render_devcontainer(context.session, options.image)
    folder = options.out or folder
    write_devcontainer(folder, files)
    if context.terminal.json:
        context.terminal.print(
            json.dumps({"schema": 1, "folder": str(folder), "files": files}, ensure_ascii=False)
        )
    else:
        for name in files:
            context.terminal.print(str(folder / name))
    return 0
