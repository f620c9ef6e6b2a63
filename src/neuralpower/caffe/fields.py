"""What the text parser needs to know of the fields of each message of the schema."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from neuralpower.caffe.caffe_pb2 import LayerParameter
from neuralpower.caffe.scalars import converter

#: Fields with this number or a higher one belong to forks of Caffe (see ``caffe.proto``).
FORK_NUMBERS = 10_000


@dataclass(slots=True, eq=False)
class Field:
    """What the parser needs to know of one field of the schema."""

    name: str
    repeated: bool
    fork: bool
    message: Descriptor | None
    convert: Any
    is_string: bool
    is_enum: bool
    #: The repeated field that takes further values of a scalar one (a fork's way), or "".
    more: str


_TABLES: dict[str, dict[str, Field]] = {}


def field_table(descriptor: Descriptor) -> dict[str, Field]:
    """The fields of a message type by name."""
    table = _TABLES.get(descriptor.full_name)
    if table is None:
        table = {item.name: _describe(item) for item in descriptor.fields}
        _TABLES[descriptor.full_name] = table
    return table


def _describe(item: FieldDescriptor) -> Field:
    message = item.message_type if item.type == FieldDescriptor.TYPE_MESSAGE else None
    return Field(
        name=item.name,
        repeated=item.is_repeated,
        fork=item.number >= FORK_NUMBERS,
        message=message,
        convert=None if message else converter(item),
        is_string=item.type == FieldDescriptor.TYPE_STRING,
        is_enum=item.type == FieldDescriptor.TYPE_ENUM,
        more=_more(item),
    )


def _more(item: FieldDescriptor) -> str:
    owner = item.containing_type
    name = f"{item.name}_more"
    return name if owner is not None and name in owner.fields_by_name else ""


@cache
def fork_messages() -> frozenset[str]:
    """Names of the messages that only forks' layers have; the schema has some of their fields."""
    fields = LayerParameter.DESCRIPTOR.fields
    names: dict[bool, set[str]] = {True: set(), False: set()}
    for item in fields:
        if item.message_type is not None:
            names[item.number >= FORK_NUMBERS].add(item.message_type.name)
    return frozenset(names[True] - names[False])
