"""Libraries of wheels that are opened only when a feature is used, so that what they lack hurts that feature alone."""

from fnmatch import fnmatchcase
from typing import Final

__all__ = ["feature_of"]

_FEATURES: Final[tuple[tuple[str, str, str], ...]] = (
    ("onnxruntime*", "*libonnxruntime_providers_tensorrt.so", "the TensorRT provider"),
    ("onnxruntime*", "*libonnxruntime_providers_nv_tensorrt_rtx.so", "the TensorRT-RTX provider"),
    ("onnxruntime*", "*libonnxruntime_providers_openvino.so", "the OpenVINO provider"),
    ("torchaudio", "torchaudio/lib/*ffmpeg*", "reading and writing by FFmpeg"),
    ("torchaudio", "torchaudio/lib/*sox*", "effects by SoX"),
    ("torchcodec", "torchcodec/*", "decoding by the FFmpeg that is installed"),
    ("torchvision", "torchvision/video_reader*", "reading video"),
    ("torch", "torch/lib/libtorch_nvshmem.so", "NVSHMEM"),
    ("torch", "torch/lib/libcaffe2_nvrtc.so", "compiling kernels at run time"),
    ("nvidia-cufile*", "*libcufile_rdma*", "GPUDirect Storage over RDMA"),
    ("nvidia-nvshmem*", "*nvshmem_bootstrap*", "NVSHMEM's start by MPI, PMIx or OpenSHMEM"),
    ("nvidia-nvshmem*", "*nvshmem_transport*", "NVSHMEM's transports"),
    ("nvidia-nvshmem*", "*", "NVSHMEM"),
    ("nvidia-cuda-cupti*", "*", "profiling"),
    ("cuda-bindings", "*", "the driver's interface"),
    ("numba", "*tbbpool*", "the TBB threading layer"),
    ("numba", "*omppool*", "the OpenMP threading layer"),
    ("llvmlite", "*", "compiling at run time"),
    ("opencv-*", "cv2/qt/plugins/*", "showing windows"),
    ("pyqt*", "*plugins*", "Qt's plugins"),
    ("pyside*", "*plugins*", "Qt's plugins"),
    ("scikit-learn*", "*libomp*", "threads"),
    ("mkl", "*_intel_lp64*", "MPI"),
    ("mkl", "*blacs*", "MPI"),
    ("mkl", "*sycl*", "SYCL devices"),
    ("mkl", "*tbb_thread*", "the TBB threading layer"),
    ("mkl", "*pgi_thread*", "the PGI threading layer"),
    ("tensorflow*", "*libtfkernel_sobol_op*", "Sobol sequences"),
    ("pyarrow", "*cuda*", "Arrow on GPUs"),
    ("triton", "triton/backends/*", "other back ends of Triton"),
    ("triton", "triton/profiler/*", "profiling"),
    ("triton", "triton/_C/libproton*", "profiling"),
    ("h5py", "*mpi*", "MPI"),
    ("tensorrt*", "*builder_resource*", "building engines"),
)
"""Package, path in its wheel, what needs it; patterns of fnmatch. Source: the packages' own code, which opens these
files by name and goes on when that fails."""


def feature_of(package: str, path: str) -> str:
    """The feature that a library of a package is for; empty when it is no optional one."""
    return next(
        (
            feature
            for name, pattern, feature in _FEATURES
            if fnmatchcase(package, name) and fnmatchcase(path, pattern)
        ),
        "",
    )
