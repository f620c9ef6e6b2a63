"""What is published about networks: ``networks.yaml`` beside the prototxts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from neuralpower.core.documents import read_yaml
from neuralpower.core.errors import InputError

#: Errors in per cent, in the order in which a comparison prefers them.
ERRORS = ("top5_error", "top1_error")


def read_published(path: str | Path) -> dict[str, dict[str, object]]:
    """Facts of networks by name: title, paper, dataset, top1_error, top5_error and others.

    Raises ``InputError`` for a file that is not YAML, a network that is not a list of facts, or
    an error that is not a number from 0 to 100.
    """
    value = read_yaml(path)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError("a list of networks with their facts is needed", path=path, line=1)
    found: dict[str, dict[str, object]] = {}
    for name, facts in value.items():
        if not isinstance(facts, dict):
            raise InputError(f"network {name!r} has no facts: give it some or none", path=path)
        for key in ERRORS:
            _check_error(str(name), key, facts.get(key), path)
        found[str(name)] = facts
    return found


def _check_error(name: str, key: str, error: object, path: str | Path) -> None:
    if error is None:
        return
    if isinstance(error, bool) or not isinstance(error, int | float) or not 0 <= error <= 100:
        raise InputError(f"network {name!r}: {key} must be from 0 to 100 per cent", path=path)


def published_error(facts: Mapping[str, object], kind: str) -> float | None:
    """A published error in per cent; None where none is known."""
    value = facts.get(kind)
    return float(value) if isinstance(value, int | float) else None
