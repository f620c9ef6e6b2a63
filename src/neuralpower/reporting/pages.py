"""What a page is: it declares where it is written, which tables it reads, and what it shows.

The rules of the workflow and the record of provenance read the same declarations.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from neuralpower.reporting.results import Results

#: What a page is about: ``{"network": "lenet"}``; empty for the pages at the top.
About = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """A kind of page.

    ``path`` is below the report's folder, ``inputs`` are paths of the project; both have places
    for what the page is about (``{network}``, ``{platform}``, ``{family}``), and an input whose
    place the page does not fix is read for every network or platform. ``optional`` inputs are
    read where they are there. ``each`` lists what there are pages about, and ``context`` gives
    the template its values: ``context(results, path, **about)``. ``scripts`` and ``sheets`` are
    those of ``templates/`` that the page carries.
    """

    template: str
    path: str
    inputs: tuple[str, ...]
    context: Callable[..., dict[str, object]]
    each: Callable[[Results], Sequence[About]] = lambda _: [{}]
    optional: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ("tables",)
    sheets: tuple[str, ...] = ("figures", "style")

    @property
    def kind(self) -> str:
        """The template's name: what the page is called in the code and in style sheets."""
        return self.template.removesuffix(".html")

    def sources(self, about: About, networks: Iterable[str], platforms: Iterable[str]) -> list[str]:
        """Inputs and optional inputs of one page as paths of the project."""
        every = {"network": list(networks), "platform": list(platforms)}
        every |= {name: [value] for name, value in about.items()}
        found: list[str] = []
        for pattern in (*self.inputs, *self.optional):
            found += expanded(pattern, every)
        return found


def expanded(pattern: str, every: Mapping[str, Sequence[str]]) -> list[str]:
    """A pattern with each place filled by each of its names.

    >>> expanded("a/{network}.csv", {"network": ["x", "y"], "platform": ["p"]})
    ['a/x.csv', 'a/y.csv']
    """
    places = list(dict.fromkeys(re.findall(r"{(\w+)}", pattern)))
    return [
        pattern.format(**dict(zip(places, names, strict=True)))
        for names in product(*(every[place] for place in places))
    ]


@dataclass(frozen=True, slots=True)
class Leaf:
    """One page of a report: its kind, what it is about, and where it is written."""

    page: Page
    about: About
    path: Path

    @property
    def depth(self) -> int:
        """Folders between the report and the page."""
        return len(Path(self.page.path).parts) - 1
