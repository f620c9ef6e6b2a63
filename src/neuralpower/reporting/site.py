"""The report: which pages there are, and all of them written by one process.

A page that cannot be written never costs the others: it is replaced by one that says why, and the
first page lists it. Pages of networks and platforms that are gone are removed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from neuralpower import __version__
from neuralpower.core.errors import InputError
from neuralpower.core.files import safe_name, write_json, write_text
from neuralpower.reporting import (
    accuracy_page,
    choosing_page,
    compared_page,
    glossary_page,
    index_page,
    measurement_page,
    model_page,
    network_page,
    platform_page,
    unread_page,
)
from neuralpower.reporting.pages import Leaf, expanded
from neuralpower.reporting.results import Results, with_power_first
from neuralpower.reporting.tables import packed, row_html

if TYPE_CHECKING:
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
#: The list of the pages with the tables that each was made from.
LIST = "pages.json"
LIST_VERSION = 1

#: Pages about one network, platform or model, then those at the top, which list the others.
DETAILS = (
    network_page.PAGE,
    unread_page.PAGE,
    model_page.PAGE,
    measurement_page.PAGE,
    platform_page.PAGE,
)
TOP = (
    compared_page.PAGE,
    choosing_page.PAGE,
    accuracy_page.PAGE,
    glossary_page.PAGE,
    index_page.PAGE,
)

SECTIONS = (
    ("Networks and platforms", "index.html", "index"),
    ("Accuracy", "accuracy.html", "accuracy"),
    ("Choosing", "choosing.html", "choosing"),
    ("Glossary", "glossary.html", "glossary"),
)


def report_inputs(networks: Sequence[str], platforms: Sequence[str]) -> list[str]:
    """What the pages read of a project with these networks and platforms, optional tables where
    they are there: the inputs of the workflow's rule."""
    every = {"network": networks, "platform": platforms, "family": ()}
    found: dict[str, None] = {}
    for page in (*DETAILS, *TOP):
        for pattern in page.inputs:
            found |= dict.fromkeys(expanded(pattern, every))
        for pattern in page.optional:
            found |= dict.fromkeys(p for p in expanded(pattern, every) if Path(p).is_file())
    return list(found)


#: What a file of results with another value than ours somewhere raises on the way to a page.
_MISREAD = (LookupError, TypeError, ValueError, AttributeError, OverflowError)


@dataclass(frozen=True)
class Fault:
    """A page that could not be written: where it is written, what it is about, and why."""

    path: str
    name: str
    reason: str


