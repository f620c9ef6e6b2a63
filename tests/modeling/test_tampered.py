"""Whatever a changed model file says, it is refused, or its predictions are numbers of layers."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuralpower.core.errors import InputError
from neuralpower.modeling.data import load_dataset
from neuralpower.modeling.equations import to_text
from neuralpower.modeling.fitting import FitOptions
from neuralpower.modeling.models import Model, load_models
from neuralpower.modeling.transfer import transfer_layers

ROOT = Path(__file__).resolve().parents[2]
HOSTILE: tuple[object, ...] = (
    None, True, -1, 0, 5, 0.5, 1e308, -1e308, 1e-320, 10**18, "x", "\x1b[31m\n", [], {}, [[1]],
)  # fmt: skip
#: What a reader may say of a file: ``load_model`` makes one line of it.
FAULTS = (KeyError, TypeError, ValueError, AttributeError, IndexError)


def _plain() -> dict[str, Any]:
    path = ROOT / "published/a30-pytorch-fp32/models/conv.power_w.json"
    value: dict[str, Any] = json.loads(path.read_text())
    return value


def _transferred() -> dict[str, Any]:
    layers = load_dataset(ROOT / "measurements/caffe-cpu").layers["conv", "runtime_ms"]
    sources = {
        name: load_models(ROOT / f"published/{name}/models").models["conv", "runtime_ms"]
        for name in ("a30-pytorch-fp32", "a100-pytorch")
    }
    fitted = transfer_layers(sources, layers.take(np.arange(0, 300, 12)), FitOptions(folds=3))
    assert fitted.model["parts"]
    assert fitted.model["guard"]
    value: dict[str, Any] = json.loads(json.dumps(fitted.model))
    return value


def _places(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Ways to everything in a value, of lists only to the first and the last."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _places(inner, (*path, key))
    elif isinstance(value, list):
        for i in sorted({0, len(value) - 1} & set(range(len(value)))):
            yield from _places(value[i], (*path, i))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("make", [_plain, _transferred])
def test_no_changed_model_is_worse_than_refused(make: Any) -> None:
    base = make()
    shown = ("scores", "in_sample", "baselines", "noise", "equation", "inference", "provenance")
    for name in shown:
        base.pop(name, None)
    layers = load_dataset(ROOT / "measurements/caffe-cpu").layers["conv", "runtime_ms"]
    columns = layers.take(np.arange(0, len(layers), 20)).columns
    refused, lines = 0, set()
    for i, path in enumerate(_places(base)):
        for hostile in HOSTILE[i % 5 :: 5]:
            value = copy.deepcopy(base)
            inner = value
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = hostile
            try:
                model = Model.from_json(value)
            except FAULTS:
                refused += 1
                continue
            try:
                found = model.predict(columns)
            except InputError as error:
                lines.add(str(error))
                continue
            sound = (found.value > 0) & (found.lo <= found.hi) & (found.hi < 1e60)
            assert sound.all(), (path, hostile)
            assert math.isfinite(model.lean * float(found.hi.sum())), (path, hostile)
            assert all(line.isprintable() for line in to_text(model).splitlines()), (path, hostile)
    assert refused > 100
    assert all(f"{base['target']}.json gives no number" in line for line in lines)
