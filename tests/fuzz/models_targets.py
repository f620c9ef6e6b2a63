"""Readers of models, compositions, baselines and accuracy."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path

from mutations import change_json
from target import MODELS, ROOT, Target, files

from neuralpower.core.cells import Row


def _read_models(folder: Path) -> None:
    from neuralpower.caffe.network import load_network
    from neuralpower.modeling.baselines import load_baselines
    from neuralpower.modeling.models import load_models
    from neuralpower.networks.calibration import load_composition
    from neuralpower.networks.composition import predict_networks

    models = load_models(folder)
    composition = load_composition(folder)
    load_baselines(folder)
    network = load_network(ROOT / "prototxts/lenet.prototxt")
    rows: Sequence[Row] = predict_networks([network], models, composition)
    for row in rows:
        for target in ("runtime_ms", "power_w", "energy_mj"):
            value, low, high = (row[target + end] for end in ("", "_lo", "_hi"))
            assert value is None or (value >= 0 and 0 <= low <= high), row


def _read_index(folder: Path) -> None:
    (folder / "composition.json").unlink(missing_ok=True)  # it is of the index as it was
    _read_models(folder)


#: One family is enough to read, and three trees of its intervals: inputs are tried faster.
_FAMILY = "fc"


def _small_model(name: str) -> bytes:
    model = json.loads((MODELS / name).read_text())
    del model["interval"]["forest"]["trees"][3:]
    return json.dumps(model).encode()


def _small_baselines() -> bytes:
    baselines = json.loads((MODELS / "baselines.json").read_text())
    return json.dumps({_FAMILY: baselines[_FAMILY]}).encode()


def _small_index() -> bytes:
    """The index of the one family; without checksums, so that every file is looked at by itself."""
    index = json.loads((MODELS / "models.json").read_text())
    index["models"] = [name for name in index["models"] if name.startswith(_FAMILY)]
    del index["sha256"]
    return json.dumps(index).encode()


def _small_models(folder: Path) -> None:
    """Models of one family."""
    index = _small_index()
    for name in json.loads(index)["models"]:
        (folder / name).write_bytes(_small_model(name))
    (folder / "models.json").write_bytes(index)
    (folder / "baselines.json").write_bytes(_small_baselines())
    _stamp(folder)


def _stamp(folder: Path) -> None:
    from neuralpower.networks.calibration import load_composition, save_composition

    save_composition(load_composition(MODELS), folder)


def _restamped(draw: random.Random, data: bytes) -> bytes:
    """A composition with changed values whose checksums fit: only its values can be refused."""
    changed = change_json(draw, data)
    try:
        value = json.loads(changed)
    except ValueError:
        return changed
    if not isinstance(value, dict):
        return changed
    from neuralpower.networks.calibration import _own_sum

    value.pop("sha256", None)
    return json.dumps({**value, "sha256": _own_sum(value)}).encode("utf-8", "surrogatepass")


def _compositions() -> list[bytes]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        _small_models(Path(folder))
        return [(Path(folder) / "composition.json").read_bytes()]


def _read_gate(folder: Path) -> None:
    from neuralpower.scoring.accuracy import load_accuracy
    from neuralpower.scoring.gate import Tolerances, compare, failed, load_figures

    now, _ = load_figures(folder / "accuracy.json")
    load_accuracy(folder / "accuracy.json")
    failed(compare(now, now, Tolerances()))


MODEL_FILES: tuple[Target, ...] = (
    Target(
        "model",
        "fc.runtime_ms.json",
        lambda: [_small_model("fc.runtime_ms.json")],
        change_json,
        _read_models,
        _small_models,
    ),
    Target(
        "index",
        "models.json",
        lambda: [_small_index()],
        change_json,
        _read_index,
        _small_models,
        document=True,
    ),
    Target(
        "composition", "composition.json", _compositions, _restamped, _read_models, _small_models
    ),
    Target(
        "baselines",
        "baselines.json",
        lambda: [_small_baselines()],
        change_json,
        _read_models,
        _small_models,
    ),
    Target(
        "accuracy",
        "accuracy.json",
        files("published/raptorlake-pytorch/accuracy.json", most=10**6),
        change_json,
        _read_gate,
    ),
)
