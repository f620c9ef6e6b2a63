"""What to install where an optional package is absent: a line that works without any index of ours.

The extras of this package are in pyproject.toml; what they need is read from the installed
package, or from the checkout that runs.
"""

from __future__ import annotations

import re

from neuralpower.core.errors import InputError

_REQUIREMENT = re.compile(r'([^;]+?)\s*;.*\bextra\s*==\s*["\']([\w-]+)["\']')


def requirements(extra: str) -> list[str]:
    """The packages of an extra, as ``pip install`` takes them; empty where nothing says so."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        listed = requires("neuralpower") or []
    except PackageNotFoundError:
        return _of_checkout(extra)
    found = [m for text in listed if (m := _REQUIREMENT.match(text)) and m[2] == extra]
    return [m[1].replace(" ", "") for m in found] or _of_checkout(extra)


def _of_checkout(extra: str) -> list[str]:
    from pathlib import Path

    path = Path(__file__).resolve().parents[3] / "pyproject.toml"
    if not path.is_file():
        return []
    import tomllib

    extras = tomllib.loads(path.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    return [str(text) for text in extras.get(extra, [])]


def install_line(extra: str) -> str:
    """``pip install`` with the packages of an extra: the same in a checkout and after a wheel."""
    words = requirements(extra) or [extra]
    return "pip install " + " ".join(f"'{word}'" for word in words)


def not_installed(name: str, extra: str, more: str = "") -> InputError:
    """The one line for a package that is absent; ``more`` is another way out."""
    return InputError(f"{name} is not installed: {install_line(extra)}{more}")
