"""Which modules a command runs, and their fingerprint: Snakemake does not see edits of a package.

Nothing is kept by hand: what counts is the closure of a command's imports. A test compares it with
the syntax tree of every module.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from pathlib import Path

from neuralpower.core.plugins import versions
from neuralpower.frameworks import registry as executors
from neuralpower.meters import registry as meters

_ROOT = Path(__file__).resolve().parents[1]
_NAME = "neuralpower"
_DATA_SUFFIXES = (".proto", ".html", ".css", ".js")
_IMPORT = re.compile(
    rf"^[ \t]*from[ \t]+({_NAME}[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)", re.MULTILINE
)

#: Commands that measure: with what other packages bring too.
MEASURING = ("profile", "characterise")

#: Packages whose modules are imported by name while a command runs: they count as a whole.
BY_NAME = ("neuralpower.caffe.layers", "neuralpower.frameworks", "neuralpower.meters")


def code_hash(command: str) -> str:
    """A fingerprint of the source behind ``neuralpower COMMAND``, templates and schema included.

    Of executors and meters that other packages bring, their versions.
    """
    digest = hashlib.sha256()
    for path in code_files(command):
        digest.update(path.relative_to(_ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    if command in MEASURING:
        for registry in (executors, meters):
            digest.update("\0".join(versions(registry.GROUP, registry.BUILT_IN)).encode())
    return digest.hexdigest()[:16]


def code_files(command: str) -> list[Path]:
    """The files of this package that ``neuralpower COMMAND`` may read, sorted."""
    modules = closure(f"{_NAME}.commands.{command}") | closure(f"{_NAME}.cli")
    files = {path for module in modules if (path := _source(module)) is not None}
    folders = {path.parent for path in files}
    files |= {
        path for path in _ROOT.rglob("*")
        if path.suffix in _DATA_SUFFIXES and folders & set(path.parents) - {_ROOT}
    }  # fmt: skip
    return sorted(files)


def closure(start: str) -> frozenset[str]:
    """All modules that ``start`` imports, directly or through others, at whatever place.

    The package's own ``__init__`` is left out of the walk: it is the public face, which imports
    everything and which no module within imports more of than the version.
    """
    found: set[str] = set()
    todo = [start]
    while todo:
        module = todo.pop()
        if module in found:
            continue
        found.add(module)
        if module != _NAME:
            todo += imports_of(module)
    return frozenset(found)


@cache
def imports_of(module: str) -> tuple[str, ...]:
    """The modules of this package that a module imports, its own parents among them."""
    path = _source(module)
    if path is None:
        return ()
    parts = module.split(".")
    found = {".".join(parts[:n]) for n in range(1, len(parts))}
    for base, names in _IMPORT.findall(path.read_text(encoding="utf-8")):
        found.add(base)
        for name in re.sub(r"#[^\n]*", "", names).strip("()").split(","):
            inner = f"{base}.{name.split(' as ')[0].strip()}"
            if _source(inner) is not None:
                found.add(inner)
    for package in BY_NAME:
        if module == package:
            folder = _ROOT.joinpath(*parts[1:])
            found |= {_module(path) for path in folder.rglob("*.py")}
    return tuple(sorted(found - {module}))


@cache
def _source(module: str) -> Path | None:
    base = _ROOT.joinpath(*module.split(".")[1:])
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file() and (module != _NAME or path.name == "__init__.py"):
            return path
    return None


def _module(path: Path) -> str:
    parts = [_NAME, *path.relative_to(_ROOT).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
