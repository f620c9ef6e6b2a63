"""A parsed text file: its message, what was skipped or is not sure, and where its layers are."""

from __future__ import annotations

from dataclasses import dataclass, field

from google.protobuf.message import Message


@dataclass(frozen=True, slots=True)
class Doubt:
    """An unknown field or value that may matter, at a character offset.

    ``layer`` is the offset of the entry that it is in, -1 outside the layers; ``block`` the name of
    a parameter block that is unknown as a whole.
    """

    layer: int
    offset: int
    text: str
    block: str = ""


@dataclass(slots=True, eq=False)
class Document:
    """A parsed file: the message, what was skipped, and where the layers are."""

    message: Message
    path: str
    text: str
    notes: list[str] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    #: Offsets of the top-level fields by name (``layer`` and ``layers`` entries), in file order.
    layer_offsets: dict[str, list[int]] = field(default_factory=dict)

    def line(self, offset: int) -> int:
        """The line (from 1) of a character offset."""
        return self.text.count("\n", 0, offset) + 1
