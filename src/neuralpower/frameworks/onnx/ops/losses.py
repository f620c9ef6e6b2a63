"""Losses and accuracy: numbers from scores and labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy

from neuralpower.caffe.layers.losses import (
    Accuracy,
    Averaged,
    ContrastiveLoss,
    EuclideanLoss,
    HingeLoss,
    InfogainLoss,
    Labelled,
    MultinomialLogisticLoss,
    SigmoidCrossEntropyLoss,
    SoftmaxWithLoss,
)
from neuralpower.frameworks.onnx.ops.graph import FLOAT, INT64, Graph
from neuralpower.frameworks.onnx.ops.registry import emits


class _Labels:
    """The labels [places] as indices, those that are ignored 0; ``counted``: 1 where they count."""

    def __init__(self, graph: Graph, op: Labelled, value: str) -> None:
        index = graph.op("Cast", [graph.reshape(value, op.places)], to=INT64)
        self.counted: str | None = None
        if op.ignored is not None:
            ignored = graph.op("Equal", [index, graph.integers([op.ignored])])
            counts = graph.op("Not", [ignored])
            index = graph.op("Mul", [index, graph.op("Cast", [counts], to=INT64)])
            self.counted = graph.op("Cast", [counts], to=FLOAT)
        self.index = index

    def only_counted(self, graph: Graph, values: str) -> str:
        """Values [places], 0 where the label does not count."""
        return values if self.counted is None else graph.op("Mul", [values, self.counted])


def _whole(graph: Graph, value: str, rank: int) -> str:
    return graph.total(value, range(rank))


def _divided(
    graph: Graph, total: str, by: float | None, counted: str | None, rank: int, top: str
) -> None:
    if by is not None or counted is None:
        graph.op("Mul", [total, graph.scalar(1.0 / (by or 1.0))], top)
        return
    number = graph.op("Max", [_whole(graph, counted, rank), graph.scalar(1.0)])
    graph.op("Div", [total, number], top)


def _finish(graph: Graph, op: Averaged, labels: _Labels, losses: str, top: str) -> None:
    """The losses [places] of the labels that count, summed and divided."""
    rank = len(op.bottom)
    total = _whole(graph, labels.only_counted(graph, losses), rank)
    _divided(graph, total, op.divided_by, labels.counted, rank, top)


@emits(SoftmaxWithLoss)
def softmax_loss(
    graph: Graph, op: SoftmaxWithLoss, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """The negative log-likelihood of the labels, and the softmax if asked."""
    labels = _Labels(graph, op, bottoms[1])
    scores = graph.op("LogSoftmax", [bottoms[0]], axis=op.axis)
    chosen = graph.op("GatherElements", [scores, labels.index], axis=op.axis)
    _finish(graph, op, labels, graph.op("Neg", [chosen]), tops[0])
    if len(tops) > 1:
        graph.op("Softmax", [bottoms[0]], tops[1], axis=op.axis)


@emits(InfogainLoss)
def infogain_loss(
    graph: Graph, op: InfogainLoss, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """The logarithms of all probabilities, weighted by the label's row of the matrix."""
    labels = _Labels(graph, op, bottoms[1])
    share = graph.op("Softmax", [bottoms[0]], axis=op.axis)
    log = graph.op("Log", [graph.op("Max", [share, graph.scalar(1e-20)])])
    matrix = graph.reshape(bottoms[2], (op.classes, op.classes))
    # [outer, 1, inner] rows to [outer, inner, classes], and the classes to their axis.
    rank = len(op.bottom)
    outer = [axis for axis in range(rank) if axis != op.axis]
    places = [op.bottom[axis] for axis in outer]
    rows = graph.op("Gather", [matrix, graph.reshape(labels.index, places)], axis=0)
    perm = [rank - 1 if axis == op.axis else outer.index(axis) for axis in range(rank)]
    weights = graph.op("Transpose", [rows], perm=perm)
    weighted = graph.op("Mul", [weights, log])
    summed = graph.op("ReduceSum", [weighted, graph.integers([op.axis])], keepdims=1)
    _finish(graph, op, labels, graph.op("Neg", [summed]), tops[0])
    if len(tops) > 1:
        graph.op("Identity", [share], tops[1])