@dataclass(frozen=True)
class Report:
    """A report in the making: its folder, and the pages that it has."""

    results: Results
    out: Path
    leaves: Sequence[Leaf]
    faults: list[Fault] = field(default_factory=list)

    @cached_property
    def written(self) -> frozenset[Path]:
        """Where the pages stand."""
        return frozenset(leaf.path for leaf in self.leaves)

    @classmethod
    def of(cls, results: Results, out: Path) -> Report:
        """All pages of a results folder. Names that cannot be file names have none."""
        out = Path(os.path.normpath(out))
        return cls(results, out, list(_leaves(results, out)))

    def address(self, leaf: Leaf) -> str:
        """Where a page is below the report's folder."""
        return leaf.path.relative_to(self.out).as_posix()

    def write(self) -> None:
        """Write every page, whole or not at all, the list of them, and remove what is gone."""
        for leaf in self.leaves:
            if leaf.about:
                self._write(leaf, self.results)
        shown = _without(self.results, self.faults)
        for leaf in self.leaves:
            if not leaf.about:
                self._write(leaf, shown)
        self._list()
        self._remove_others()

    def _write(self, leaf: Leaf, results: Results) -> None:
        try:
            html = self.render(leaf, results)
        except InputError as error:
            html = self._substitute(leaf, str(error))
        except OSError as error:
            html = self._substitute(leaf, f"{error.filename}: {error.strerror or error}")
        except MemoryError:
            raise
        except Exception as error:
            if os.environ.get("NEURALPOWER_DEBUG"):
                raise
            fault = f"{type(error).__name__}: {error}"
            if isinstance(error, _MISREAD):
                reason = f"the results are not in the form that this version writes ({fault}): "
                reason += "run the workflow again; if this stays, please report it"
            else:
                reason = f"internal fault: {fault} (please report it)"
            html = self._substitute(leaf, reason)
        try:
            write_text(leaf.path, html)
        except (IsADirectoryError, NotADirectoryError, FileExistsError) as error:
            # Something else has this page's place: that costs no other page.
            self._substitute(leaf, f"its place is taken: {error.strerror}")

    def _substitute(self, leaf: Leaf, reason: str) -> str:
        """The page that says why there is no other."""
        name = " ".join(leaf.about.values()) or leaf.page.kind
        fault = Fault(self.address(leaf), name, " ".join(reason.split()))
        self.faults.append(fault)
        return self._html(leaf, "fault.html", {"title": name, "name": name, "fault": fault})

    def render(self, leaf: Leaf, results: Results | None = None) -> str:
        """One page as HTML text."""
        results = results or self.results
        context = leaf.page.context(results, leaf.path, **leaf.about)
        about = leaf.about.get("platform")
        shown = with_power_first(results) if about is None else [results.platform(about)]
        context["credits"] = [p.credit for p in shown if p.credit]
        return self._html(leaf, leaf.page.template, context)

    def _html(self, leaf: Leaf, template: str, context: Mapping[str, object]) -> str:
        def leads(href: str) -> bool:
            return _leads(leaf.path.parent, href, self.written)

        html = (
            _templates()
            .get_template(template)
            .render(
                {"credits": [], **context},
                page=leaf.page.kind,
                root="../" * leaf.depth,
                sections=SECTIONS,
                version=__version__,
                sheet=_sheet(leaf.page.sheets),
                script=_script(leaf.page.scripts),
                faults=self.faults,
                stored=stored,
                leads=leads,
                cells=lambda row: row_html(row, leads),
            )
        )
        return _without_empty_lines(html)

    def _list(self) -> None:
        project = self.results.folder.resolve().parent
        pages = {
            self.address(leaf): {
                "inputs": [
                    path
                    for path in leaf.page.sources(
                        leaf.about, self.results.networks, self.results.platforms
                    )
                    if (project / path).is_file()
                ]
            }
            for leaf in self.leaves
        }
        faults = {fault.path: fault.reason for fault in self.faults}
        record = {"schema_version": LIST_VERSION, "pages": pages, "faults": faults}
        write_json(self.out / LIST, record)

    def _remove_others(self) -> None:
        """Remove pages of earlier reports; files that no report wrote stay."""
        folders = {(self.out / page.path).parent for page in DETAILS}
        for folder in sorted(folders):
            for path in sorted(folder.glob("*.html")):
                if path not in self.written and path.is_file() and _is_ours(path):
                    path.unlink()


def _leaves(results: Results, out: Path) -> Iterator[Leaf]:
    for page in (*DETAILS, *TOP):
        for about in page.each(results):
            try:
                names = {key: safe_name(name, key) for key, name in about.items()}
            except InputError:
                continue
            yield Leaf(page, about, out / page.path.format(**names))


def _without(results: Results, faults: Sequence[Fault]) -> Results:
    """The results without the networks whose tables are at fault, for the pages that list them."""
    failed = {fault.name for fault in faults if fault.path.startswith("networks/")}
    if not failed:
        return results
    kept = [name for name in (*results.networks, *results.unread) if name not in failed]
    return replace(results, wanted_networks=kept)


def _is_ours(path: Path) -> bool:
    with path.open("rb") as file:
        return b"NeuralPower</title>" in file.read(1024)


def _leads(folder: Path, href: str, written: Collection[Path]) -> bool:
    """Whether a link leads to a page of this report; links within a page always do."""
    target = href.partition("#")[0]
    return (
        not target.endswith(".html") or Path(os.path.normpath(folder / unquote(target))) in written
    )


def stored(items: Sequence[Any], section: Callable[[object], str]) -> str:
    """Sections of a page by their keys for its script: JSON, zlib, base64.

    Figures for each choice of a page's switches would be most of the report if written out.
    """
    return packed({item.key: _without_empty_lines(section(item)) for item in items})


def _without_empty_lines(html: str) -> str:
    # Lines without text stem from template commands.
    return "\n".join(line for line in html.splitlines() if line.strip()) + "\n"


@cache
def _sheet(names: Sequence[str]) -> Markup:
    """Style sheets without comments and needless space: every page carries its own."""
    from markupsafe import Markup

    text = "".join((TEMPLATES / f"{name}.css").read_text() for name in names)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    text = re.sub(r"\s*([{};,])\s*", r"\1", re.sub(r"\s+", " ", text)).strip()
    return Markup(text.replace(": ", ":").replace(";}", "}"))


@cache
def _script(names: Sequence[str]) -> Markup:
    """Scripts without comments and indentation."""
    from markupsafe import Markup

    text = "".join((TEMPLATES / f"{name}.js").read_text() for name in names)
    lines = (line.strip() for line in text.splitlines())
    return Markup("\n".join(line for line in lines if line and not line.startswith("//")))


@cache
def _templates() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
