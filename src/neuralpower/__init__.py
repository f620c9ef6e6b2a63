"""NeuralPower: runtime, power and energy of convolutional networks, layer by layer.

The public face is what is listed in ``__all__``; everything else may change without notice.

>>> import neuralpower
>>> models = neuralpower.load_models("results/models/caffe-cpu")
>>> prediction = neuralpower.predict("prototxts/alexnet.prototxt", models, batch=16)
>>> prediction.platform, prediction.network, prediction.batch
('caffe-cpu', 'alexnet', 16)
>>> low, high = prediction.interval("runtime_ms")
>>> low < prediction.runtime_ms < high
True
"""

from __future__ import annotations

# Checkers of types take this name for true; importing it would be a third of this module's time,
# in which an interrupt is a traceback.
TYPE_CHECKING = False

__version__ = "0.1.0"

__all__ = [
    "InputError",
    "NeuralPowerRegressor",
    "compare",
    "explain",
    "fit",
    "load_models",
    "predict",
    "read_network",
]

#: Where the public names live: each is imported when it is first asked for, so that the command
#: line and ``import neuralpower`` start quickly.
_HOMES = {
    "InputError": "neuralpower.core.errors",
    "NeuralPowerRegressor": "neuralpower.api.regressor",
    "compare": "neuralpower.api.predicting",
    "explain": "neuralpower.api.predicting",
    "fit": "neuralpower.api.models",
    "load_models": "neuralpower.api.models",
    "predict": "neuralpower.api.predicting",
    "read_network": "neuralpower.api.networks",
}

if TYPE_CHECKING:
    from neuralpower.api.models import fit, load_models
    from neuralpower.api.networks import read_network
    from neuralpower.api.predicting import compare, explain, predict
    from neuralpower.api.regressor import NeuralPowerRegressor
    from neuralpower.core.errors import InputError


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    value = globals()[name] = getattr(importlib.import_module(home), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
