"""Whole networks by the simple predictors that were fitted beside the models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuralpower.networks.estimates import configuration_columns

if TYPE_CHECKING:
    from neuralpower.caffe.network import Network

#: Baselines that make sense of a network: the others need a family's own constant.
_USED = ("paleo_ppp1", "paleo_fitted", "roofline_given", "roofline", "paper")


def baseline_totals(
    networks: Sequence[Network], models_dir: str | Path | None
) -> list[dict[str, float]]:
    """Runtime in ms of every network by every baseline: the sum over its layers.

    A layer whose family has no such baseline adds nothing: Paleo sees convolutions, inner
    products and pooling only. A baseline that no layer of the network has is absent.
    """
    if models_dir is None:
        return [{} for _ in networks]
    from neuralpower.modeling.baselines import load_baselines

    totals: list[dict[str, float]] = [{} for _ in networks]
    known = load_baselines(models_dir)
    owners: dict[str, list[int]] = {}
    configurations: dict[str, list[object]] = {}
    for i, network in enumerate(networks):
        for layer in network.layers:
            if layer.configuration is not None:
                owners.setdefault(layer.family, []).append(i)
                configurations.setdefault(layer.family, []).append(layer.configuration)
    for (family, target), baselines in sorted(known.items()):
        if target != "runtime_ms" or family not in owners:
            continue
        columns = configuration_columns(configurations[family])  # type: ignore[arg-type]
        for baseline in baselines:
            if baseline.name in _USED:
                values = np.asarray(baseline.predict(columns), dtype=np.float64)
                for i, value in zip(owners[family], values.tolist(), strict=True):
                    totals[i][baseline.name] = totals[i].get(baseline.name, 0.0) + value
    return totals
