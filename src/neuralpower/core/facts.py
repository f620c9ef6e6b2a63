"""A fact for people (label, value, unit), written once and rendered in three ways."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from neuralpower.core.errors import printable


@dataclass(frozen=True, slots=True)
class Fact:
    """What is known, how much, and in which unit; the value is text with its digits.

    >>> Fact("median", "1.25", "ms").text
    '1.25 ms'
    """

    label: str
    value: str
    unit: str = ""

    @property
    def text(self) -> str:
        """The value with its unit; per cent come after a space, as units do."""
        return f"{self.value} {self.unit}" if self.unit else self.value


def percent_fact(label: str, share: float | None, digits: int = 1, sign: str = "") -> list[Fact]:
    """A share of 1 as a fact in per cent; none where the share is not known."""
    return [] if share is None else [Fact(label, f"{100 * share:{sign}.{digits}f}", "%")]


def as_markdown(facts: Iterable[Fact]) -> str:
    """The rows of a Markdown table of two columns."""
    return "".join(f"| {fact.label} | {fact.text} |\n" for fact in facts)


def as_text(facts: Iterable[Fact]) -> list[str]:
    """A line for a terminal for each fact."""
    return [printable(f"{fact.label}: {fact.text}") for fact in facts]


def as_pairs(facts: Iterable[Fact]) -> list[tuple[str, str]]:
    """Label and text, as the pages' lists take them."""
    return [(fact.label, fact.text) for fact in facts]
