"""Packages that do not fit the image they are installed into."""

import re
from collections.abc import Iterator
from typing import Final

from layerwright.core.findings import Finding, Kind
from layerwright.facts.bases import reference_facts
from layerwright.facts.compat import onnxruntime
from layerwright.facts.model import BaseFacts
from layerwright.lint.documents import Document, Unit
from layerwright.lint.found import changed, docs, finding, listed
from layerwright.lint.rules.pins import is_package
from layerwright.lint.shell import Command, Word
from layerwright.lint.tools import Pip, pip_install

__all__ = ["KINDS", "find"]

TRAINING = Kind(
    code="LW-LINT-TRAINING-TOOLS",
    title="an inference image holds training tools",
    why="They add gigabytes, start-up time and clashes with the runtime's own CUDA, and nothing uses them.",
    evidence="Training frameworks or tools in the pip commands of an image that its file, stage or tag calls an "
    "inference image.",
    repair="Export the model, and install the runtime alone.",
)
BACKEND = Kind(
    code="LW-LINT-NO-BACKEND",
    title="no inference runtime is named",
    why="Whether the image can run a model depends on what other packages happen to pull in.",
    evidence="An image called an inference image whose pip commands name no runtime.",
    repair="Name it with its version, such as `onnxruntime-gpu==1.20.1`.",
)
ORT = Kind(
    code="LW-LINT-ORT-CUDA",
    title="onnxruntime-gpu does not fit the base's CUDA or cuDNN",
    why="Its CUDA provider cannot load: sessions fall back to the CPU without an error, or fail.",
    evidence="The base's tag against what the wheel's own libraries need.",
    repair="A version that was built for this CUDA, or a base with the CUDA that the wheel wants.",
)
REPLACED = Kind(
    code="LW-LINT-TORCH-REPLACED",
    title="pip may replace the base's own PyTorch",
    why="The base carries a build of PyTorch of its own; a package that asks for torch makes pip fetch "
    "another one over it, built for other CUDA libraries.",
    evidence="torch, torchvision, torchaudio or packages that pin torch, installed without `--no-deps` or "
    "constraints on a base that brings PyTorch.",
    repair="`--no-deps`, or a constraints file with the base's version.",
)
PYTHON_PATH = Kind(
    code="LW-LINT-PYTHON-PATH",
    title="a path names one version of Python",
    why="With the next base the folder does not exist: /usr/local/lib/python3.10 is "
    "/usr/local/lib/python3.12 on Ubuntu 24.04.",
    evidence="A path with python3.N in a command that is run.",
    repair="Ask Python: `python3 -c 'import site; print(site.getsitepackages()[0])'`.",
)

KINDS = (TRAINING, BACKEND, ORT, REPLACED, PYTHON_PATH)

_TOOLS: Final = frozenset({
    "torch", "torchvision", "torchaudio", "tensorflow", "tensorflow-gpu", "jax", "keras", "pytorch-lightning",
    "lightning", "tensorboard", "tensorboardx", "wandb", "mlflow", "scikit-learn", "albumentations", "timm",
    "torchmetrics", "ptflops", "calflops", "accelerate", "deepspeed", "apex", "horovod", "fitsne", "optuna",
    "hydra-core", "ipython", "jupyter", "jupyterlab", "notebook", "pytest", "ninja",
})  # fmt: skip
_RUNTIMES: Final = frozenset({
    "onnxruntime", "onnxruntime-gpu", "openvino", "tensorrt", "tflite-runtime", "ai-edge-litert", "tritonclient",
    "torch", "ncnn", "llama-cpp-python", "vllm", "ctranslate2", "tensorflow", "paddlepaddle", "paddlepaddle-gpu",
    "torch-tensorrt",
})  # fmt: skip
_ROLE = re.compile(
    r"(?i)(?<![a-z])(infer(ence)?|serv(e|ing|er)|deploy(ment)?|predict(or)?|runtime[-_]image|prod(uction)?)(?![a-z])"
)
_TORCH_FAMILY: Final = frozenset(
    {
        "torch",
        "torchvision",
        "torchaudio",
        "timm",
        "pytorch-lightning",
        "lightning",
        "xformers",
        "torch-tensorrt",
        "functorch",
        "fastai",
    }
)
_ASK_PYTHON: Final = '"$(python3 -c "import site; print(site.getsitepackages()[0])")"'
_PATH = re.compile(r"/python(?P<version>3\.\d+)/")


