"""Findings, sizes and libraries such as a real inference image has, for tests of what reports look like."""

from layerwright.core.findings import Evidence, Finding, Fix, Member, Place
from layerwright.core.source import Location
from layerwright.reports.graph import LibraryGraph, LibraryNode, Need
from layerwright.reports.tree import Tree

BASE = "nvcr.io/nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04"


def location(line: int, column: int, text: str, key: str = "", file: str = "layerwright.toml") -> Location:
    return Location(file=file, line=line, column=column, text=text, key=key)


FROM = location(5, 8, f'from = "{BASE}"', "images.infer.from")
PACKAGES = location(
    12, 13, 'packages = ["onnxruntime-gpu==1.20.0", "opencv-python", "numpy"]', "images.infer.packages[0]"
)

CUDNN = Finding(
    code="LW-ORT-CUDNN",
    level="error",
    message=f"onnxruntime-gpu 1.20.0 needs cuDNN 9, and {BASE} brings cuDNN 8",
    where=Place(location=PACKAGES, image="infer-py311"),
    evidence=(
        Evidence(
            text="libonnxruntime_providers_cuda.so needs libcudnn.so.9",
            source="onnxruntime_gpu-1.20.0-cp311-cp311-manylinux_2_27_x86_64.whl",
            confidence="binary",
        ),
        Evidence(
            text="the tag says cuDNN 8", source="NVIDIA's grammar of nvidia/cuda tags", confidence="docs"
        ),
    ),
    fix=(
        Fix(
            text="take the last onnxruntime-gpu made for CUDA 11.8 and cuDNN 8",
            edit='packages = ["onnxruntime-gpu==1.18.0", "opencv-python", "numpy<2"]',
            replaces=PACKAGES,
            cost=30,
            verified=True,
        ),
        Fix(
            text="take the base that brings CUDA 12 and cuDNN 9",
            edit='from = "nvcr.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04"',
            replaces=FROM,
            cost=50,
            verified=True,
        ),
        Fix(text="see what the machine has", command="layerwright doctor", cost=90),
    ),
    members=(
        Member(kind="base", name=BASE, location=FROM),
        Member(kind="wheel", name="onnxruntime-gpu", version="1.20.0", origin="asked for", location=PACKAGES),
    ),
)
OPENCV = Finding(
    code="LW-LIB-MISSING",
    level="error",
    message="opencv-python 4.12.0.88 needs libGL.so.1, which nothing in the image brings",
    where=Place(
        location=location(12, 40, PACKAGES.text, "images.infer.packages[1]"),
        image="infer-py311",
        path="/opt/venv/lib/python3.11/site-packages/cv2/cv2.abi3.so",
    ),
    evidence=(
        Evidence(
            text="cv2.abi3.so needs libGL.so.1", source="opencv_python-4.12.0.88.whl", confidence="binary"
        ),
    ),
    fix=(Fix(text="install libgl1", edit='apt = ["libgl1"]', cost=1, verified=True),),
)
HOSTILE = Finding(
    code="LW-FILE-WORLD-WRITABLE",
    level="warning",
    message="anybody may write to </script><script>alert(1)</script>\x1b[2J\u202egnp.exe",
    where=Place(image="dev", path="/tmp/<img src=x onerror=alert(2)>", layer="sha256:" + "a" * 64),
)
TAG = Finding(
    code="LW-BASE-UNKNOWN",
    level="unknown",
    message="nothing is known of the base example.org/team/cuda:latest, so its CUDA cannot be judged",
    where=Place(location=location(21, 8, 'from = "example.org/team/cuda:latest"'), image="dev"),
)
CACHE = Finding(
    code="LW-RUN-CACHE",
    level="note",
    message="HF_HOME is not set, so models are downloaded again for every container",
    where=Place(image="infer-py312"),
)
FINDINGS = (CUDNN, OPENCV, HOSTILE, CACHE, TAG)


def _files(*sizes: tuple[str, int]) -> tuple[Tree, ...]:
    return tuple(Tree(name=name, bytes=size, kind="file") for name, size in sizes)


def _node(name: str, kind: str, *children: Tree, note: str = "") -> Tree:
    return Tree(
        name=name, bytes=sum(child.bytes for child in children), kind=kind, note=note, children=children
    )


