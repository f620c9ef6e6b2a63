"""Losses and Accuracy: their tops are numbers, whatever the labels are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from neuralpower.caffe.caffe_pb2 import LayerParameter
from neuralpower.caffe.operation import LayerFacts, Operation, operation
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


@layer_type(
    "Accuracy",
    bottoms=(2, 2),
    tops=(1, 2),
    scalar_top=True,
    in_place=lambda param, n_tops: n_tops == 1,
)
def accuracy(setup: Setup) -> list[Shape]:
    """A number, and perhaps one per class."""
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
    inner_top=True,
    in_place=False,
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
    inner_top=True,
    in_place=False,
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


@layer_type("EuclideanLoss", bottoms=(2, 2), auto_top=True, scalar_top=True, in_place=False)
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


@layer_type(
    "SigmoidCrossEntropyLoss", bottoms=(2, 2), auto_top=True, scalar_top=True, in_place=False
)
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


@layer_type("CenterLoss", bottoms=(2, 2), tops=(0, 1), auto_top=True, scalar_top=True, fork=True)
def center_loss(setup: Setup) -> list[Shape]:
    """A number; a learnt centre for each class."""
    param, bottom = setup.param.center_loss_param, setup.bottom
    classes = param.num_output
    setup.params = [(classes, count(bottom, axis_index(bottom, param.axis)))]
    setup.macs = count(bottom)
    return [SCALAR]


@layer_type("SoftmaxWithLossOHEM", "SmoothL1LossOHEM", bottoms=(2, 4), tops=(0, 3), auto_top=True,
            scalar_top=True, fork=True)  # fmt: skip
def loss_of_examples(setup: Setup) -> list[Shape]:
    """R-FCN: a number, the probabilities (Softmax only), and the loss of each example."""
    bottom = setup.bottom
    padded = (*bottom, 1, 1, 1, 1)
    each: Shape = (padded[0], 1, padded[2], padded[3])
    tops = [SCALAR, bottom, each] if setup.type.startswith("Softmax") else [SCALAR, each, each]
    return tops[: setup.n_tops]


@layer_type("BoxAnnotatorOHEM", bottoms=(5, 5), tops=(2, 2), fork=True)
def box_annotator(setup: Setup) -> list[Shape]:
    """R-FCN: labels and weights of the hard examples."""
    padded = (*setup.bottoms[1], 1, 1, 1, 1)
    return [(padded[0], 1, padded[2], padded[3]), setup.bottoms[4]]


@layer_type("SegAccuracy", bottoms=(2, 2), fork=True)
def seg_accuracy(setup: Setup) -> list[Shape]:
    """DeepLab: three figures."""
    return [(1, 1, 1, 3)]


@layer_type("Figure", bottoms=(1, None), tops=(0, None), scalar_top=True, fork=True)
@layer_type("Loss", bottoms=(1, None), tops=(0, None), auto_top=True, scalar_top=True, fork=True)
def figures(setup: Setup) -> list[Shape]:
    """Any other accuracy or loss of a fork: its tops are numbers."""
    if setup.n_tops > 1:
        what = "an accuracy" if setup.type.endswith(("Accuracy", "Figure")) else "a loss"
        setup.assume(f"{what} whose tops are numbers")
    return [SCALAR] * setup.n_tops


#: What a sum of losses is divided by: the labels that are not ignored, all labels, the items of
#: the batch, or nothing.
Divisor = Literal["valid", "full", "batch_size", "none"]


@dataclass(frozen=True, slots=True)
class Labelled(Operation):
    """Scores along ``axis`` and, in the second input, the label of each place.

    Places whose label is ``ignored`` do not count.
    """

    axis: int
    ignored: int | None

    @property
    def classes(self) -> int:
        """How many labels there are."""
        return self.bottom[self.axis]

    @property
    def places(self) -> Shape:
        """The shape of the scores with the axis of the classes 1."""
        return (*self.bottom[: self.axis], 1, *self.bottom[self.axis + 1 :])

    @property
    def whole_numbers(self) -> Mapping[int, int]:
        """The labels."""
        return {1: self.classes}


@dataclass(frozen=True, slots=True)
class Averaged(Labelled):
    """A sum over the labelled places, over ``divisor``."""

    divisor: Divisor

    @property
    def divided_by(self) -> float | None:
        """The number that the sum is divided by; ``None``: the labels that count, at least 1."""
        outer = math.prod(self.bottom[: self.axis])
        return _number(self.divisor, self.ignored, outer, math.prod(self.places))


class SoftmaxWithLoss(Averaged):
    """-log of the softmax of the labelled scores, summed; a second output is the softmax."""


class InfogainLoss(Averaged):
    """As ``SoftmaxWithLoss``, over all classes, weighted by the label's row of the third input.

    Probabilities below 1e-20 count as that.
    """


@dataclass(frozen=True, slots=True)
class Accuracy(Labelled):
    """The share of labels whose score is among the ``among`` largest; then that of each class."""

    among: int


class MultinomialLogisticLoss(Labelled):
    """-log of the labelled probability of each item (at least 1e-20), over the batch."""


@dataclass(frozen=True, slots=True)
class HingeLoss(Labelled):
    """max(0, 1 - the label's score) and max(0, 1 + each other), or squares, over the batch."""

    squared: bool


class EuclideanLoss(Operation):
    """Half the sum of squared differences of two inputs, over the batch."""


@dataclass(frozen=True, slots=True)
class SigmoidCrossEntropyLoss(Operation):
    """Of the sigmoid of the first input and the targets of the second one, summed.

    Elements whose target is ``ignored`` do not count.
    """

    ignored: int | None
    divisor: Divisor

    @property
    def divided_by(self) -> float | None:
        """The number that the sum is divided by; ``None``: the targets that count, at least 1."""
        return _number(self.divisor, self.ignored, self.bottom[0], math.prod(self.bottom))


@dataclass(frozen=True, slots=True)
class ContrastiveLoss(Operation):
    """Half the squared distance of similar pairs (Hadsell et al. 2006), over the batch.

    Of the others half the square of what the distance lacks of ``margin``; in the ``legacy``
    version what the squared distance lacks of it.
    """

    margin: float
    legacy: bool

    @property
    def whole_numbers(self) -> Mapping[int, int]:
        """Whether a pair is similar."""
        return {2: 2}


def _number(divisor: Divisor, ignored: int | None, outer: int, places: int) -> float | None:
    if divisor == "valid" and ignored is not None:
        return None
    numbers = {"valid": places, "full": places, "batch_size": outer, "none": 1}
    return float(max(1, numbers[divisor]))


def _ignored(param: LayerParameter) -> int | None:
    return param.loss_param.ignore_label if param.loss_param.HasField("ignore_label") else None


def _divisor(param: LayerParameter, usual: Divisor) -> Divisor:
    """``normalize`` is the old way to say it."""
    options = param.loss_param
    if options.HasField("normalization"):
        names: dict[int, Divisor] = {
            options.FULL: "full",
            options.VALID: "valid",
            options.BATCH_SIZE: "batch_size",
            options.NONE: "none",
        }
        return names[options.normalization]
    if options.HasField("normalize"):
        return "valid" if options.normalize else "batch_size"
    return usual


@operation("SoftmaxWithLoss")
def softmax_loss_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Over the valid labels unless it says otherwise."""
    axis = axis_index(layer.bottoms[0], param.softmax_param.axis)
    return SoftmaxWithLoss(layer, axis, _ignored(param), _divisor(param, "valid"))


@operation("InfogainLoss")
def infogain_loss_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Only with its matrix as the third bottom: files are not read."""
    axis = axis_index(layer.bottoms[0], param.infogain_loss_param.axis)
    made = InfogainLoss(layer, axis, _ignored(param), _divisor(param, "valid"))
    if len(layer.bottoms) < 3:
        raise made.refuse("its matrix is in a file: give it as the third bottom")
    return made


@operation("Accuracy")
def accuracy_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Ties count in favour of the other class, as in Caffe."""
    options = param.accuracy_param
    ignored = options.ignore_label if options.HasField("ignore_label") else None
    return Accuracy(layer, axis_index(layer.bottoms[0], options.axis), ignored, options.top_k)


@operation("MultinomialLogisticLoss")
def multinomial_logistic_loss_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """One label an item."""
    return MultinomialLogisticLoss(layer, 1, None)


@operation("HingeLoss")
def hinge_loss_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """One label an item."""
    return HingeLoss(layer, 1, None, param.hinge_loss_param.norm == param.hinge_loss_param.L2)


@operation("EuclideanLoss")
def euclidean_loss_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Of two inputs of one size."""
    return EuclideanLoss(layer)


@operation("SigmoidCrossEntropyLoss")
def sigmoid_cross_entropy_loss_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Over the batch unless it says otherwise."""
    return SigmoidCrossEntropyLoss(layer, _ignored(param), _divisor(param, "batch_size"))


@operation("ContrastiveLoss")
def contrastive_loss_operation(layer: LayerFacts, param: LayerParameter) -> Operation:
    """Of pairs of feature vectors."""
    options = param.contrastive_loss_param
    return ContrastiveLoss(layer, options.margin, options.legacy_version)
