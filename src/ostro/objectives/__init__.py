"""What a model is trained towards: pure functions of tensors. Shape suffixes as in ``kernels``."""
