"""Rows that must be seen together, within a bounded memory: whole configurations, drawn evenly."""

from __future__ import annotations

import zlib

from neuralpower.core.configuration import CONFIGURATION_COLUMNS
from neuralpower.records.folder import Row

#: Rows that are held at once, about 1.5 kB each.
MOST_ROWS = 300_000


class RowSample:
    """All rows of the configurations with the lowest checksums: all configurations, if they fit.

    Copies and repeats of a row are of its configuration, so that they are found in the sample as in
    the whole. The sample does not depend on the order of the rows.
    """

    def __init__(self, most: int = MOST_ROWS) -> None:
        self.rows: list[Row] = []
        self.seen = 0
        self._most = most
        self._ceiling = 2**32

    @property
    def partial(self) -> bool:
        """Whether rows were left out."""
        return len(self.rows) < self.seen

    def add(self, row: Row) -> None:
        """Take a row if its configuration is one of the sample."""
        self.seen += 1
        if self._ceiling == 2**32 or _checksum(row) < self._ceiling:
            self.rows.append(row)
        if len(self.rows) > self._most:
            while len(self.rows) > self._most and self._ceiling > 1:
                self._ceiling //= 2
                self.rows = [kept for kept in self.rows if _checksum(kept) < self._ceiling]
            del self.rows[self._most :]  # too many of one configuration


def _checksum(row: Row) -> int:
    values = row.values
    return zlib.crc32(",".join(str(values.get(name)) for name in CONFIGURATION_COLUMNS).encode())
