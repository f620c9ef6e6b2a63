"""What other packages bring: executors and meters by entry points (``importlib.metadata``).

The built-in ones are entry points of this package too. They are named here once more by whoever
asks, because the metadata of a checkout can be older than its source.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from neuralpower.core.errors import InputError


def installed(group: str, built_in: Mapping[str, str]) -> dict[str, EntryPoint]:
    """The entry points of a group by name: built-in ones in their order, then others by name.

    ``built_in``: name to ``module:object``; no other package can take such a name.
    """
    found = {name: EntryPoint(name, value, group) for name, value in built_in.items()}
    for point in sorted(entry_points(group=group), key=lambda point: (point.name, point.value)):
        found.setdefault(point.name, point)
    return found


def load(kind: str, name: str, points: Mapping[str, EntryPoint], hints: Mapping[str, str]) -> Any:
    """What an entry point names. ``InputError`` for a name that is not installed, or not whole.

    ``kind``: what it is in words (executor, meter); ``hints``: how to install names that are ours
    and not installed here.
    """
    if name not in points:
        remedy = f": {hints[name]}" if name in hints else ""
        raise InputError(
            f"{kind} {name!r} is not installed{remedy}; installed are {', '.join(points)}"
        )
    try:
        return points[name].load()
    except InputError:
        raise
    except Exception as error:
        # Whatever a package of others does when it is imported.
        text = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise InputError(f"{kind} {name!r} cannot be loaded: {text}") from None


def versions(group: str, built_in: Mapping[str, str]) -> list[str]:
    """Name and version of the packages that bring something to a group, without our own."""
    points = [point for name, point in installed(group, built_in).items() if name not in built_in]
    return sorted(f"{point.dist.name} {point.dist.version}" for point in points if point.dist)
