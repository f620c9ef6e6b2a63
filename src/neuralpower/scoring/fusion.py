"""Whether an activation right after a convolution costs time of its own on a platform.

Frameworks may run it inside the convolution. Whole passes decide: they are predicted with the
activations' own times and without them, and the rule with the smaller error is reported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from neuralpower.caffe.network import Network
    from neuralpower.networks.learning import Trial

ACTIVATIONS = frozenset({"relu", "sigmoid", "tanh", "elu", "prelu"})
#: Layers that an activation, and BatchNorm and Scale before it, can be run inside of.
HOSTS = frozenset({"conv", "deconv", "fc"})
#: Fewer passes than this decide nothing.
FEWEST = 5


def fusable(network: Network) -> list[int]:
    """Indices of activations whose input comes from a convolution or inner product.

    BatchNorm and Scale in between do not matter. An activation whose input has other readers
    and that does not work in place counts too: the host can write its result at once.
    """
    maker: dict[str, bool] = {}
    found = []
    for layer in network.layers:
        hosted = any(maker.get(bottom, False) for bottom in layer.bottoms)
        if layer.family in ACTIVATIONS and hosted:
            found.append(layer.index)
        passes_on = layer.family in ("batchnorm", "scale") and hosted
        for top in layer.tops:
            maker[top] = layer.family in HOSTS or passes_on
    return found


def activation_rule(
    trials: Sequence[Trial], predicted: Sequence[Sequence[Mapping[str, Any]]]
) -> dict[str, Any]:
    """Compare the two rules on prediction rows that have no factors.

    ``rules`` (``separate`` and ``free``: mape, bias_percent), ``better`` and a ``text``. Empty when
    activations have no model, or fewer than ``FEWEST`` passes tell. ``better`` is empty when the
    rules' errors differ by less than twice the standard error of the difference.
    """
    errors: dict[str, list[float]] = {"separate": [], "free": []}
    for trial, rows in zip(trials, predicted, strict=True):
        time, whole = trial.measured.values.get("runtime_ms"), rows[-1]["runtime_ms"]
        inside = set(fusable(trial.network))
        part = sum(r["runtime_ms"] or 0 for r in rows[:-1] if r["index"] in inside)
        if time is not None and whole is not None and part > 0:
            errors["separate"].append(100 * (whole / time - 1))
            errors["free"].append(100 * ((whole - part) / time - 1))
    if len(errors["free"]) < FEWEST:
        return {}
    difference = np.abs(errors["free"]) - np.abs(errors["separate"])
    mean = float(difference.mean())
    noise = float(difference.std(ddof=1) / np.sqrt(len(difference)))
    better = "" if abs(mean) < 2 * noise else "free" if mean < 0 else "separate"
    verdict = {
        "": "the passes do not tell the two apart",
        "free": "the passes are predicted better with fused activations",
        "separate": "the passes are predicted better with activations of their own",
    }[better]
    return {
        "rules": {
            rule: {
                "mape": float(np.abs(values).mean()),
                "bias_percent": float(np.mean(values)),
            }
            for rule, values in errors.items()
        },
        "better": better,
        "text": (
            f"{len(difference)} measured passes, with and without the time of these "
            f"activations: {verdict}. Predictions use the families' factors."
        ),
    }
