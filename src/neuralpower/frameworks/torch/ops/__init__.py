"""Operations as PyTorch calls: a function per operation makes its forward pass (``registry``)."""
