"""Shape functions and operations of all layer types, imported when a network has such a layer.

To add a type: its parameters in ``caffe.proto``, a shape function with ``@layer_type(...)`` in one
of these modules, an operation beside it (``caffe.operation``); then ``tools/compile_schema.py``.
"""

from __future__ import annotations

import importlib

from neuralpower.caffe.caffe_pb2 import LayerParameter
from neuralpower.caffe.layers.index import MODULES
from neuralpower.caffe.registry import LAYER_TYPES, LayerType

_MODULE_OF = {name: module for module, names in MODULES.items() for name in names.split()}
#: Types that have one name in the file and another in the registry are no spelling of them.
_HELPERS = ("Loss", "Figure", "AnyData")
_SPELLINGS = {"softmaxloss": "SoftmaxWithLoss", "lstm": "LSTM"}
for _name in sorted(_MODULE_OF, key=lambda name: (sum(map(str.isupper, name)), name)):
    if _name not in _HELPERS:
        _SPELLINGS.setdefault(_name.replace("_", "").lower(), _name)


#: Ends of the names of types that are alike in all forks, and the type that they are read as.
_ENDINGS = {"Loss": "Loss", "LossLayer": "Loss", "Accuracy": "Figure"}


def canonical(name: str) -> str | None:
    """The type that a name in capitals or another spelling means: ``ROI_POOLING``, ``relu``.

    Forks of the V1 format spell their types as V1 does; None where no type is meant.
    """
    return _SPELLINGS.get(name.replace("_", "").lower())


#: Parameter blocks that say what a layer does, whatever its type is called.
_BLOCKS = {
    "convolution_param": "Convolution",
    "inner_product_param": "InnerProduct",
    "pooling_param": "Pooling",
    "batch_norm_param": "BatchNorm",
    "relu_param": "ReLU",
}


def described(param: LayerParameter) -> str | None:
    """The type whose parameters a layer of an unknown type has (a pruned convolution, say)."""
    kind = next((kind for block, kind in _BLOCKS.items() if param.HasField(block)), None)
    if kind != "Convolution":
        return kind
    name = param.type.lower()
    return next((made for word, made in _CONVOLUTIONS.items() if word in name), kind)


_CONVOLUTIONS = {"depthwise": "DepthwiseConvolution", "deconv": "Deconvolution"}


def find(name: str) -> LayerType | None:
    """The layer type of this name, or None when nobody knows it."""
    found = LAYER_TYPES.get(name)
    if found is None and name not in _MODULE_OF:
        name = next((kind for end, kind in _ENDINGS.items() if name.endswith(end)), name)
        found = LAYER_TYPES.get(name)
    if found is None and name in _MODULE_OF:
        importlib.import_module(f"{__name__}.{_MODULE_OF[name]}")
        found = LAYER_TYPES[name]
    return found
