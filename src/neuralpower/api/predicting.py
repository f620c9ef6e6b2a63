"""Predictions, explanations and comparisons of networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

from neuralpower.api.models import Models, load_models
from neuralpower.api.networks import Network, read_network
from neuralpower.api.results import Comparison, Explanation, Prediction, Predictions
from neuralpower.core.errors import InputError

Source = str | Path | Network
ModelSource = str | Path | Models


@overload
def predict(network: Source, models: ModelSource, batch: int | None = None) -> Prediction: ...
@overload
def predict(network: Source, models: ModelSource, batch: Sequence[int]) -> Predictions: ...
@overload
def predict(
    network: list[Source] | tuple[Source, ...],
    models: ModelSource,
    batch: int | Sequence[int] | None = None,
) -> Predictions: ...
def predict(
    network: Source | list[Source] | tuple[Source, ...],
    models: ModelSource,
    batch: int | Sequence[int] | None = None,
) -> Prediction | Predictions:
    """Predict runtime, power and energy of a forward pass, layer by layer.

    What the platform's measured passes taught about adding up layers is included, as in the
    command: the total is not the sum of layers that were measured by themselves.

    Parameters
    ----------
    network : Network, path, or sequence of them
        What to predict; a path is read as by ``read_network``.
    models : Models, folder or platform name
        As of ``load_models``.
    batch : int or sequence of int, optional
        Batch sizes; by default the network's own.

    Returns
    -------
    Prediction or Predictions
        One for one network at one batch size, else all of them.

    Raises
    ------
    InputError
        As of ``read_network`` and ``load_models``.

    Examples
    --------
    >>> import neuralpower
    >>> models = neuralpower.load_models("caffe-cpu")
    >>> one = neuralpower.predict("prototxts/lenet.prototxt", models, batch=64)
    >>> one.total["source"], one.power_w, len(one.layers)
    ('model', None, 9)
    >>> one.coverage.startswith("covers 8 of 8 computing layers, 100 % of MACs")
    True
    >>> both = neuralpower.predict("prototxts/lenet.prototxt", models, batch=[1, 64])
    >>> [(part.batch, part.runtime_ms < 20) for part in both.parts]
    [(1, True), (64, True)]
    >>> len(both.to_frame())
    20
    """
    from neuralpower.core.configuration import PREDICTION_COLUMNS
    from neuralpower.networks.composition import predict_networks
    from neuralpower.networks.text import by_network

    loaded = _models(models)
    sources = [network] if isinstance(network, str | Path | Network) else list(network)
    batches = [batch] if batch is None or isinstance(batch, int) else list(batch)
    chosen = [_at(source, size) for source in sources for size in batches]
    rows = predict_networks([one._network for one in chosen], loaded._models, loaded._composition)
    parts = [Prediction(loaded.platform, PREDICTION_COLUMNS, part) for part in by_network(rows)]
    if isinstance(network, str | Path | Network) and (batch is None or isinstance(batch, int)):
        return parts[0]
    return Predictions(parts)


def explain(
    network: Source, models: ModelSource, *, batch: int | None = None, layers: int = 5
) -> Explanation:
    """The layers that cost most, what bounds each, and what changing it would save.

    Parameters
    ----------
    network : Network or path
    models : Models, folder or platform name
    batch : int, optional
        By default the network's own.
    layers : int, default 5
        How many.

    Returns
    -------
    Explanation
        Cost is energy where every modelled layer has it, else runtime.

    Raises
    ------
    InputError
        When no layer has a model, and as of ``predict``.

    Examples
    --------
    >>> import neuralpower
    >>> explanation = neuralpower.explain("prototxts/alexnet.prototxt", "caffe-cpu", layers=2)
    >>> [row["name"] for row in explanation]
    ['fc6', 'fc7']
    >>> explanation[0]["bound"], explanation.sentences[0][:21]
    ('memory', '1. fc6 (InnerProduct)')
    """
    from neuralpower.networks.composition import nothing
    from neuralpower.networks.explaining import COLUMNS, explain_network

    loaded, one = _models(models), _at(network, batch)
    rows = explain_network(
        one.path, one._network, loaded._models, loaded.folder, loaded._composition, layers,
        {"batch": one.batch},
    )  # fmt: skip
    if not rows:
        raise InputError(nothing(one._network), path=one.path)
    return Explanation(COLUMNS, rows)


def compare(
    networks: Sequence[Source],
    models: ModelSource,
    *,
    batch: int | Sequence[int] | None = None,
    errors: str | Path | None = None,
) -> Comparison:
    """Networks side by side: cost per image, rank, and how sure the order is.

    Parameters
    ----------
    networks : sequence of Network or path
    models : Models, folder or platform name
    batch : int or sequence of int, optional
        By default each network's own; the best batch size of each counts for its rank.
    errors : path, optional
        A ``networks.yaml`` with published errors, for the Pareto front and energy-precision ratio.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        As of ``predict``.

    Examples
    --------
    >>> import neuralpower
    >>> networks = ["prototxts/alexnet.prototxt", "prototxts/squeezenet_v1_1.prototxt"]
    >>> comparison = neuralpower.compare(networks, "caffe-cpu", batch=[1, 16])
    >>> comparison[0]["network"], comparison[0]["rank"], comparison[0]["cost"]
    ('squeezenet_v1_1', 1, 'runtime_ms')
    >>> len(comparison)
    4
    """
    from neuralpower.networks.choosing import COLUMNS
    from neuralpower.networks.choosing import compare as compared
    from neuralpower.networks.published import read_published

    predicted = predict(list(networks), models, batch)
    facts = read_published(errors) if errors is not None else {}
    return Comparison(COLUMNS, compared(predicted.rows, facts))


def _models(source: ModelSource) -> Models:
    return source if isinstance(source, Models) else load_models(source)


def _at(source: Source, batch: int | None) -> Network:
    """A network at a batch size; read once where it is there already."""
    if not isinstance(source, Network):
        return read_network(source, batch=batch)
    return source if batch in (None, source.batch) else source.at_batch(batch)
