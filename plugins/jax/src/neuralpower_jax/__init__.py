"""Caffe layers in JAX, on a CPU or an NVIDIA GPU."""
