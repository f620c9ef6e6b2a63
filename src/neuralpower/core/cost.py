"""What one layer's configuration costs on paper: multiply-accumulates, elements, bytes.

Plain arithmetic on the fields of ``columns.Configuration``, or of anything that has them as arrays
of one family: numbers in, numbers out; arrays in, arrays out. The counts are those of the
definitions of the layers (Caffe's ``Forward``): a multiply-accumulate (MAC) is one product added
to a sum, and padding counts as data, as it does in Caffe's matrix products. Never called FLOPs: a
MAC is two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

    Number = TypeVar("Number", int, NDArray[float64])
else:
    Number = TypeVar("Number")
Number_co = TypeVar("Number_co", covariant=True)

#: Bytes of one element; everything here is single precision.
ELEMENT_BYTES = 4

#: LRN's window across channels where the table does not say (AlexNet and GoogLeNet use 5).
LRN_WINDOW = 5


class Sizes(Protocol[Number_co]):
    """One layer, or layers of one family as columns of whole numbers in float64."""

    @property
    def family(self) -> str: ...  # noqa: D102
    @property
    def batch(self) -> Number_co: ...  # noqa: D102
    @property
    def in_channels(self) -> Number_co: ...  # noqa: D102
    @property
    def in_height(self) -> Number_co: ...  # noqa: D102
    @property
    def in_width(self) -> Number_co: ...  # noqa: D102
    @property
    def out_channels(self) -> Number_co: ...  # noqa: D102
    @property
    def out_height(self) -> Number_co: ...  # noqa: D102
    @property
    def out_width(self) -> Number_co: ...  # noqa: D102
    @property
    def kernel_height(self) -> Number_co: ...  # noqa: D102
    @property
    def kernel_width(self) -> Number_co: ...  # noqa: D102
    @property
    def groups(self) -> Number_co: ...  # noqa: D102
    @property
    def bias(self) -> Number_co: ...  # noqa: D102
    @property
    def inputs(self) -> Number_co: ...  # noqa: D102


def macs(configuration: Sizes[Number]) -> Number:
    """Multiply-accumulates of one forward pass of the whole batch, of matrix products only.

    The other families give 0 here; a layer table's ``macs`` counts their element-wise products too.

    conv: ``N Ho Wo Co (Ci / groups) kh kw`` · deconv: the same with the input's map, since every
    input element meets the whole window · fc: ``N Ci Co``. Biases are additions and not counted.
    """
    c = configuration
    window = c.kernel_height * c.kernel_width
    if c.family == "conv":
        positions = c.out_height * c.out_width
        return c.batch * positions * c.out_channels * (c.in_channels // c.groups) * window
    if c.family == "deconv":
        positions = c.in_height * c.in_width
        return c.batch * positions * c.in_channels * (c.out_channels // c.groups) * window
    if c.family == "fc":
        return c.batch * c.in_channels * c.in_height * c.in_width * c.out_channels
    return 0 * c.batch


def operations(configuration: Sizes[Number]) -> Number:
    """The work that bounds a sweep: MACs, window visits of a pooling or LRN, else elements read."""
    c = configuration
    if c.family in ("conv", "deconv", "fc"):
        return macs(c)
    if c.family == "pool":
        return output_elements(c) * c.kernel_height * c.kernel_width
    if c.family == "lrn":
        return output_elements(c) * LRN_WINDOW
    return input_elements(c)


def input_elements(configuration: Sizes[Number]) -> Number:
    """Elements of all bottoms together.

    A Concat's bottoms may differ in channels, so its input is counted as what it writes.
    """
    c = configuration
    if c.family == "concat":
        return output_elements(c)
    return c.batch * c.in_channels * c.in_height * c.in_width * c.inputs


def output_elements(configuration: Sizes[Number]) -> Number:
    """Elements of the top."""
    c = configuration
    return c.batch * c.out_channels * c.out_height * c.out_width


def weight_elements(configuration: Sizes[Number]) -> Number:
    """Elements of the layer's own blobs as Caffe counts them, BatchNorm's three included."""
    c = configuration
    if c.family in ("conv", "deconv"):
        window = c.kernel_height * c.kernel_width
        return c.out_channels * c.in_channels // c.groups * window + c.bias * c.out_channels
    if c.family == "fc":
        fan_in = c.in_channels * c.in_height * c.in_width
        return fan_in * c.out_channels + c.bias * c.out_channels
    if c.family == "batchnorm":
        return 2 * c.in_channels + 1
    if c.family == "scale":
        return (1 + c.bias) * c.in_channels
    if c.family == "prelu":
        return c.in_channels
    return 0 * c.batch


def total_bytes(configuration: Sizes[Number]) -> Number:
    """Bytes of inputs, output and weights in single precision, each held once.

    What an executor allocates is at least this (in place it may be less, with an unrolled
    convolution more).
    """
    elements = (
        input_elements(configuration)
        + output_elements(configuration)
        + weight_elements(configuration)
    )
    return ELEMENT_BYTES * elements
