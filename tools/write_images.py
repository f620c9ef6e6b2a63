"""Writes the pictures of the report in ``docs/images``: ``python tools/write_images.py``.

To be run after ``make all`` when the pages look otherwise. It needs Chromium, and Pillow
(``pip install pillow``), which reduces a picture to a palette: each stays below 150 KB.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: Colours of a picture: the pages have few, and letters need some shades.
COLOURS = 96
MOST_BYTES = 150_000
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip
#: Blink's number of the dark colour scheme.
DARK = "--blink-settings=preferredColorScheme=0"


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture: its name, the page, pixels, what is left out (a CSS selector), the scheme."""

    name: str
    page: str
    width: int
    height: int
    hidden: str = ""
    dark: bool = False


SHOTS = (
    Shot("network", "networks/resnet50.html", 1280, 745),
    Shot("picture", "networks/alexnet.html", 1280, 1000, hidden="section:has(.answers)", dark=True),
    Shot("choosing", "choosing.html", 1280, 900),
    Shot("model", "models/ort-cpu.conv.html", 1280, 820),
    Shot("phone", "networks/resnet50.html", 390, 800),
)


def write(shot: Shot, report: Path, out: Path) -> Path:
    """Write one picture and return its path.

    Raises ``RuntimeError`` without Chromium or Pillow, or when the picture is too large.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise RuntimeError("Chromium is not installed")
    page = report / shot.page
    if not page.is_file():
        raise RuntimeError(f"{page} is not there: run make all first")
    try:
        image_of = importlib.import_module("PIL.Image")
    except ModuleNotFoundError:
        raise RuntimeError("Pillow is not installed: pip install pillow") from None
    path = out / f"{shot.name}.png"
    with tempfile.TemporaryDirectory() as folder:
        raw, copy = Path(folder) / "raw.png", Path(folder) / "page.html"
        hide = f"<style>{shot.hidden} {{ display: none }}</style>" if shot.hidden else ""
        copy.write_text(page.read_text("utf-8").replace("</head>", f"{hide}</head>"), "utf-8")
        subprocess.run(
            [
                chromium, *FLAGS, *([DARK] if shot.dark else []), f"--user-data-dir={folder}/user",
                f"--window-size={shot.width},{shot.height}", f"--screenshot={raw}",
                copy.as_uri(),
            ],
            capture_output=True, timeout=120, check=True,
        )  # fmt: skip
        picture = image_of.open(raw).convert("RGB")
        picture.quantize(COLOURS).save(path, optimize=True)
    if path.stat().st_size > MOST_BYTES:
        raise RuntimeError(f"{path.name} has {path.stat().st_size} bytes, over {MOST_BYTES}")
    return path


def main(arguments: list[str] | None = None) -> int:
    """Write all pictures, or those named; exit status 2 and a line where that cannot be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", help="pictures to write; all without a name")
    parser.add_argument("--report", type=Path, default=ROOT / "results" / "report")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images")
    given = parser.parse_args(arguments)
    try:
        for shot in SHOTS:
            if not given.names or shot.name in given.names:
                print(write(shot, given.report, given.out))
    except RuntimeError as error:
        print(f"write_images: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
