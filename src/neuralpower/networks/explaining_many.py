"""What to change in many networks: one table for a platform, each network explained once.

Explaining takes longer than predicting (every change is another network), so what was
explained is kept, and done again only when the network, the models or the code have changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from neuralpower.core.documents import read_json
from neuralpower.core.errors import InputError
from neuralpower.core.files import safe_name, sha256_file, write_json
from neuralpower.core.network_files import network_name
from neuralpower.networks.calibration import Composition
from neuralpower.networks.estimates import Models
from neuralpower.networks.explaining import explain
from neuralpower.networks.reading import Readings


def explain_many(
    paths: Sequence[str | Path],
    models: Models,
    models_dir: str | Path,
    composition: Composition | None,
    batch: int | None,
    readings: Readings,
    *,
    kept: Path,
    made_of: str,
    say: Callable[[str], object] = lambda _: None,
) -> list[dict[str, object]]:
    """Rows of ``explain`` for every network, in the given order.

    A network that cannot be read has none, and ``say`` is called with the reason. ``kept`` is a
    folder of this function's own; ``made_of`` says what else the rows depend on (models, code).
    """
    rows: list[dict[str, object]] = []
    for path in paths:
        try:
            name = safe_name(network_name(path), "network")
            said = json.dumps(readings.of(path).as_facts(), sort_keys=True)
            key = _key(made_of, sha256_file(path), said, str(batch))
            file = kept / f"{name}.json"
            stored = _stored(file, key)
            if stored is None:
                stored = explain(path, models, models_dir, composition, batch, readings=readings)
                write_json(file, {"key": key, "rows": stored})
            rows += stored
        except InputError as error:
            say(str(error))
    return rows


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _stored(file: Path, key: str) -> list[dict[str, object]] | None:
    """The rows that were kept under the key; a file that is torn or of another key gives none."""
    try:
        value = read_json(file) if file.is_file() else {}
    except InputError:
        return None
    rows = value.get("rows")
    return rows if value.get("key") == key and isinstance(rows, list) else None
