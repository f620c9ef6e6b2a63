"""Caffe's layers as ONNX nodes, one small function a layer type (see ``registry``)."""
