"""Operations as ONNX nodes, one small function per operation (see ``registry``)."""
