"""The page of a network whose file could not be read: why, and what to do."""

from __future__ import annotations

from pathlib import Path

from neuralpower.reporting.pages import Page
from neuralpower.reporting.results import Results


def unread_context(results: Results, path: Path, network: str) -> dict[str, object]:
    """What the template ``unread.html`` shows."""
    return {"title": network, "name": network, "reason": results.unread[network]}


PAGE = Page(
    template="unread.html",
    path="networks/{network}.html",
    inputs=(),
    context=unread_context,
    each=lambda results: [{"network": name} for name in results.unread],
)