@emits(Accuracy)
def accuracy(graph: Graph, op: Accuracy, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """The share of labels of which fewer than ``among`` other scores are as large."""
    labels, rank = _Labels(graph, op, bottoms[1]), len(op.bottom)
    own = graph.op("GatherElements", [bottoms[0], labels.index], axis=op.axis)
    above = graph.op("Cast", [graph.op("GreaterOrEqual", [bottoms[0], own])], to=FLOAT)
    rank_of = graph.op("ReduceSum", [above, graph.integers([op.axis])], keepdims=1)
    hit = graph.op("LessOrEqual", [rank_of, graph.scalar(op.among)])
    hits = labels.only_counted(graph, graph.op("Cast", [hit], to=FLOAT))
    number = None if labels.counted else float(numpy.prod(op.places))
    _divided(graph, _whole(graph, hits, rank), number, labels.counted, rank, tops[0])
    if len(tops) > 1:
        chosen = labels.only_counted(graph, _one_hot(graph, op, labels.index))
        axes = [axis for axis in range(rank) if axis != op.axis]
        per_class = graph.total(graph.op("Mul", [chosen, hits]), axes)
        there = graph.op("Max", [graph.total(chosen, axes), graph.scalar(1.0)])
        graph.op("Div", [per_class, there], tops[1])


def _one_hot(graph: Graph, op: Labelled, index: str) -> str:
    """1 at the label's place along the axis of the classes, else 0."""
    shape = [op.classes if axis == op.axis else 1 for axis in range(len(op.bottom))]
    classes = graph.constant(numpy.arange(op.classes, dtype=numpy.int64).reshape(shape))
    return graph.op("Cast", [graph.op("Equal", [index, classes])], to=FLOAT)


@emits(MultinomialLogisticLoss)
def log_loss(
    graph: Graph, op: MultinomialLogisticLoss, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """The negative logarithm of the labelled probability."""
    labels = _Labels(graph, op, bottoms[1])
    chosen = graph.op("GatherElements", [bottoms[0], labels.index], axis=1)
    log = graph.op("Log", [graph.op("Max", [chosen, graph.scalar(1e-20)])])
    total = _whole(graph, log, len(op.bottom))
    graph.op("Mul", [total, graph.scalar(-1.0 / op.bottom[0])], tops[0])


@emits(HingeLoss)
def hinge_loss(graph: Graph, op: HingeLoss, bottoms: Sequence[str], tops: Sequence[str]) -> None:
    """What the label's score lacks of 1 and the others exceed -1 by, or the squares."""
    labels = _Labels(graph, op, bottoms[1])
    sign = graph.op("Mul", [_one_hot(graph, op, labels.index), graph.scalar(-2.0)])
    signed = graph.op("Mul", [bottoms[0], graph.op("Add", [sign, graph.scalar(1.0)])])
    margin = graph.op("Relu", [graph.op("Add", [signed, graph.scalar(1.0)])])
    if op.squared:
        margin = graph.op("Mul", [margin, margin])
    total = _whole(graph, margin, len(op.bottom))
    graph.op("Mul", [total, graph.scalar(1.0 / op.bottom[0])], tops[0])


@emits(EuclideanLoss)
def euclidean_loss(
    graph: Graph, op: EuclideanLoss, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """Half the sum of squared differences, over the batch."""
    difference = graph.op("Sub", [bottoms[0], graph.reshape(bottoms[1], op.bottom)])
    total = _whole(graph, graph.op("Mul", [difference, difference]), len(op.bottom))
    graph.op("Mul", [total, graph.scalar(0.5 / op.bottom[0])], tops[0])


@emits(SigmoidCrossEntropyLoss)
def cross_entropy(
    graph: Graph, op: SigmoidCrossEntropyLoss, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """max(x, 0) - x t + log(1 + exp(-|x|)), which does not overflow."""
    x, rank = bottoms[0], len(op.bottom)
    target = graph.reshape(bottoms[1], op.bottom)
    positive = graph.op("Sub", [graph.op("Relu", [x]), graph.op("Mul", [x, target])])
    tail = graph.op("Softplus", [graph.op("Neg", [graph.op("Abs", [x])])])
    losses, counted = graph.op("Add", [positive, tail]), None
    if op.ignored is not None:
        ignored = graph.op("Equal", [target, graph.scalar(op.ignored)])
        counted = graph.op("Cast", [graph.op("Not", [ignored])], to=FLOAT)
        losses = graph.op("Mul", [losses, counted])
    _divided(graph, _whole(graph, losses, rank), op.divided_by, counted, rank, tops[0])


@emits(ContrastiveLoss)
def contrastive_loss(
    graph: Graph, op: ContrastiveLoss, bottoms: Sequence[str], tops: Sequence[str]
) -> None:
    """Distances of similar pairs, and what those of others lack of the margin."""
    batch, rank = op.bottom[0], len(op.bottom)
    difference = graph.op("Sub", [bottoms[0], graph.reshape(bottoms[1], op.bottom)])
    squared = graph.total(graph.op("Mul", [difference, difference]), range(1, rank))
    margin = graph.scalar(op.margin)
    if op.legacy:
        lacking = graph.op("Relu", [graph.op("Sub", [margin, squared])])
    else:
        distance = graph.op("Sqrt", [squared])
        lacking = graph.op("Relu", [graph.op("Sub", [margin, distance])])
        lacking = graph.op("Mul", [lacking, lacking])
    similar = graph.op("Cast", [graph.reshape(bottoms[2], (batch,))], to=9)
    chosen = graph.op("Where", [similar, squared, lacking])
    graph.op("Mul", [graph.total(chosen, [0]), graph.scalar(0.5 / batch)], tops[0])
