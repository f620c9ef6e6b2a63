"""Losses and Accuracy: their tops are numbers, whatever the labels are."""

from __future__ import annotations

from neuralpower.caffe.registry import Setup, UnknownShape, layer_type
from neuralpower.caffe.shapes import SCALAR, Shape, axis_index, count, dim, legacy_dim, shape_text


def _first_sizes(setup: Setup) -> None:
    data, labels = setup.bottoms[0], setup.bottoms[1]
    setup.expect(
        data[:1] == labels[:1] != (),
        f"data and labels need the same first size: {shape_text(data)} and {shape_text(labels)}",
    )


def _predictions(setup: Setup, axis: int) -> None:
    """One label for each prediction along ``axis``."""
    bottom, labels = setup.bottoms[0], setup.bottoms[1]
    axis = axis_index(bottom, axis)
    predictions = count(bottom, 0, axis) * count(bottom, axis + 1)
    setup.expect(
        predictions == count(labels),
        f"{count(labels)} labels for {predictions} predictions",
    )


@layer_type("Accuracy", bottoms=(2, 2), tops=(1, 2), scalar_top=True)
def accuracy(setup: Setup) -> list[Shape]:
    """A number, and perhaps one a class."""
    param, (bottom, labels) = setup.param.accuracy_param, setup.bottoms
    setup.expect(count(labels) > 0, "there are no labels")
    classes = count(bottom) // max(count(labels), 1)
    setup.expect(param.top_k <= classes, f"top_k {param.top_k} is more than the {classes} classes")
    _predictions(setup, param.axis)
    return [SCALAR, (dim(bottom, param.axis),)][: setup.n_tops]


@layer_type(
    "SoftmaxWithLoss",
    bottoms=(2, 2),
    tops=(1, 2),
    auto_top=True,
    scalar_top=True,
    engine="softmax_param",
)
def softmax_loss(setup: Setup) -> list[Shape]:
    """A number, and perhaps the probabilities."""
    bottom = setup.bottom
    _first_sizes(setup)
    setup.expect(dim(bottom, setup.param.softmax_param.axis) > 0, "the softmax axis is empty")
    _predictions(setup, setup.param.softmax_param.axis)
    return [SCALAR, bottom][: setup.n_tops]


@layer_type(
    "InfogainLoss",
    bottoms=(2, 3),
    tops=(1, 2),
    auto_top=True,
    scalar_top=True,
    engine="softmax_param",
)
def infogain_loss(setup: Setup) -> list[Shape]:
    """As SoftmaxWithLoss, with a matrix of gains from a third bottom or a file."""
    param, bottom = setup.param.infogain_loss_param, setup.bottom
    _first_sizes(setup)
    if len(setup.bottoms) == 2:
        setup.expect(
            param.HasField("source"), "the infogain matrix needs a source or a third bottom"
        )
        if setup.strict:
            raise UnknownShape(f"the infogain matrix is in the file '{param.source}'")
    _predictions(setup, param.axis)
    classes = dim(bottom, param.axis)
    if len(setup.bottoms) == 3:
        setup.expect(
            count(setup.bottoms[2]) == classes * classes,
            "the infogain matrix needs classes squared",
        )
    return [SCALAR, bottom][: setup.n_tops]


@layer_type("EuclideanLoss", bottoms=(2, 2), auto_top=True, scalar_top=True)
def euclidean_loss(setup: Setup) -> list[Shape]:
    """Half the mean squared distance: one product an element."""
    _first_sizes(setup)
    setup.expect(
        count(setup.bottoms[0], 1) == count(setup.bottoms[1], 1),
        "both bottoms need the same size an item",
    )
    setup.macs = count(setup.bottom)
    return [SCALAR]


@layer_type("HingeLoss", bottoms=(2, 2), auto_top=True, scalar_top=True)
def hinge_loss(setup: Setup) -> list[Shape]:
    """A number."""
    _first_sizes(setup)
    return [SCALAR]


@layer_type("MultinomialLogisticLoss", bottoms=(2, 2), auto_top=True, scalar_top=True)
def multinomial_logistic_loss(setup: Setup) -> list[Shape]:
    """A number; labels are one an item."""
    _first_sizes(setup)
    setup.expect(
        all(legacy_dim(setup.bottoms[1], axis) == 1 for axis in (1, 2, 3)),
        "labels must be one an item",
    )
    return [SCALAR]


@layer_type("SigmoidCrossEntropyLoss", bottoms=(2, 2), auto_top=True, scalar_top=True)
def sigmoid_cross_entropy_loss(setup: Setup) -> list[Shape]:
    """A number; targets are as many as predictions."""
    _first_sizes(setup)
    setup.expect(
        count(setup.bottoms[0]) == count(setup.bottoms[1]),
        "both bottoms need the same number of elements",
    )
    return [SCALAR]


@layer_type("ContrastiveLoss", bottoms=(3, 3), auto_top=True, scalar_top=True)
def contrastive_loss(setup: Setup) -> list[Shape]:
    """A number from two feature vectors and a label of similarity."""
    first, second, labels = setup.bottoms
    _first_sizes(setup)
    setup.expect(
        legacy_dim(first, 1) == legacy_dim(second, 1), "both features need the same channels"
    )
    for shape in (first, second, labels):
        setup.expect(
            legacy_dim(shape, 2) == legacy_dim(shape, 3) == 1, "bottoms have no spatial sizes"
        )
    setup.expect(legacy_dim(labels, 1) == 1, "labels must be one a pair")
    setup.macs = count(first)
    return [SCALAR]
