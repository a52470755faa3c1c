from msgspec.structs import replace

from layerwright.cli.excerpts import Painter
from layerwright.cli.prose import conflict_lines
from support.report_samples import CUDNN, HOSTILE, OPENCV


def told(*findings, width=0, colour=False):
    return "\n".join(conflict_lines(Painter(colour), findings, width))


def test_a_clash_from_its_beginning_to_its_end():
    cells = [
        replace(CUDNN, where=replace(CUDNN.where, image=name)) for name in ("infer-py310", "infer-py311")
    ]
    assert (
        told(*cells)
        == """\
1. onnxruntime-gpu 1.20.0 needs cuDNN 9, and nvcr.io/nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04 brings cuDNN 8
   LW-ORT-CUDNN, error, in images infer-py310, infer-py311

   These two things clash. Take any one of them away, and the others go together:
     base   nvcr.io/nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04
       --> layerwright.toml:5:8 [images.infer.from]
        5 | from = "nvcr.io/nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04"
          |        ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
     wheel  onnxruntime-gpu 1.20.0                                 asked for
       --> layerwright.toml:12:13 [images.infer.packages[0]]
       12 | packages = ["onnxruntime-gpu==1.20.0", "opencv-python", "numpy"]
          |             ^^^^^^^^^^^^^^^^^^^^^^^^^

   How that is known:
     - libonnxruntime_providers_cuda.so needs libcudnn.so.9 (read from the binaries: \
onnxruntime_gpu-1.20.0-cp311-cp311-manylinux_2_27_x86_64.whl)
     - the tag says cuDNN 8 (from documentation: NVIDIA's grammar of nvidia/cuda tags)

   What mends it, the least change first:
     fix: take the last onnxruntime-gpu made for CUDA 11.8 and cuDNN 8 (checked: the clash is gone)
          - packages = ["onnxruntime-gpu==1.20.0", "opencv-python", "numpy"]
          + packages = ["onnxruntime-gpu==1.18.0", "opencv-python", "numpy<2"]
     fix: take the base that brings CUDA 12 and cuDNN 9 (checked: the clash is gone)
          - from = "nvcr.io/nvidia/cuda:11.8.0-cudnn8-runtime-ubuntu22.04"
          + from = "nvcr.io/nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04"
     fix: see what the machine has
          $ layerwright doctor"""
    )


def test_chapters_are_numbered():
    text = told(CUDNN, OPENCV)
    assert text.startswith("1. ")
    assert "\n\n2. opencv-python" in text


def test_nothing_known_is_said():
    text = told(replace(OPENCV, fix=(), evidence=()))
    assert "No repair is known" in text
    assert "How that is known" not in text


def test_names_cannot_command_the_terminal():
    member = replace(CUDNN.members[1], name="\x1b[2Jevil")
    assert "\x1b" not in told(replace(HOSTILE, members=(member,)))


def test_colour_and_width_change_no_words():
    plain = told(CUDNN).split()
    assert told(CUDNN, width=60).split() == plain
    assert "\x1b[1m" in told(CUDNN, colour=True)
