"""The shape functions of all layer types; importing this package fills the registry."""

from neuralpower.caffe.layers import (
    arrangement,
    convolution,
    data,
    dense,
    forks,
    losses,
    neurons,
    normalisation,
    pooling,
)

__all__ = [
    "arrangement",
    "convolution",
    "data",
    "dense",
    "forks",
    "losses",
    "neurons",
    "normalisation",
    "pooling",
]
