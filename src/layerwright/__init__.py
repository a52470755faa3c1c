"""layerwright: container images for deep learning, described in TOML and locked by digest."""

__all__ = ["__version__"]

__version__ = "0.1.0"
