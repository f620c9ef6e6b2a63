"""The ``fit`` section of a configuration file, checked strictly."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from neuralpower.core.errors import InputError
from neuralpower.core.settings_file import read_section
from neuralpower.modeling.candidates import DEFAULT_GRID, SECOND_OPINION
from neuralpower.modeling.crossvalidation import FOLDS, GAUSSIAN, Candidate
from neuralpower.modeling.fitting import FitOptions
from neuralpower.modeling.forms import FORMS
from neuralpower.modeling.gram import ESTIMATORS
from neuralpower.modeling.libraries import LIBRARIES

OBJECTIVES = ("relative", "absolute", "log")
_KEYS = ("candidates", "folds", "most_terms", "seed")


def load_options(path: str | Path | None, seed: int | None = None) -> FitOptions:
    """Options from a YAML file's ``fit`` section (defaults without file, section or key).

    ``candidates``: a list of ``[library, objective, estimator]``, with a form as fourth if any;
    ``folds``: 3 to 20; ``most_terms``: 1 to 1000, or null for no limit; ``seed``: an integer,
    which the argument overrides. Raises ``InputError`` for anything else.
    """
    section: object = {}
    if path is not None:
        section = read_section(path, "fit")
        section = {} if section is None else section
    if not isinstance(section, dict):
        raise InputError("fit: a mapping of options is needed", path=path)
    for key in section:
        if key not in _KEYS:
            raise InputError(f"fit: unknown option {key!r} (known: {', '.join(_KEYS)})", path=path)
    folds = _integer(section, "folds", FOLDS, 3, 20, path)
    dealt = _integer(section, "seed", 0, -(2**31), 2**31, path) if seed is None else seed
    most = section.get("most_terms")
    if most is not None:
        most = _integer(section, "most_terms", 0, 1, 1000, path)
    return FitOptions(_candidates(section, path), folds, dealt, most)


def _integer(
    section: Mapping[str, object],
    key: str,
    default: int,
    low: int,
    high: int,
    path: str | Path | None,
) -> int:
    value = section.get(key, default)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise InputError(f"fit.{key}: a whole number from {low} to {high} is needed", path=path)
    return value


def _candidates(section: Mapping[str, object], path: str | Path | None) -> tuple[Candidate, ...]:
    listed = section.get("candidates")
    if listed is None:
        return DEFAULT_GRID
    if not isinstance(listed, list) or not listed:
        raise InputError("fit.candidates: a list is needed", path=path)
    result = []
    for entry in listed:
        if not isinstance(entry, list) or len(entry) not in (3, 4):
            raise InputError(
                f"fit.candidates: {entry!r} is not [library, objective, estimator] or "
                "[library, objective, estimator, form]",
                path=path,
            )
        choices: tuple[Collection[str], ...] = (
            *(LIBRARIES, OBJECTIVES, (*ESTIMATORS, GAUSSIAN), FORMS),
        )
        for value, known in zip(entry, choices, strict=False):
            if value not in known:
                raise InputError(
                    f"fit.candidates: {value!r} is none of {', '.join(known)}", path=path
                )
        candidate = Candidate(*entry)
        if candidate.estimator == GAUSSIAN and candidate != SECOND_OPINION:
            only = f"[{SECOND_OPINION!s}]"
            raise InputError(f"fit.candidates: a gaussian process is {only}", path=path)
        result.append(candidate)
    if set(result) == {SECOND_OPINION}:
        raise InputError(
            "fit.candidates: a gaussian process is a second opinion: list others too", path=path
        )
    return tuple(result)
