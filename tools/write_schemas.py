"""Write the JSON Schemas of the tables into ``docs/schemas``: ``python tools/write_schemas.py``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from neuralpower.api.models import SCORES
from neuralpower.core.configuration import LAYER_COLUMNS, PREDICTION_COLUMNS
from neuralpower.core.json_tables import table_schema
from neuralpower.networks import choosing, configurations, explaining

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "schemas"


def schemas() -> dict[str, dict[str, Any]]:
    """Every table that a command or the API writes as JSON, by the name of its schema."""
    return {
        "comparison": table_schema("comparison", choosing.COLUMNS),
        "configurations": table_schema("configurations", configurations.ADDED_COLUMNS, more=True),
        "explanation": table_schema("explanation", explaining.COLUMNS),
        "layers": table_schema("layers", LAYER_COLUMNS),
        "predictions": table_schema("predictions", PREDICTION_COLUMNS),
        "scores": table_schema("scores", SCORES),
    }


def main() -> int:
    """Write all of them."""
    FOLDER.mkdir(exist_ok=True)
    for name, schema in schemas().items():
        text = json.dumps(schema, indent=1) + "\n"
        (FOLDER / f"{name}.schema.json").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
