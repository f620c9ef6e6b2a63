"""Caffe layers in PyTorch, on a CPU or an NVIDIA GPU."""
