"""What a page says and draws, as lines: texts, where links lead, and places of figures."""

from __future__ import annotations

import re
from html.parser import HTMLParser

#: Attributes whose values a reader sees, hears or follows.
_READ = ("alt", "aria-label", "content", "data-v", "href", "id", "title", "value")
#: Attributes that say where something is drawn.
_PLACES = ("x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "width", "height", "d", "points",
           "viewbox", "transform", "style")  # fmt: skip
_NUMBER = re.compile(r"-?\d+\.\d+")


def _short(value: str) -> str:
    """Numbers with three digits after the point, long packed values by their length."""
    if value.startswith("data:"):
        return value[:400]
    return _NUMBER.sub(lambda match: f"{float(match[0]):.3f}".rstrip("0").rstrip("."), value)


class _Lines(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.hidden = 0
        self.row: list[str] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "style"):
            self.hidden += 1
        if tag == "tr":
            self.lines.append("")
        said = [f"{k}={_short(v)}" for k, v in attrs if v and k in (*_READ, *_PLACES)]
        if said and not self.hidden:
            self.lines.append(f"<{tag} {' '.join(said)}>")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("script", "style"):
            self.hidden -= 1

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if text and not self.hidden:
            self.lines.append(text)


def lines_of(html: str) -> str:
    """The lines of a page, its scripts and styles left out."""
    reader = _Lines()
    reader.feed(html)
    return "\n".join(reader.lines) + "\n"


class Tags(HTMLParser):
    """All start tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.shown = True
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shown = tag not in ("style", "script")
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data if self.shown else ""

    def handle_endtag(self, tag: str) -> None:
        self.shown = True
