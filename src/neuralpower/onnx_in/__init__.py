"""ONNX models as networks: a graph becomes Caffe layers, and so the same layer table."""
