"""Layers that pick items, reduce axes, or find the largest elements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from neuralpower.caffe.caffe_pb2 import LayerParameter
from neuralpower.caffe.operation import LayerFacts, Operation, operation
from neuralpower.caffe.registry import Setup, layer_type
from neuralpower.caffe.shapes import Shape, axis_index, check, count, dim


@layer_type("BatchReindex", bottoms=(2, 2))
def batch_reindex(setup: Setup) -> list[Shape]:
    """The items of the first bottom that the second one names."""
    bottom, index = setup.bottoms
    check(len(index) == 1, "the second bottom must have one axis")
    check(len(bottom) >= 1, "the first bottom must have axes")
    return [(index[0], *bottom[1:])]


@layer_type("Filter", bottoms=(2, None), tops=(1, None))
def filter_(setup: Setup) -> list[Shape]:
    """The items that the last bottom selects; all of them until data are known."""
    *bottoms, selector = setup.bottoms
    check(setup.n_tops == len(bottoms), "one top is needed for each bottom but the last")
    check(all(size == 1 for size in selector[1:]), "the selector has sizes of 1 but the first")
    for shape in bottoms:
        check(dim(shape, 0) == dim(selector, 0), "all bottoms need the same first size")
    setup.expect(count(selector) > 0, "the selector is empty")
    setup.notes.append("the number of items depends on the data: at most this many")
    return bottoms


@layer_type("Reduction")
def reduction(setup: Setup) -> list[Shape]:
    """All axes from ``axis`` on become one number."""
    param, bottom = setup.param.reduction_param, setup.bottom
    axis = axis_index(bottom, param.axis)
    if param.operation in (param.SUM, param.MEAN):
        setup.expect(count(bottom, axis) > 0, "the input is empty")
    if param.operation == param.SUMSQ:
        setup.macs = count(bottom)
    return [bottom[:axis]]


@layer_type("ArgMax")
def argmax(setup: Setup) -> list[Shape]:
    """The ``top_k`` largest along an axis, or of all but the first axis."""
    param, bottom = setup.param.argmax_param, setup.bottom
    check(param.top_k >= 1, "top_k must be positive")
    if param.HasField("axis"):
        axis = axis_index(bottom, param.axis)
        check(param.top_k <= bottom[axis], f"top_k {param.top_k} is more than {bottom[axis]}")
        return [(*bottom[:axis], param.top_k, *bottom[axis + 1 :])]
    check(param.top_k <= count(bottom, 1), f"top_k {param.top_k} is more than the classes")
    pairs = 2 if param.out_max_val else 1
    return [(dim(bottom, 0), pairs, param.top_k, *[1] * (len(bottom) - 3))]


class BatchReindex(Operation):
    """The items of the first input that the second one names, in its order."""

    @property
    def whole_numbers(self) -> Mapping[int, int]:
        """The indices."""
        return {1: self.bottom[0]}


@dataclass(frozen=True, slots=True)
class Reduction(Operation):
    """The axes from ``axis`` on become one number: ``factor`` times a sum.

    Of the elements, of their absolute values, of their squares, or their mean.
    """

    how: Literal["sum", "absolute", "squares", "mean"]
    axis: int
    factor: float


@dataclass(frozen=True, slots=True)
class ArgMax(Operation):
    """The places of the ``number`` largest values along ``axis``, or (``None``) of each item.

    ``values``: the values themselves instead of the places along an axis; places and then values
    of whole items.
    """

    axis: int | None
    number: int
    values: bool


@operation("BatchReindex")
def batch_reindex_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """The second bottom holds the indices."""
    return BatchReindex(layer)


@operation("Reduction")
def reduction_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """The axes from ``axis`` on."""
    options = param.reduction_param
    how: dict[int, Literal["sum", "absolute", "squares", "mean"]] = {
        options.SUM: "sum",
        options.ASUM: "absolute",
        options.SUMSQ: "squares",
        options.MEAN: "mean",
    }
    axis = axis_index(layer.bottoms[0], options.axis)
    return Reduction(layer, how[options.operation], axis, options.coeff)


@operation("ArgMax")
def argmax_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Along an axis, or of whole items."""
    options = param.argmax_param
    axis = axis_index(layer.bottoms[0], options.axis) if options.HasField("axis") else None
    return ArgMax(layer, axis, options.top_k, options.out_max_val)
