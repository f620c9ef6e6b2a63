"""The tutorial shows what its commands print with the published models that are committed.

``NEURALPOWER_OVERWRITE_GOLDEN=1`` writes the output into the page, after the models were fitted
again; the sentences around it have no figures.
"""

from __future__ import annotations

import os
import re
import shlex
import sys
import textwrap
from pathlib import Path

import pytest

from neuralpower.cli import main

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "tutorial.md"
SHOWN = re.compile(
    r"(```sh needs the models[^\n]*\n(.+?)\n```\n\n)((?:(?:    [^\n]*)?\n)+)", re.DOTALL
)


def printed(line: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """What a command prints on a terminal, with the committed models that `make all` copies."""
    words = line.replace("results/models/a30-pytorch-tf32", "published/a30-pytorch-tf32/models")
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(shlex.split(words)[1:]) == 0
    return "\n".join(text.rstrip() for text in capsys.readouterr().out.strip("\n").splitlines())


def test_the_tutorial_shows_what_is_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = PAGE.read_text(encoding="utf-8")
    blocks = SHOWN.findall(page)
    assert len(blocks) == 2
    for head, command, shown in blocks:
        output = printed(command, capsys, monkeypatch)
        if os.environ.get("NEURALPOWER_OVERWRITE_GOLDEN"):
            page = page.replace(head + shown, f"{head}{textwrap.indent(output, '    ')}\n\n")
        else:
            said = "\n".join(
                text.rstrip() for text in textwrap.dedent(shown).strip("\n").splitlines()
            )
            assert said == output, "NEURALPOWER_OVERWRITE_GOLDEN=1 pytest of this file renews it"
    if os.environ.get("NEURALPOWER_OVERWRITE_GOLDEN"):
        PAGE.write_text(page, encoding="utf-8")
