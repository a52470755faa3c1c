"""A small detector of handwritten digits: its scenes, its network, its training and its use."""
