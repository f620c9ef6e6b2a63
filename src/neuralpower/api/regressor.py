"""A layer model as an estimator of scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from neuralpower.core.cells import MAY_BE_ZERO
from neuralpower.core.configuration import CONFIGURATION_COLUMNS

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Floats = NDArray[np.float64]

#: What a size of 0 counts as.
TINY = 1e-3
#: What a plain array's columns are: the configuration's numbers in the order of the tables.
NUMBERS = tuple(name for name in CONFIGURATION_COLUMNS if name not in ("family", "pool_method"))


class NeuralPowerRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Sparse polynomial model of one layer family, chosen by nested cross-validation.

    Parameters
    ----------
    family : str, default "conv"
        The layer family whose features are used.
    target : {"runtime_ms", "power_w", "energy_mj"}, default "runtime_ms"
        What ``y`` is; its unit is in the name.
    pool_method : {"max", "ave", "stochastic", ""}, default ""
        Of all rows, for the family ``pool``.
    folds : int, default 10
        Of the cross-validation; a configuration's repeats stay together.
    seed : int, default 0
        Deals the folds.
    whole : bool, default True
        Refuse sizes that are not whole numbers.

    Attributes
    ----------
    model_ : object
        The fitted model; ``model_.n_terms`` is its size.
    scores_ : dict
        Out of fold, percentages in per cent: ``mape``, ``rmspe``, ``r2``, ``interval_coverage`` ...
    equation_ : str
        The model in words.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only when ``X`` was a frame.

    Notes
    -----
    ``X`` is a frame with columns of the measurement tables (``batch``, ``in_channels`` ...), or an
    array whose columns are the first of ``batch, in_channels, in_height, in_width, out_channels,
    out_height, out_width, kernel_height, kernel_width, stride_height, stride_width, pad_height,
    pad_width, dilation_height, dilation_width, groups, bias, inputs``. Sizes are whole numbers
    from 1 (padding and bias from 0) and ``y`` is positive: other values are refused. Columns that
    are not given have the value of a layer without a window. Rows of one configuration are merged.

    Examples
    --------
    >>> import neuralpower, pandas
    >>> table = pandas.read_csv("measurements/caffe-cpu/fc.csv.gz")
    >>> X = table[["batch", "in_channels", "in_height", "in_width", "out_channels", "bias"]]
    >>> model = neuralpower.NeuralPowerRegressor("fc").fit(X, table["runtime_ms"])
    >>> bool(model.scores_["mape"] < 25)
    True
    >>> low, high = model.predict_interval(X[:3])
    >>> low.shape, bool((low < model.predict(X[:3])).all())
    ((3,), True)
    """

    def __init__(
        self,
        family: str = "conv",
        target: str = "runtime_ms",
        pool_method: str = "",
        folds: int = 10,
        seed: int = 0,
        whole: bool = True,
    ) -> None:
        self.family = family
        self.target = target
        self.pool_method = pool_method
        self.folds = folds
        self.seed = seed
        self.whole = whole

    def __sklearn_tags__(self) -> object:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.target_tags.positive_only = True
        # A model of sizes: what it is worth on random numbers is no test of it.
        tags.regressor_tags.poor_score = True
        return tags

    def fit(self, X: ArrayLike, y: ArrayLike) -> NeuralPowerRegressor:
        """Choose and fit the model; a configuration's repeats are merged to their median.

        Parameters
        ----------
        X : frame or array of shape (n, k)
            Configurations; see the notes of the class.
        y : array of shape (n,)
            Measurements in the unit of ``target``.

        Raises
        ------
        ValueError
            For values that are no sizes, a target that is not positive, or too few configurations.
        """
        from threadpoolctl import threadpool_limits

        from neuralpower.core.families import FAMILIES
        from neuralpower.core.targets import TARGETS
        from neuralpower.modeling.data import layers_of
        from neuralpower.modeling.fitting import FitOptions, fit_layers
        from neuralpower.modeling.models import Model
        from neuralpower.modeling.selection import TooFewError

        if self.family not in FAMILIES:
            raise ValueError(f"family {self.family!r} is none of {', '.join(FAMILIES)}")
        if self.target not in TARGETS:
            raise ValueError(f"target {self.target!r} is none of {', '.join(TARGETS)}")
        names = _names(X)
        checked, measured = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        self._names = names if names is not None else list(NUMBERS[: self.n_features_in_])
        columns = self._columns(np.asarray(checked))
        y = np.asarray(measured, dtype=np.float64)
        if not (y > 0).all():
            raise ValueError(f"{self.target} must be positive")
        layers = layers_of(self.family, self.target, columns, y)
        try:
            with threadpool_limits(1):
                fitted = fit_layers(layers, FitOptions(folds=self.folds, seed=self.seed))
        except TooFewError as error:
            raise ValueError(f"n_samples = {len(y)}: {error}") from None
        self.model_ = Model.from_json(fitted.model)
        self.scores_ = dict(fitted.model["scores"])
        self.equation_ = str(fitted.model["equation"])
        return self

    def predict(self, X: ArrayLike) -> Floats:
        """Predict configurations; returns an array of shape (n,) in the unit of ``target``."""
        return self._predicted(X)[0]

    def predict_interval(self, X: ArrayLike) -> tuple[Floats, Floats]:
        """The 90 % interval: its lower and its upper ends, arrays of shape (n,)."""
        _, low, high = self._predicted(X)
        return low, high

    def _predicted(self, X: ArrayLike) -> tuple[Floats, Floats, Floats]:
        check_is_fitted(self, "model_")
        checked = np.asarray(validate_data(self, X, dtype=np.float64, reset=False))
        found = self.model_.predict(self._columns(checked))
        return found.value, found.lo, found.hi

    def _columns(self, X: Floats) -> dict[str, NDArray[np.generic]]:
        """The configuration columns of ``X``, with the defaults of a layer without a window."""
        from neuralpower.modeling.features import DEFAULTS

        if len(self._names) != X.shape[1]:
            raise ValueError(f"X has {X.shape[1]} columns, at most {len(NUMBERS)} are known")
        columns: dict[str, NDArray[np.generic]] = {
            name: np.full(len(X), float(DEFAULTS.get(name, 1))) for name in NUMBERS
        }
        for name, values in zip(self._names, X.T, strict=True):
            if name not in columns:
                raise ValueError(f"column {name!r} is none of {', '.join(NUMBERS)}")
            least = 0 if name in MAY_BE_ZERO else 1
            if self.whole and not ((values >= least) & (values == np.floor(values))).all():
                raise ValueError(f"column {name}: whole numbers from {least} on are needed")
            if (values < 0).any():
                raise ValueError(f"Negative values in data: column {name} has sizes")
            # A size of 0 (``whole=False``) has no logarithm.
            columns[name] = values if least == 0 else np.maximum(values, TINY)
        for size in ("channels", "height", "width"):
            if f"in_{size}" in self._names and f"out_{size}" not in self._names:
                columns[f"out_{size}"] = columns[f"in_{size}"]
        columns["pool_method"] = np.full(len(X), self.pool_method, dtype=np.str_)
        return columns


def _names(X: object) -> list[str] | None:
    columns = getattr(X, "columns", None)
    return None if columns is None else [str(name) for name in columns]
