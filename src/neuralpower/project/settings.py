"""The configuration before the workflow uses it: words that are numbers, and faults in one line.

Snakemake reads ``--config batch_sizes='[1,8]'`` as a list of words; what the schema wants as a
number becomes one here. Snakemake's own ``validate`` then fills in the defaults.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from neuralpower.core.documents import parse_yaml, read_yaml
from neuralpower.core.errors import InputError

Schema = Mapping[str, Any]


def settle(config: dict[str, object], schema_path: str | Path) -> None:
    """Turn words into numbers where the schema wants them; ``config`` is changed in place.

    Raises ``InputError`` with the key, what is wrong with it, and a key that was perhaps meant.
    """
    schema = read_yaml(schema_path)
    config.update({name: _typed(value, _at(schema, name, schema), schema)
                   for name, value in config.items()})  # fmt: skip
    reason = fault(config, schema)
    if reason:
        raise InputError(f"configuration: {reason} (config/README.md)")


def fault(config: Mapping[str, object], schema: Schema) -> str:
    """The first fault of a configuration in words; empty where there is none."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    errors = list(Draft202012Validator(schema).iter_errors(config))
    for error in errors:
        if error.validator == "additionalProperties":
            known = sorted(error.schema.get("properties", {}))
            unknown = sorted(set(map(str, error.instance)) - set(known))
            if unknown:
                return _unknown([*map(str, error.path)], unknown[0], known)
    try:
        error = best_match(errors)
    except TypeError:  # places in lists and names of keys cannot be put in order
        error = errors[0]
    if error is None:
        return ""
    place = ".".join(map(str, error.absolute_path)) or "the whole"
    return f"{place}: {' '.join(error.message.split())[:200]}"


def _unknown(path: list[str], key: str, known: list[str]) -> str:
    near = get_close_matches(key, known, 1)
    place = f" in {'.'.join(path)}" if path else ""
    meant = f": {near[0]} is one" if near else f": it is none of {', '.join(known)}"
    return f"{key!r} is no key{place}{meant}"


def _at(schema: Schema, name: str, root: Schema) -> Schema:
    """The schema of a key, references followed."""
    found = schema.get("properties", {}).get(name, schema.get("additionalProperties", {}))
    return _followed(found, root)


def _followed(schema: object, root: Schema) -> Schema:
    if not isinstance(schema, Mapping):
        return {}
    reference = schema.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return schema
    target: Any = root
    for part in reference[2:].split("/"):
        target = target[part]
    return _followed(target, root)


def _typed(value: object, schema: Schema, root: Schema) -> object:
    """A value with its words as numbers or truth values where only those are allowed."""
    if isinstance(value, Mapping):
        return {key: _typed(part, _at(schema, str(key), root), root) for key, part in value.items()}
    if isinstance(value, list):
        items = _followed(schema.get("items", {}), root)
        return [_typed(part, items, root) for part in value]
    if isinstance(value, str) and schema.get("type") in ("integer", "number", "boolean"):
        try:
            read = parse_yaml(value)
        except InputError:
            return value
        return read if isinstance(read, bool | int | float) else value
    return value