def find(document: Document) -> Iterator[Finding]:
    """Packages against their image."""
    for unit, command in document.commands():
        yield from _paths(document, unit, command)
    final = document.final
    if final is None or document.dockerfile is None:
        return
    facts = reference_facts(document.root_base(final))
    pips = [
        (unit, pip)
        for unit in document.units
        if unit.built and document.in_image(unit)
        for command in unit.commands
        if (pip := pip_install(command)) is not None and pip.verb == "install"
    ]
    named = [(unit, pip, word) for unit, pip in pips for word in pip.requirements if is_package(word)]
    yield from _role(document, named, has_pip=bool(pips))
    for _, pip, word in named:
        if _normal(word.text) == "onnxruntime-gpu":
            yield from _onnxruntime(pip, word, facts)
    if facts.torch or facts.family in {"ngc-pytorch", "pytorch"}:
        yield from _torch(named, facts)


def _normal(requirement: str) -> str:
    name = re.split(r"[\[<>=!~;@ ]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def _role(document: Document, named: list[tuple[Unit, Pip, Word]], *, has_pip: bool) -> Iterator[Finding]:
    final = document.final
    if final is None:
        return
    name = document.source.file.replace("\\", "/").rpartition("/")[2]
    called = next((text for text in (name, final.name) if _ROLE.search(text)), "")
    if not called:
        return
    tools = [(pip, word) for _, pip, word in named if _normal(word.text) in _TOOLS]
    if tools:
        pip, word = tools[0]
        yield finding(
            TRAINING,
            "warning",
            f"{listed(_normal(one.text) for _, one in tools)} {'is a' if len(tools) == 1 else 'are'} training "
            f"tool{'' if len(tools) == 1 else 's'} in an inference image ({called})",
            pip.command.location(word),
            fix="leave them out of this image",
            edit=pip.command.piece.edited_all(
                (one.start, one.stop, "") for call, one in tools if call is pip
            ).replace("  ", " "),
        )
    if has_pip and not any(_normal(word.text) in _RUNTIMES for _, _, word in named):
        where = document.source.location(final.begin.start)
        yield finding(
            BACKEND,
            "unknown",
            f"{called} is an inference image, and nothing here names the runtime that it runs models with",
            where,
            fix="name the runtime and its version",
            edit=f"{where.text}\nRUN pip install onnxruntime-gpu==VERSION",
        )


def _onnxruntime(pip: Pip, word: Word, facts: BaseFacts) -> Iterator[Finding]:
    cuda = facts.cuda.partition(".")[0]
    if (
        not cuda
        or cuda == "none"
        or pip.parsed.has("--extra-index-url", "--index-url", "-i", "--find-links", "-f", "--no-index")
    ):
        return
    if re.search(r"\[[^\]]*cu", word.text):
        return  # the extra brings CUDA along as wheels
    found = re.search(r"===?\s*([\w.+!]+)", word.text)
    releases = onnxruntime.gpu_releases()
    version = found[1] if found else _newest(releases)
    build = onnxruntime.gpu_build(version) if version else None
    if build is None:
        return
    wrong = build.cuda_major not in {"", cuda}
    has_cudnn = facts.cudnn.partition(".")[0]
    needs_cudnn = _cudnn_of(build)
    wrong_cudnn = has_cudnn not in {"", "none"} and needs_cudnn not in {"", has_cudnn}
    if not wrong and not wrong_cudnn:
        return
    what = (
        f"onnxruntime-gpu {version}"
        if found
        else f"onnxruntime-gpu without a version (today at least {version})"
    )
    want = f"CUDA {build.cuda_major}" + (f" and cuDNN {needs_cudnn}" if needs_cudnn else "")
    have = f"CUDA {facts.cuda}" + (f" and cuDNN {has_cudnn}" if has_cudnn not in {"", "none"} else "")
    fitting = next((one for one in _newest_first(releases) if _fits(one, cuda, has_cudnn)), "")
    yield finding(
        ORT,
        "error",
        f"{what} needs {want}; the base {facts.reference} has {have}",
        pip.command.location(word),
        fix=f"take the last release for CUDA {cuda}"
        if fitting
        else "take a base with the CUDA that the wheel needs",
        edit=changed(pip.command, word, f"onnxruntime-gpu=={fitting}") if fitting else "",
        evidence=[*build.evidence[:2], *facts.evidence[:1]],
    )


def _newest_first(releases: tuple[str, ...]) -> list[str]:
    return sorted(releases, key=lambda text: [int(part) for part in re.findall(r"\d+", text)], reverse=True)


def _newest(releases: tuple[str, ...]) -> str:
    return next(iter(_newest_first(releases)), "")


def _fits(version: str, cuda: str, cudnn: str) -> bool:
    build = onnxruntime.gpu_build(version)
    if build is None or build.cuda_major != cuda:
        return False
    return cudnn in {"", "none"} or _cudnn_of(build) in {"", cudnn}


def _cudnn_of(build: onnxruntime.GpuBuild) -> str:
    """The cuDNN that its CUDA provider opens; empty when it does without, or nobody knows."""
    return "" if build.cudnn_in.startswith("TensorRT") else build.cudnn_major


def _torch(named: list[tuple[Unit, Pip, Word]], facts: BaseFacts) -> Iterator[Finding]:
    for unit, pip, word in named:
        name = _normal(word.text)
        constrained = pip.parsed.has("-c", "--constraint", "--no-deps") or (
            unit.state is not None and "PIP_CONSTRAINT" in unit.state.variables
        )
        if name not in _TORCH_FAMILY or constrained or facts.pip_constraint:
            continue
        has = f"PyTorch {facts.torch}" if facts.torch else "a PyTorch of its own"
        install = next((one for one in pip.command.arguments if one.text == "install"), pip.command.words[0])
        yield finding(
            REPLACED,
            "warning",
            f"{facts.reference} has {has}, and installing {name} may replace it",
            pip.command.location(word),
            fix="install it without its dependencies, or hold torch by a constraints file",
            edit=changed(pip.command, install, "install --no-deps"),
            evidence=facts.evidence[:1],
        )


def _paths(document: Document, unit: Unit, command: Command) -> Iterator[Finding]:
    if command.program in {"echo", "printf"} or not command.program:
        return
    for word in command.arguments:
        found = _PATH.search(word.text)
        if not found or not re.search(r"(site|dist)-packages|^/usr(/local)?/lib", word.text):
            continue
        base = ""
        if document.final is not None:
            base = reference_facts(document.root_base(unit.stage or document.final)).python
        if _installs(document, found["version"]):
            continue
        differs = bool(base) and base != found["version"]
        yield finding(
            PYTHON_PATH,
            "error" if differs else "warning",
            f"{word.text} is right for Python {found['version']} only"
            + (f", and the base has Python {base}" if differs else ""),
            command.location(word),
            fix="ask Python for the folder",
            edit=changed(command, word, _ASK_PYTHON),
            evidence=[docs("Ubuntu 22.04 has Python 3.10, 24.04 has 3.12", "packages.ubuntu.com, python3")],
        )
        return


def _installs(document: Document, version: str) -> bool:
    """The Dockerfile brings that Python itself."""
    return f"python{version}" in document.text.text.replace(f"/python{version}/", "")
