"""What is recorded of releases, drivers and images, and questions to ask of it; nothing is read before one is asked.

One module per subject, each over one file of ``facts/data``:

| module | answers |
| --- | --- |
| ``torch`` | builds of torch: CUDA, cuDNN, GPU architectures, NumPy ABI, glibc, Python |
| ``vision`` | which torchvision and torchaudio go with which torch |
| ``onnxruntime`` | builds of ONNX Runtime, and which go with which torch |
| ``cuda`` | toolkits and drivers, minor and forward compatibility, sonames |
| ``gpu`` | whether a GPU runs a binary's kernels |
| ``cudnn``, ``cuda_wheels`` | cuDNN releases; ``nvidia-*`` wheels and the libraries in them |
| ``cuda_images``, ``ngc`` | tags of ``nvidia/cuda`` and of NVIDIA's PyTorch images |
| ``opencv``, ``numpy``, ``glibc``, ``musa`` | the rest of what is installed |
| ``elf`` | what the libraries of 44 wheels say themselves, against their documentation |

Every answer carries ``Evidence``. What is not recorded is None, empty or 0: *not known*, never a no.
"""

__all__: list[str] = []
