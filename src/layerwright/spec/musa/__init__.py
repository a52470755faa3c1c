"""The container scripts of torch_musa, understood: their options, what they mean, and the spec they stand for."""
