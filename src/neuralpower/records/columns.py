"""Columns of measurement tables that nothing reads although they were probably meant to be read.

Any column may be added to a table: it is kept and not looked at. One whose name is nearly that of
a known column is a slip, and its values would be lost without a word; where that column is there
too, only a letter or two may differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.core.slips import beside, header_slips
from neuralpower.records.folder import Platform
from neuralpower.records.rows import NUMBERS, pieces

#: Columns that are read beside those that a measurement writes.
_ALSO_READ = (*CONFIGURATION_COLUMNS, *NUMBERS, "network", "input", "run", "run_repeat", "flags")


@dataclass(frozen=True, slots=True)
class Slip:
    """A column of a file that is not read, and the known one that it probably is.

    ``beside``: the known one is in the table too, and is read.
    """

    file: str
    column: str
    meant: str
    beside: bool = False

    @property
    def reason(self) -> str:
        """What is wrong, in words."""
        if self.beside:
            return f"not read: {self.meant} is there too; remove one, or name it otherwise"
        return f"no column of a measurement table, not read: did you mean {self.meant}?"


def table_slips(platform: Platform) -> list[Slip]:
    """The misspelt columns of all tables of a platform; only their headers are read."""
    return [*layer_slips(platform), *network_slips(platform)]


def layer_slips(platform: Platform) -> list[Slip]:
    """The misspelt columns of the layer tables."""
    from neuralpower.records.tables import LAYER_TABLE_COLUMNS, POWER_COLUMNS

    known = (*LAYER_TABLE_COLUMNS, *POWER_COLUMNS)
    return [slip for path in platform.layer_files for slip in _of_file(path, known)]


def network_slips(platform: Platform) -> list[Slip]:
    """The misspelt columns of the tables of whole networks and of the layers inside them."""
    from neuralpower.records.tables import (
        NETWORK_LAYER_COLUMNS,
        NETWORK_TABLE_COLUMNS,
        POWER_COLUMNS,
    )

    known = (*NETWORK_TABLE_COLUMNS, *POWER_COLUMNS)
    return [
        *(slip for path in platform.network_files for slip in _of_file(path, known)),
        *(
            slip
            for path in platform.network_layer_files
            for slip in _of_file(path, NETWORK_LAYER_COLUMNS)
        ),
    ]


def _of_file(path: Path, written: Sequence[str]) -> list[Slip]:
    header = next(iter(pieces(path, ()))).header
    known = (*written, *_ALSO_READ)
    return [
        *(Slip(path.name, name, other) for name, other in header_slips(header, known)),
        *(Slip(path.name, name, other, beside=True) for name, other in beside(header, known)),
    ]
