"""Losses and accuracy: numbers from scores and labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor

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
from neuralpower.frameworks.torch.ops.registry import Forward, Store, makes


def _labels(op: Labelled, value: Tensor) -> tuple[Tensor, Tensor]:
    """The labels [places] as indices, those ignored 0; and where they count (``None``: all)."""
    index = value.reshape(op.places).long()
    if op.ignored is None:
        return index, None
    counted = index != op.ignored
    return index * counted, counted


def _average(op: Averaged, losses: Tensor, counted: Tensor) -> Tensor:
    """The losses [places] of the labels that count, summed and divided."""
    if counted is None:
        return losses.sum() / (op.divided_by or 1.0)
    total = (losses * counted).sum()
    return total / (op.divided_by or counted.sum().clamp(min=1))


@makes(SoftmaxWithLoss)
def softmax_loss(op: SoftmaxWithLoss, store: Store) -> Forward:
    """The negative log-likelihood of the labels, and the softmax if asked."""

    def run(values: Sequence[Tensor]) -> Sequence[Tensor]:
        index, counted = _labels(op, values[1])
        chosen = torch.log_softmax(values[0], op.axis).gather(op.axis, index)
        loss = _average(op, -chosen, counted)
        return (loss, torch.softmax(values[0], op.axis))[: len(op.tops)]

    return run


@makes(InfogainLoss)
def infogain_loss(op: InfogainLoss, store: Store) -> Forward:
    """The logarithms of all probabilities, weighted by the label's row of the matrix."""

    def run(values: Sequence[Tensor]) -> Sequence[Tensor]:
        index, counted = _labels(op, values[1])
        share = torch.softmax(values[0], op.axis)
        log = torch.log(share.clamp(min=1e-20))
        rows = values[2].reshape(op.classes, op.classes)[index.squeeze(op.axis)]
        summed = (rows.movedim(-1, op.axis) * log).sum(op.axis, keepdim=True)
        return (_average(op, -summed, counted), share)[: len(op.tops)]

    return run


@makes(Accuracy)
def accuracy(op: Accuracy, store: Store) -> Forward:
    """The share of labels of which fewer than ``among`` other scores are as large."""
    one_hot = _one_hot(op, store)
    axes = tuple(axis for axis in range(len(op.bottom)) if axis != op.axis)

    def run(values: Sequence[Tensor]) -> Sequence[Tensor]:
        x = values[0]
        index, counted = _labels(op, values[1])
        own = x.gather(op.axis, index)
        hits = (x >= own).sum(op.axis, keepdim=True) <= op.among
        weights = torch.ones_like(hits) if counted is None else counted
        hits = hits * weights
        share = hits.sum() / weights.sum().clamp(min=1)
        if len(op.tops) == 1:
            return (share.to(x.dtype),)
        chosen = one_hot(index) * weights
        there = chosen.sum(axes).clamp(min=1)
        return share.to(x.dtype), ((chosen * hits).sum(axes) / there).to(x.dtype)

    return run


def _one_hot(op: Labelled, store: Store) -> Callable[[Tensor], Tensor]:
    """True at the label's place along the axis of the classes."""
    shape = [op.classes if axis == op.axis else 1 for axis in range(len(op.bottom))]
    classes = store.whole(numpy.arange(op.classes).reshape(shape))
    return lambda index: index == classes


@makes(MultinomialLogisticLoss)
def log_loss(op: MultinomialLogisticLoss, store: Store) -> Forward:
    """The negative logarithm of the labelled probability."""

    def run(values: Sequence[Tensor]) -> Sequence[Tensor]:
        chosen = values[0].gather(1, _labels(op, values[1])[0])
        return (-torch.log(chosen.clamp(min=1e-20)).sum() / op.bottom[0],)

    return run


@makes(HingeLoss)
def hinge_loss(op: HingeLoss, store: Store) -> Forward:
    """What the label's score lacks of 1 and the others exceed -1 by, or the squares."""
    one_hot = _one_hot(op, store)

    def run(values: Sequence[Tensor]) -> Sequence[Tensor]:
        own = one_hot(_labels(op, values[1])[0])
        margin = torch.relu(1 + torch.where(own, -values[0], values[0]))
        return ((margin * margin if op.squared else margin).sum() / op.bottom[0],)

    return run


@makes(EuclideanLoss)
def euclidean_loss(op: EuclideanLoss, store: Store) -> Forward:
    """Half the sum of squared differences, over the batch."""
    factor = 0.5 / op.bottom[0]
    return lambda values: (
        F.mse_loss(values[0], values[1].reshape(op.bottom), reduction="sum") * factor,
    )


@makes(SigmoidCrossEntropyLoss)
def cross_entropy(op: SigmoidCrossEntropyLoss, store: Store) -> Forward:
    """Of the sigmoid of the scores and the targets, by PyTorch's stable form."""

    def run(values: Sequence[Tensor]) -> Sequence[Tensor]:
        x, target = values[0], values[1].reshape(op.bottom)
        losses = F.binary_cross_entropy_with_logits(x, target, reduction="none")
        if op.ignored is None:
            return (losses.sum() / (op.divided_by or 1.0),)
        counted = target != op.ignored
        number = op.divided_by or counted.sum().clamp(min=1)
        return ((losses * counted).sum() / number,)

    return run


@makes(ContrastiveLoss)
def contrastive_loss(op: ContrastiveLoss, store: Store) -> Forward:
    """Distances of similar pairs, and what those of others lack of the margin."""
    batch = op.bottom[0]

    def run(values: Sequence[Tensor]) -> Sequence[Tensor]:
        difference = (values[0] - values[1].reshape(op.bottom)).reshape(batch, -1)
        squared = (difference * difference).sum(1)
        if op.legacy:
            lacking = torch.relu(op.margin - squared)
        else:
            lacking = torch.relu(op.margin - squared.sqrt()) ** 2
        similar = values[2].reshape(batch) != 0
        return (torch.where(similar, squared, lacking).sum() * (0.5 / batch),)

    return run