MB = 1_000_000
TREE = _node(
    "receipts-infer:1.2.0",
    "image",
    _node(
        "nvidia-cudnn-cu12 9.10.2.21",
        "layer",
        _node(
            "lib",
            "folder",
            *_files(
                ("libcudnn_engines_precompiled.so.9", 580 * MB),
                ("libcudnn_ops.so.9", 110 * MB),
                ("libcudnn_heuristic.so.9", 86 * MB),
                ("libcudnn_adv.so.9", 240 * MB),
            ),
        ),
        note="wheel",
    ),
    _node(
        "onnxruntime-gpu 1.26.0",
        "layer",
        _node(
            "capi",
            "folder",
            *_files(
                ("libonnxruntime_providers_cuda.so", 420 * MB),
                ("onnxruntime_pybind11_state.so", 31 * MB),
                ("libonnxruntime_providers_tensorrt.so", 1 * MB),
            ),
        ),
        _node("transformers", "folder", *(_files(*((f"model_{n}.py", 30_000) for n in range(40))))),
        note="wheel",
    ),
    _node(
        "nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04",
        "layer",
        _node("usr", "folder", *_files(("libcublasLt.so.12", 500 * MB), ("libcublas.so.12", 110 * MB))),
        _node("lib", "folder", *_files(*((f"lib{n}.so", (60 - n) * 300_000) for n in range(50)))),
        note="base",
    ),
    _node("small wheels", "layer", *_files(*((f"package-{n}", (40 - n) * 200_000) for n in range(40)))),
    _node('<b>hostile</b> & "name"</script>', "layer", *_files(("it's \u202etxt.exe", 9 * MB))),
)


def graph(*, missing: bool = True) -> LibraryGraph:
    """ONNX Runtime, torch and OpenCV over CUDA wheels; libGL missing unless told otherwise."""
    site = "/opt/venv/lib/python3.11/site-packages"
    owners = {
        "libonnxruntime_providers_cuda.so": "onnxruntime-gpu 1.26.0",
        "onnxruntime_pybind11_state.so": "onnxruntime-gpu 1.26.0",
        "libtorch_cuda.so": "torch 2.9.1",
        "libtorch_cpu.so": "torch 2.9.1",
        "cv2.abi3.so": "opencv-python 4.12.0.88",
        "libavcodec-opencv.so.59": "opencv-python 4.12.0.88",
        "_multiarray_umath.so": "numpy 2.3.5",
        "libopenblas.so": "numpy 2.3.5",
        "libcudnn.so.9": "nvidia-cudnn-cu12 9.10.2.21",
        "libcudnn_ops.so.9": "nvidia-cudnn-cu12 9.10.2.21",
        "libcublas.so.12": "nvidia-cublas-cu12 12.8.4.1",
        "libcublasLt.so.12": "nvidia-cublas-cu12 12.8.4.1",
        "libcudart.so.12": "nvidia-cuda-runtime-cu12 12.8.90",
        "libnvrtc.so.12": "nvidia-cuda-nvrtc-cu12 12.8.93",
        "libcufft.so.11": "nvidia-cufft-cu12 11.3.3.83",
        "libnccl.so.2": "nvidia-nccl-cu12 2.27.5",
        "libc.so.6": "libc6 2.36-9+deb12u13",
        "libstdc++.so.6": "libstdc++6 12.2.0-14",
        "libz.so.1": "zlib1g 1.2.13",
    }
    nodes = [
        LibraryNode(key=f"{site}/{name}", name=name, owner=owner, path=f"{site}/{name}")
        for name, owner in owners.items()
    ]
    nodes.append(
        LibraryNode(key="libcuda.so.1", name="libcuda.so.1", owner="the NVIDIA driver", state="outside")
    )
    wanted = [
        (
            "libonnxruntime_providers_cuda.so",
            "libcudnn.so.9 libcublas.so.12 libcublasLt.so.12 libcudart.so.12 libcufft.so.11 libstdc++.so.6",
        ),
        (
            "libtorch_cuda.so",
            "libcudnn.so.9 libcublas.so.12 libcudart.so.12 libnccl.so.2 libcufft.so.11 libtorch_cpu.so libstdc++.so.6",
        ),
        ("libcudnn.so.9", "libcudnn_ops.so.9"),
        ("libcudnn_ops.so.9", "libnvrtc.so.12 libcublasLt.so.12 libz.so.1"),
        ("libcublas.so.12", "libcublasLt.so.12"),
        ("cv2.abi3.so", "libavcodec-opencv.so.59 libstdc++.so.6 libz.so.1"),
        ("_multiarray_umath.so", "libopenblas.so"),
    ]
    needs = [
        Need(source=f"{site}/{source}", target=f"{site}/{target}", how="RUNPATH")
        for source, names in wanted
        for target in names.split()
    ]
    needs += [
        Need(source=f"{site}/{name}", target=f"{site}/libc.so.6", how="ld.so.cache")
        for name in owners
        if name != "libc.so.6"
    ]
    needs += [
        Need(source=f"{site}/{name}", target="libcuda.so.1", how="the driver")
        for name in ("libtorch_cuda.so", "libonnxruntime_providers_cuda.so")
    ]
    if missing:
        for name in ("libGL.so.1", "libgthread-2.0.so.0"):
            nodes.append(LibraryNode(key=name, name=name, state="missing"))
            needs.append(Need(source=f"{site}/cv2.abi3.so", target=name, how="searched RUNPATH, ld.so.cache"))
        nodes.append(LibraryNode(key="libnvinfer.so.10", name="libnvinfer.so.10", state="missing"))
        needs.append(
            Need(
                source=f"{site}/onnxruntime_pybind11_state.so",
                target="libnvinfer.so.10",
                how="opened by name",
                optional=True,
            )
        )
    return LibraryGraph(nodes=tuple(nodes), needs=tuple(needs))
