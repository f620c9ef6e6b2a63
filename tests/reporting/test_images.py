"""The pictures in the documents: those that the script writes, small, and each of them shown."""

from __future__ import annotations

import re
import struct
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from write_images import MOST_BYTES, SHOTS, Shot, main  # noqa: E402

IMAGES = ROOT / "docs" / "images"


@pytest.mark.parametrize("shot", SHOTS, ids=lambda shot: shot.name)
def test_a_picture_has_the_size_that_the_script_gives_it(shot: Shot) -> None:
    data = (IMAGES / f"{shot.name}.png").read_bytes()
    assert struct.unpack(">II", data[16:24]) == (shot.width, shot.height)
    assert 5_000 < len(data) <= MOST_BYTES


def test_every_picture_is_written_by_the_script_and_shown_in_a_text() -> None:
    names = {path.name for path in IMAGES.iterdir()}
    assert names == {f"{shot.name}.png" for shot in SHOTS}
    texts = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = {name for text in texts for name in re.findall(r"images/([\w.]+)\)", text.read_text())}
    assert shown == names


def test_a_report_that_is_not_there_is_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--report", str(tmp_path), "--out", str(tmp_path)]) == 2
    assert "write_images:" in capsys.readouterr().err
