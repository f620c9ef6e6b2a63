"""Models of a platform as programs load and fit them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from neuralpower.api.results import Table
from neuralpower.core.errors import InputError, printable
from neuralpower.core.files import safe_name

if TYPE_CHECKING:
    import pandas

    from neuralpower.modeling.models import Model, ModelSet
    from neuralpower.networks.calibration import Composition

SCORES = ("family", "target", "n", "mape", "rmspe", "median_ape", "r2", "interval_coverage",
           "n_terms")  # fmt: skip


class Models(Table):
    """The models of a platform: a row for each family and target, with its out-of-fold scores.

    Percentages are in per cent: ``mape`` the mean and ``median_ape`` the median absolute error,
    ``rmspe`` the root of the mean square, ``interval_coverage`` how many of the measurements lie in
    their 90 % interval.

    Attributes
    ----------
    platform : str
    folder : Path
        Where the models are; a temporary folder after ``fit`` without ``out``.
    families : list of str
    """

    kind = "scores"

    def __init__(self, folder: str | Path, keep: TemporaryDirectory[str] | None = None) -> None:
        from neuralpower.modeling.models import load_models as load
        from neuralpower.networks.calibration import load_composition

        self.folder = Path(folder)
        self._keep = keep
        self._models: ModelSet = load(self.folder)
        self._composition: Composition = load_composition(self.folder)
        super().__init__(
            SCORES, [_scores(model) for _, model in sorted(self._models.models.items())]
        )

    @property
    def platform(self) -> str:  # noqa: D102 - as of the class
        return self._models.platform

    @property
    def families(self) -> list[str]:  # noqa: D102 - as of the class
        return self._models.families()

    def _title(self) -> str:
        return f"{self.platform}: models of {len(self.families)} families"


def _scores(model: Model) -> dict[str, object]:
    scores = model.facts.get("scores", {})
    return {**scores, "family": model.family, "target": model.target, "n_terms": model.n_terms}


def load_models(source: str | Path) -> Models:
    """Load the models that ``fit`` wrote.

    Parameters
    ----------
    source : str or Path
        A folder of models, or the name of a platform: then ``results/models/<name>`` and
        ``published/<name>/models`` below the current folder are looked for.

    Returns
    -------
    Models

    Raises
    ------
    InputError
        When there is no such folder, or a file in it is damaged.

    Examples
    --------
    >>> import neuralpower
    >>> models = neuralpower.load_models("caffe-cpu")
    >>> models.platform
    'caffe-cpu'
    >>> models.families[:3]
    ['batchnorm', 'concat', 'conv']
    >>> scores = models.to_frame()
    >>> bool(scores.loc[scores.family == "conv", "mape"].item() < 20)
    True
    """
    folder = Path(source)
    if not folder.is_dir() and folder.name == str(source):
        name = safe_name(folder.name, "platform")
        places = [Path("results/models") / name, Path("published") / name / "models"]
        found = next((place for place in places if place.is_dir()), None)
        if found is None:
            text = " or ".join(place.as_posix() for place in places)
            raise InputError(f"no models of {name!r}: there is no {text}, nor such a folder")
        folder = found
    return Models(folder)


def fit(
    data: str | Path | pandas.DataFrame,
    *,
    networks: str | Path | Sequence[str | Path] = (),
    out: str | Path | None = None,
    seed: int = 0,
) -> Models:
    """Fit and cross-validate the models of a platform, and learn how its layers add up.

    Parameters
    ----------
    data : str, Path or pandas.DataFrame
        A folder of measurements, one table, or a frame with the columns of one: ``family``,
        ``batch``, ``in_channels`` ... and ``runtime_ms``, ``power_w`` where it was measured
        (docs/measurements_format.md).
    networks : path or sequence of paths, optional
        Networks whose whole passes the folder has measured, or a folder of networks; they teach how
        layers add up (``neuralpower calibrate``). Those in the folder itself are used anyway.
    out : str or Path, optional
        Where to write the models; by default a temporary folder that lives as long as the result.
    seed : int, default 0
        Deals the folds of the cross-validation.

    Returns
    -------
    Models

    Raises
    ------
    InputError
        For a faulty table, or when no family has enough configurations.

    Examples
    --------
    >>> import neuralpower, pandas
    >>> table = pandas.read_csv("measurements/caffe-cpu/softmax.csv.gz")
    >>> models = neuralpower.fit(table)
    >>> models.families
    ['softmax']
    >>> models[0]["target"], models[0]["n"] == len(table.drop_duplicates(table.columns[:20]))
    ('runtime_ms', True)
    """
    from threadpoolctl import threadpool_limits

    from neuralpower.modeling.fitting import FitOptions
    from neuralpower.modeling.platforms import fit_platform
    from neuralpower.networks.calibration import save_composition
    from neuralpower.networks.learning import learn, load_trials

    keep = TemporaryDirectory(prefix="neuralpower-") if out is None else None
    folder = Path(keep.name) / "models" if keep is not None else Path(out or "")
    with TemporaryDirectory(prefix="neuralpower-") as work, threadpool_limits(1):
        measurements = _folder(data, Path(work))
        fit_platform(measurements, folder, FitOptions(seed=seed), tell=_warn)
        trials, _ = load_trials(measurements, Models(folder)._models, _networks(networks))
        save_composition(learn(trials), folder)
    return Models(folder, keep)


def _warn(text: str) -> None:
    """What the command line says on standard error; the place shown is that of the caller."""
    import warnings

    warnings.warn(printable(text), stacklevel=4)


def _folder(data: Any, work: Path) -> Path:
    """The data as a folder of measurements; a table or frame gets a new one."""
    if not isinstance(data, str | Path):
        if not hasattr(data, "to_csv"):
            kind = type(data).__name__
            raise InputError(f"a folder, a table or a frame of measurements is needed, not {kind}")
        place = work / "frame"
        place.mkdir()
        (place / "layers.csv").write_text(data.to_csv(index=False), encoding="utf-8")
        return place
    path = Path(data)
    if path.is_dir():
        return path
    if not path.is_file():
        raise InputError("no such folder or table: check the path", path=path)
    place = work / safe_name(path.name.split(".")[0], "table")
    place.mkdir()
    (place / path.name).write_bytes(path.read_bytes())
    return place


def _networks(given: str | Path | Sequence[str | Path]) -> list[Path]:
    from neuralpower.core.network_files import network_files

    paths = [given] if isinstance(given, str | Path) else list(given)
    found: list[Path] = []
    for path in map(Path, paths):
        found += network_files(path).values() if path.is_dir() else [path]
    return found
