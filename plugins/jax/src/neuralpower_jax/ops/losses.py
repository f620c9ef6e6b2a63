"""Losses and accuracy: numbers from scores and labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

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
from neuralpower_jax.ops.registry import Forward, Store, makes


def _labels(op: Labelled, value: Any) -> tuple[Any, Any]:
    """The labels [places] as indices, those ignored 0; and where they count (``None``: all)."""
    index = value.reshape(op.places).astype(jnp.int32)
    if op.ignored is None:
        return index, None
    counted = index != op.ignored
    return index * counted, counted


def _average(op: Averaged, losses: Any, counted: Any) -> Any:
    """The losses [places] of the labels that count, summed and divided."""
    if counted is None:
        return losses.sum() / (op.divided_by or 1.0)
    return (losses * counted).sum() / (op.divided_by or jnp.maximum(counted.sum(), 1))


def _one_hot(op: Labelled, index: Any) -> Any:
    """True at the label's place along the axis of the classes."""
    shape = [op.classes if axis == op.axis else 1 for axis in range(len(op.bottom))]
    return index == jnp.arange(op.classes).reshape(shape)


@makes(SoftmaxWithLoss)
def softmax_loss(op: SoftmaxWithLoss, store: Store) -> Forward:
    """The negative log-likelihood of the labels, and the softmax if asked."""

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        index, counted = _labels(op, values[1])
        scores = jax.nn.log_softmax(values[0], op.axis)
        chosen = jnp.take_along_axis(scores, index, op.axis)
        loss = _average(op, -chosen, counted)
        return (loss, jax.nn.softmax(values[0], op.axis))[: len(op.tops)]

    return run


@makes(InfogainLoss)
def infogain_loss(op: InfogainLoss, store: Store) -> Forward:
    """The logarithms of all probabilities, weighted by the label's row of the matrix."""

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        index, counted = _labels(op, values[1])
        share = jax.nn.softmax(values[0], op.axis)
        log = jnp.log(jnp.maximum(share, 1e-20))
        rows = values[2].reshape(op.classes, op.classes)[index.squeeze(op.axis)]
        summed = (jnp.moveaxis(rows, -1, op.axis) * log).sum(op.axis, keepdims=True)
        return (_average(op, -summed, counted), share)[: len(op.tops)]

    return run


@makes(Accuracy)
def accuracy(op: Accuracy, store: Store) -> Forward:
    """The share of labels of which fewer than ``among`` other scores are as large."""
    axes = tuple(axis for axis in range(len(op.bottom)) if axis != op.axis)

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        x = values[0]
        index, counted = _labels(op, values[1])
        own = jnp.take_along_axis(x, index, op.axis)
        hits = (x >= own).sum(op.axis, keepdims=True) <= op.among
        weights = jnp.ones_like(hits) if counted is None else counted
        hits = hits & weights
        share = (hits.sum() / jnp.maximum(weights.sum(), 1)).astype(x.dtype)
        if len(op.tops) == 1:
            return (share,)
        chosen = _one_hot(op, index) & weights
        there = jnp.maximum(chosen.sum(axes), 1)
        return share, ((chosen & hits).sum(axes) / there).astype(x.dtype)

    return run


@makes(MultinomialLogisticLoss)
def log_loss(op: MultinomialLogisticLoss, store: Store) -> Forward:
    """The negative logarithm of the labelled probability."""

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        chosen = jnp.take_along_axis(values[0], _labels(op, values[1])[0], 1)
        return (-jnp.log(jnp.maximum(chosen, 1e-20)).sum() / op.bottom[0],)

    return run


@makes(HingeLoss)
def hinge_loss(op: HingeLoss, store: Store) -> Forward:
    """What the label's score lacks of 1 and the others exceed -1 by, or the squares."""

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        own = _one_hot(op, _labels(op, values[1])[0])
        margin = jnp.maximum(0, 1 + jnp.where(own, -values[0], values[0]))
        return ((margin * margin if op.squared else margin).sum() / op.bottom[0],)

    return run


@makes(EuclideanLoss)
def euclidean_loss(op: EuclideanLoss, store: Store) -> Forward:
    """Half the sum of squared differences, over the batch."""
    return lambda parameters, values: (
        0.5 / op.bottom[0] * jnp.square(values[0] - values[1].reshape(op.bottom)).sum(),
    )


@makes(SigmoidCrossEntropyLoss)
def cross_entropy(op: SigmoidCrossEntropyLoss, store: Store) -> Forward:
    """max(x, 0) - x t + log(1 + exp(-|x|)), which does not overflow."""

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        x, target = values[0], values[1].reshape(op.bottom)
        losses = jnp.maximum(x, 0) - x * target + jnp.log1p(jnp.exp(-jnp.abs(x)))
        if op.ignored is None:
            return (losses.sum() / (op.divided_by or 1.0),)
        counted = target != op.ignored
        number = op.divided_by or jnp.maximum(counted.sum(), 1)
        return ((losses * counted).sum() / number,)

    return run


@makes(ContrastiveLoss)
def contrastive_loss(op: ContrastiveLoss, store: Store) -> Forward:
    """Distances of similar pairs, and what those of others lack of the margin."""
    batch = op.bottom[0]

    def run(parameters: Sequence[Any], values: Sequence[Any]) -> Sequence[Any]:
        difference = (values[0] - values[1].reshape(op.bottom)).reshape(batch, -1)
        squared = (difference * difference).sum(1)
        if op.legacy:
            lacking = jnp.maximum(op.margin - squared, 0)
        else:
            lacking = jnp.maximum(op.margin - jnp.sqrt(squared), 0) ** 2
        similar = values[2].reshape(batch) != 0
        return (jnp.where(similar, squared, lacking).sum() * (0.5 / batch),)

    return run
