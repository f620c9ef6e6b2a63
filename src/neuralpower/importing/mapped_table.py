"""CSV tables whose columns a recipe maps to ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

from neuralpower.core.configuration import CONFIGURATION_COLUMNS, Configuration
from neuralpower.core.errors import InputError
from neuralpower.core.files import read_rows
from neuralpower.importing.formulas import Formula
from neuralpower.importing.rows import Visit, convolved

#: Columns of numbers that a mapping may give.
SIZES = tuple(n for n in CONFIGURATION_COLUMNS if n not in ("family", "pool_method"))
_DEFAULTS = {field.name: field.default for field in fields(Configuration)}


def read_table(
    path: str | Path, family: str, columns: Mapping[str, Formula], pool_method: str = ""
) -> Iterator[Visit]:
    """The rows of a table as measured layers of one family.

    Output sizes without a formula are computed: the window's for convolutions and pooling, the
    input's for layers without one. Raises ``InputError`` with the row for a size that is no whole
    number, and for a missing column.
    """
    for number, row in enumerate(read_rows(path)[1], 1):
        try:
            values = {name: formula.value(row) for name, formula in columns.items()}
            sizes = _sizes({n: v for n, v in values.items() if n in SIZES}, family)
            configuration = Configuration(family, **sizes, pool_method=pool_method)
        except ValueError as error:
            raise InputError(str(error), path=path, row=number) from None
        place = f"{Path(path).name}, row {number}"
        yield Visit(configuration, values["runtime_ms"], values.get("power_w"), place)


def _sizes(given: Mapping[str, float | None], family: str) -> dict[str, int]:
    sizes: dict[str, int] = {}
    for name, value in given.items():
        if value is None or not value.is_integer() or abs(value) > 2**53:
            raise ValueError(f"{name}: {value!r} is no whole number")
        sizes[name] = int(value)
    for name in ("batch", "in_channels"):
        if name not in sizes:
            raise ValueError(f"{name} has no formula")

    def size(name: str) -> int:
        default = _DEFAULTS[name]
        return sizes.get(name, default if isinstance(default, int) else 1)

    sizes |= {name: sizes.get(name, 1) for name in ("in_height", "in_width")}
    sizes.setdefault("out_channels", sizes["in_channels"])
    for side in ("height", "width"):
        if f"out_{side}" in sizes:
            continue
        if family in ("conv", "pool"):
            window = (size(f"{part}_{side}") for part in ("kernel", "stride", "pad", "dilation"))
            sizes[f"out_{side}"] = convolved(sizes[f"in_{side}"], *window)
        else:
            sizes[f"out_{side}"] = 1 if family == "fc" else sizes[f"in_{side}"]
    return sizes
