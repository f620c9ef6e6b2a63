"""Operations as JAX expressions: a function per operation makes its forward pass (``registry``)."""
