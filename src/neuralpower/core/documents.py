"""JSON and YAML files of strangers as plain, bounded values.

What comes out is made of dictionaries with keys that are there once, lists, text without lone
surrogates, finite floats, integers of at most 64 bits, booleans and None; nothing is deeper than
``MAX_DEPTH``. Everything else is an ``InputError`` with the file, and the line where it is known.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuralpower.core.errors import InputError
from neuralpower.core.files import read_text

if TYPE_CHECKING:
    import yaml

#: Nesting of a document: ours have at most eight levels.
MAX_DEPTH = 32
#: Characters of a YAML file and values in it, aliases written out: ours have 12,000 and 800.
MAX_YAML = 4_000_000
MAX_NODES = 200_000
#: Integers are counts and sizes; arrays hold them in 64 bits.
MAX_INTEGER = 2**63 - 1

_PLAIN_INTEGER = re.compile(r"0|[1-9][0-9]{0,17}")


#: Numbers of YAML 1.2's core schema, and underscores between digits, as before.
_YAML_NUMBERS = (
    ("int", re.compile(r"[-+]?(?:0b[01]+|0o[0-7]+|0x[0-9a-fA-F]+|[0-9][0-9_]*)\Z")),
    (
        "float",
        re.compile(
            r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
            r"|[0-9][0-9_]*[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))\Z|\.(?:nan|NaN|NAN)\Z"
        ),
    ),
)


class DocumentError(ValueError):
    """A value that no document of ours holds; the readers add the place."""


def read_json(path: str | Path, what: str = "a JSON object") -> dict[str, Any]:
    """The JSON object in a file (or ``.json.gz``); ``what`` says in a fault what it should hold."""
    value = parse_json(read_text(path), path, what=what)
    if not isinstance(value, dict):
        raise InputError(f"not {what}: a JSON object is needed", path=path, line=1)
    return value


def parse_json(
    text: str,
    path: str | Path | None = None,
    line: int | None = None,
    what: str = "JSON of ours",
    foreign: bool = False,
) -> object:
    """Any JSON value in a text; ``line`` is where the text is, for a file of JSON lines.

    ``foreign``: a file that another tool wrote. There a key may be there twice (the last counts),
    a larger whole number is a float, and NaN or an infinity is None.
    """
    try:
        if foreign:
            value = json.loads(
                text, parse_int=_foreign_integer, parse_float=_foreign_float, parse_constant=_none
            )
        else:
            value = json.loads(
                text, object_pairs_hook=_object, parse_int=_integer, parse_constant=_no_constant
            )
        check_value(value)
    except json.JSONDecodeError as error:
        place = error.lineno if line is None else line
        raise InputError(
            f"not JSON: {error.msg}", path=path, line=place, column=error.colno
        ) from None
    except RecursionError:
        raise InputError(f"not {what}: nested too deeply", path=path, line=line) from None
    except DocumentError as error:
        raise InputError(f"not {what}: {error}", path=path, line=line) from None
    return value


def check_value(value: object) -> None:
    """``DocumentError`` for depth, infinities and lone surrogates in a parsed value.

    What is written is read again: a writer of computed numbers asks here first.
    """
    depth, level = 1, [value]
    while level:
        if depth > MAX_DEPTH:
            raise DocumentError("nested too deeply")
        inner: list[object] = []
        for item in level:
            if isinstance(item, dict):
                for key in item:
                    _check_scalar(key)
                inner += item.values()
            elif isinstance(item, list):
                inner += item
            else:
                _check_scalar(item)
        level, depth = inner, depth + 1


def _check_scalar(value: object) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise DocumentError(f"{value} is not a finite number")
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise DocumentError("a character that is half of a pair (a lone surrogate)") from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        double = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise DocumentError(f"key {double[:60]!r} twice in one object: keep one")
    return value


def _integer(text: str) -> int:
    if len(text) > 20 or abs(value := int(text)) > MAX_INTEGER:
        raise DocumentError(f"the whole number {text[:20]}... is beyond 64 bits")
    return value


def _foreign_integer(text: str) -> int | float | None:
    return int(text) if len(text) < 19 else _foreign_float(text)


def _foreign_float(text: str) -> float | None:
    value = float(text)
    return value if math.isfinite(value) else None


def _none(text: str) -> None:
    return None


def _no_constant(text: str) -> float:
    raise DocumentError(f"{text} is no JSON number")


def read_yaml(path: str | Path) -> Any:
    """The value of a YAML file, None for an empty one.

    Beside the bounds of all documents: keys are text or whole numbers and each is there once;
    aliases may not make a small file large; there are no tags. Dates are text, and numbers are as
    in YAML 1.2: 1e11 is one, 1:30 is text and no number of seconds, 010 is ten.
    """
    return parse_yaml(read_text(path), path)


def parse_yaml(text: str, path: str | Path | None = None) -> object:
    """As ``read_yaml``, from text."""
    import yaml

    if len(text) > MAX_YAML:
        raise InputError(f"larger than {MAX_YAML // 1_000_000} MB", path=path)
    # The parser written in C is ten times as fast; not every build of PyYAML has it.
    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        # Events are made one by one: depth is bounded before anything recursive sees the text.
        _check_events(yaml.parse(text, Loader=base))
        loader = _plain_loader(base)(text)
        try:
            value = loader.get_single_data()
        finally:
            loader.dispose()
        check_value(value)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = None if mark is None else mark.line + 1
        raise InputError(f"not YAML: {error.problem}", path=path, line=line) from None
    except _YamlError as error:
        raise InputError(f"not YAML of ours: {error}", path=path, line=error.line) from None
    except (yaml.YAMLError, ValueError, OverflowError, RecursionError) as error:
        raise InputError(f"not YAML: {error}", path=path) from None
    return value


class _YamlError(Exception):
    def __init__(self, text: str, event: Any) -> None:
        self.line = event.start_mark.line + 1
        super().__init__(text)


def _check_events(events: Iterable[object]) -> None:
    """Bounds of depth and of what aliases make, and keys that are there once."""
    import yaml

    #: Keys of the open mappings and whether a key comes next; None for an open sequence.
    open_: list[tuple[set[str], list[bool]] | None] = []
    started: list[tuple[str | None, int]] = []
    sizes: dict[str, int] = {}
    count = 0
    for event in events:
        if isinstance(event, yaml.CollectionEndEvent):
            open_.pop()
            anchor, before = started.pop()
            if anchor is not None:
                sizes[anchor] = count - before
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        if isinstance(event, yaml.AliasEvent):
            if any(anchor == event.anchor for anchor, _ in started):
                raise _YamlError(f"*{event.anchor} holds itself", event)
            count += sizes.get(event.anchor or "", 1)
        elif tag := getattr(event, "tag", None):
            raise _YamlError(f"the tag {tag[:60]!r} has no meaning here", event)
        count += 1
        if count > MAX_NODES:
            raise _YamlError("more than a configuration holds: aliases multiply?", event)
        if open_ and (inside := open_[-1]) is not None:
            keys, turn = inside
            if turn[0]:
                if not isinstance(event, yaml.ScalarEvent):
                    raise _YamlError("a key has to be text", event)
                if event.value in keys:
                    raise _YamlError(f"{event.value[:60]!r} is given twice: keep one", event)
                keys.add(event.value)
            turn[0] = not turn[0]
        if isinstance(event, yaml.CollectionStartEvent):
            if len(open_) >= MAX_DEPTH:
                raise _YamlError("nested too deeply", event)
            started.append((event.anchor, count))
            open_.append((set(), [True]) if isinstance(event, yaml.MappingStartEvent) else None)


def _plain_loader(base: Any) -> Any:
    """A safe loader that leaves dates as text and bounds integers."""

    class Loader(base):  # type: ignore[misc]
        def flatten_mapping(self, node: yaml.MappingNode) -> None:
            super().flatten_mapping(node)
            for key, _ in node.value:
                # `no`, `1.0` and `0x1` as keys are names as they are written, 16 is a number.
                if not _PLAIN_INTEGER.fullmatch(key.value):
                    key.tag = "tag:yaml.org,2002:str"

    replaced = (":timestamp", ":int", ":float")
    Loader.yaml_implicit_resolvers = {
        first: [(tag, rule) for tag, rule in rules if not tag.endswith(replaced)]
        for first, rules in base.yaml_implicit_resolvers.items()
    }
    for kind, rule in _YAML_NUMBERS:
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", rule, list("-+.0123456789"))

    def integer(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> int:
        text = node.value.replace("_", "")
        if len(text) > 40:
            raise DocumentError(f"the whole number {text[:20]}... is beyond 64 bits")
        radix = {"0b": 2, "0o": 8, "0x": 16}.get(text.lstrip("+-")[:2], 10)
        value = int(text, radix)
        if abs(value) > MAX_INTEGER:
            raise DocumentError(f"the whole number {text[:20]}... is beyond 64 bits")
        return value

    Loader.add_constructor("tag:yaml.org,2002:int", integer)
    return Loader


def yaml_line(value: object) -> str:
    """A value as YAML on one line that ``parse_yaml`` reads back: text like a number is quoted."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    for kind, rule in _YAML_NUMBERS:
        Dumper.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", rule, list("-+.0123456789"))
    text: str = yaml.dump(
        value, Dumper=Dumper, sort_keys=False, default_flow_style=True, width=10**9
    )
    return text.strip()
