"""The shape functions of all layer types, imported when a network has such a layer."""

from __future__ import annotations

import importlib

from neuralpower.caffe.registry import LAYER_TYPES, LayerType

#: The layer types of each module (a test holds the two together).
MODULES = {
    "arrangement": (
        "ArgMax BatchReindex Concat Crop Eltwise Filter Flatten Reduction Reshape Silence Slice "
        "Split Tile"
    ),
    "convolution": "Convolution ConvolutionDepthwise Deconvolution DepthwiseConvolution Im2col",
    "data": (
        "Data DummyData HDF5Data HDF5Output ImageData Input MemoryData Parameter Python WindowData"
    ),
    "dense": "Embed InnerProduct LSTM LSTMUnit RNN",
    "forks": (
        "Axpy BN DetectionOutput Interp Normalize PSROIPooling Permute PriorBox Proposal "
        "ROIPooling ReLU6 Reorg ShuffleChannel Upsample"
    ),
    "losses": (
        "Accuracy ContrastiveLoss EuclideanLoss HingeLoss InfogainLoss MultinomialLogisticLoss "
        "SigmoidCrossEntropyLoss SoftmaxWithLoss"
    ),
    "neurons": "AbsVal BNLL Clip Dropout ELU Exp Log PReLU Power ReLU Sigmoid Swish TanH Threshold",
    "normalisation": "BatchNorm Bias LRN MVN Scale Softmax",
    "pooling": "Pooling SPP",
}
_MODULE_OF = {name: module for module, names in MODULES.items() for name in names.split()}


def find(name: str) -> LayerType | None:
    """The layer type of this name, or None when nobody knows it."""
    found = LAYER_TYPES.get(name)
    if found is None and name in _MODULE_OF:
        importlib.import_module(f"{__name__}.{_MODULE_OF[name]}")
        found = LAYER_TYPES[name]
    return found
