"""Pages of the report: which there are, where they stand, and how one is written.

A page depends only on the tables it shows, so the workflow writes each page by itself: a new
network adds its page and refreshes those that list networks.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from neuralpower import __version__
from neuralpower.core.errors import InputError
from neuralpower.core.files import safe_name, write_text
from neuralpower.reporting.results import Results

if TYPE_CHECKING:
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"

#: Pages that stand at the top of the report, beside a page a network and a page a platform.
TOP_PAGES = ("index", "accuracy", "choosing")

#: Pages whose figures, if any, are ``charts``: starting matplotlib takes longer than such a page.
_WITHOUT_MATPLOTLIB = frozenset({"index", "network", "model"})

SECTIONS = (
    ("Networks and platforms", "index.html", "index"),
    ("Accuracy", "accuracy.html", "accuracy"),
    ("Choosing", "choosing.html", "choosing"),
)


def all_pages(results: Results) -> list[str]:
    """Names of all pages of a results folder."""
    return [
        "index",
        *(f"network:{name}" for name in results.networks),
        *(f"platform:{name}" for name in results.platforms),
    ]


def page_path(out: Path, page: str) -> Path:
    """Where a page stands below the report's folder; ``InputError`` for an unknown page."""
    kind, colon, name = page.partition(":")
    if not colon and kind in TOP_PAGES:
        return out / f"{kind}.html"
    if colon and kind in ("network", "platform", "model", "measurement"):
        return out / f"{kind}s" / f"{safe_name(name, kind)}.html"
    known = ", ".join(TOP_PAGES)
    raise InputError(f"page {page!r} is none of {known}, network:NAME, platform:NAME")


def write_page(results: Results, out: Path, page: str, *, existing: bool = False) -> None:
    """Write a page, whole or not at all, and those that belong to it.

    ``index`` writes all pages at the top, which list the same networks and platforms;
    ``platform:NAME`` writes a page a model of the platform and that of its measurements first.
    With ``existing`` a page links only pages that are there: for a run of which a part failed.
    """
    for name in _with_companions(results, page):
        path = page_path(out, name)
        write_text(path, render(results, name, path, existing=existing))


def _with_companions(results: Results, page: str) -> list[str]:
    if page == "index":
        return [*TOP_PAGES[::-1]]
    kind, _, name = page.partition(":")
    if kind == "platform" and name in results.platforms:
        families = sorted(results.platform(name).accuracy.get("layers", {}))
        recorded = [f"measurement:{name}"] if results.platform(name).is_recorded else []
        return [*(f"model:{name}.{family}" for family in families), *recorded, page]
    return [page]


def render(results: Results, page: str, path: Path, *, existing: bool = False) -> str:
    """A page as HTML text; ``path`` is where it will stand (its links are relative to it).

    With ``existing`` names of pages that are not there are text without a link.
    """
    from neuralpower.reporting.plots import style

    kind, _, name = page.partition(":")
    with nullcontext() if kind in _WITHOUT_MATPLOTLIB else style():
        context = _context(results, kind, name, path)
    root = "../" if name else ""
    template = _environment().get_template(f"{kind}.html")
    html = template.render(
        context,
        page=kind,
        root=root,
        sections=SECTIONS,
        version=__version__,
        sheet=_sheet(),
        script=_script(),
        leads=lambda href: not existing or _leads(path.parent, href),
    )
    # Lines without text stem from template commands.
    return "\n".join(line for line in html.splitlines() if line.strip()) + "\n"


def _context(results: Results, kind: str, name: str, path: Path) -> dict[str, Any]:
    if kind == "network":
        from neuralpower.reporting.network_page import network_context

        _must_be_known(name, results.networks, "network", results.folder)
        return network_context(results, name, path)
    if kind == "platform":
        from neuralpower.reporting.platform_page import platform_context

        _must_be_known(name, results.platforms, "platform", results.folder)
        return platform_context(results, name, path)
    if kind == "model":
        from neuralpower.reporting.model_page import model_context

        platform, _, family = name.rpartition(".")
        return model_context(results, platform, family, path)
    if kind == "measurement":
        from neuralpower.reporting.measurement_page import measurement_context

        _must_be_known(name, results.platforms, "platform", results.folder)
        return measurement_context(results.platform(name))
    if kind == "accuracy":
        from neuralpower.reporting.accuracy_page import accuracy_context

        return accuracy_context(results, path)
    if kind == "choosing":
        from neuralpower.reporting.choosing_page import choosing_context

        return choosing_context(results, path)
    from neuralpower.reporting.index_page import index_context

    return index_context(results, path)


def _leads(folder: Path, href: str) -> bool:
    """Whether a link leads to a page that is there; links within a page always do."""
    target = href.partition("#")[0]
    return not target.endswith(".html") or (folder / unquote(target)).is_file()


def _sheet() -> Markup:
    """The style sheet without comments and needless space: every page carries it."""
    from markupsafe import Markup

    text = re.sub(r"/\*.*?\*/", "", (TEMPLATES / "style.css").read_text(), flags=re.S)
    return Markup(re.sub(r"\s*([{};,])\s*", r"\1", re.sub(r"\s+", " ", text)).strip())


def _script() -> Markup:
    """The script without comments and indentation."""
    from markupsafe import Markup

    lines = (line.strip() for line in (TEMPLATES / "script.js").read_text().splitlines())
    return Markup("\n".join(line for line in lines if line and not line.startswith("//")))


def _must_be_known(name: str, known: Sequence[str], what: str, folder: Path) -> None:
    if name not in known:
        raise InputError(f"no tables of a {what} {name!r} in this results folder", path=folder)


def _environment() -> Any:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
