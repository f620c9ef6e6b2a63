"""What a layer family is: one row per family, and every other module reads it here.

To add a family: a row here, its row of ``caffe.configuration`` when its cells are unusual, its
work in ``cost`` when it is not one operation per element, and its range in ``config/config.yaml``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: How the output of a family follows from its input (``geometry``).
Shape = Literal["conv", "deconv", "pool", "fc", "joined", "same"]

POOL_METHODS: tuple[str, ...] = ("max", "ave", "stochastic")

_WINDOW = (
    *("kernel_height", "kernel_width", "stride_height", "stride_width"),
    *("pad_height", "pad_width"),
)


@dataclass(frozen=True, slots=True)
class Family:
    """A kind of layer that a platform may have a model for.

    ``types``: the layer types of Caffe and its forks that belong to it. ``shape``: how its output
    follows from its input. ``cells``: configuration columns that a table must fill beside batch
    and sizes, because a silent default would be wrong.
    """

    name: str
    types: tuple[str, ...]
    shape: Shape = "same"
    cells: tuple[str, ...] = ()


_FAMILIES = (
    Family(
        "conv",
        (
            *("Convolution", "DepthwiseConvolution", "ConvolutionDepthwise"),
            *("DepthWiseConvolution", "ConvolutionDepthWise", "DepthConvolution"),
            *("ConvolutionRistretto", "ConvolutionData", "CudnnConvolution", "SqueezeConvolution"),
            *("Convolution3D", "Conv3D", "NdConvolution"),
        ),
        "conv",
        (*_WINDOW, "groups"),
    ),
    Family(
        "deconv",
        ("Deconvolution", "DeconvolutionRistretto", "Deconvolution3D"),
        "deconv",
        (*_WINDOW, "groups"),
    ),
    Family(
        "fc",
        ("InnerProduct", "InnerProductRistretto", "FcRistretto", "SqueezeInnerProduct"),
        "fc",
    ),
    Family("pool", ("Pooling", "Pooling3D", "NdPooling"), "pool", (*_WINDOW, "pool_method")),
    Family("lrn", ("LRN", "LRNRistretto")),
    Family("batchnorm", ("BatchNorm", "BN")),
    Family("scale", ("Scale",)),
    Family("relu", ("ReLU", "ReLU6")),
    Family("sigmoid", ("Sigmoid",)),
    Family("tanh", ("TanH",)),
    Family("elu", ("ELU",)),
    Family("prelu", ("PReLU",)),
    Family("eltwise", ("Eltwise",), cells=("inputs",)),
    Family("concat", ("Concat",), "joined", ("inputs",)),
    Family("softmax", ("Softmax",)),
    Family("dropout", ("Dropout",)),
)

FAMILY: dict[str, Family] = {family.name: family for family in _FAMILIES}

#: The names of all families, in the order of tables and pages.
FAMILIES: tuple[str, ...] = tuple(FAMILY)

#: The family of each layer type.
FAMILY_OF_TYPE: dict[str, str] = {
    kind: family.name for family in _FAMILIES for kind in family.types
}
