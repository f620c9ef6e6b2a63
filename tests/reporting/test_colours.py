"""Text can be read on every colour of the style sheet, by day and by night (WCAG AA, 4.5 : 1)."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import neuralpower.reporting

STYLE = (Path(neuralpower.reporting.__file__).parent / "templates" / "style.css").read_text()
PAIRS = [
    ("ink", "page"), ("ink", "band"), ("quiet", "page"), ("quiet", "band"), ("link", "page"),
    ("link", "band"), ("warn", "warnband"), ("hink", "h0"), ("hink", "h1"), ("hink", "h2"),
    ("hink", "h3"), ("hink", "h4"), ("hink5", "h5"), ("hink6", "h6"),
]  # fmt: skip


def palettes() -> dict[str, dict[str, str]]:
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, flags=re.S)[:2]
    return {
        name: dict(re.findall(r"--(\w+): (#[0-9a-f]{6});", text))
        for name, text in (("light", light), ("dark", dark))
    }


def luminance(colour: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), PAIRS)
def test_contrast(mode: str, text: str, ground: str) -> None:
    palette = palettes()[mode]
    bright, dim = sorted((luminance(palette[text]), luminance(palette[ground])), reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= 4.5
