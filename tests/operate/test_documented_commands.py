"""Commands in the documentation: blocks marked ``sh tested`` run, all others are checked."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from operate_project import ROOT

from neuralpower.cli import _parser

PAGES = sorted([ROOT / "README.md", ROOT / "config/README.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(r"^```sh( tested)?\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(tested: bool) -> list[tuple[Path, str]]:
    return [
        (page, text)
        for page in PAGES
        for mark, text in BLOCK.findall(page.read_text())
        if bool(mark) == tested
    ]


def commands() -> Iterator[tuple[Path, list[str]]]:
    """Every command line of every block, comments taken off."""
    for page, text in [*blocks(True), *blocks(False)]:
        for line in text.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|;|\|\|?", line):
                words = shlex.split(part, comments=True)
                if words:
                    yield page, words


@pytest.mark.parametrize(
    ("page", "text"),
    [
        pytest.param(
            page, text, id=page.name, marks=[pytest.mark.slow] if "profile" in text else []
        )
        for page, text in blocks(True)
    ],
)
def test_a_marked_block_runs(made: Path, tmp_path: Path, page: Path, text: str) -> None:
    project = Path(shutil.copytree(made, tmp_path / "project", symlinks=True))
    # The pages speak of the project's own network and platform; the small project has others.
    script = text.replace("lenet", "mini").replace("caffe-cpu", "tiny")
    beside = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", f'export PATH="$0:$PATH"\n{script}', str(beside)],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def test_every_neuralpower_command_has_the_flags_it_is_shown_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = 0
    for page, words in commands():
        name = words[0].rsplit("/", 1)[-1]
        if name != "neuralpower" or "COMMAND" in words:
            continue
        redirected = next((i for i, w in enumerate(words) if w.startswith((">", "<", "2>"))), None)
        arguments = words[1:redirected]
        try:
            _parser(arguments).parse_args(arguments)
        except SystemExit as end:
            if end.code:
                pytest.fail(f"{page.name}: {' '.join(words)}: {capsys.readouterr().err}")
        seen += 1
    assert seen > 10


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    shown = [(page, word) for page, words in commands() if words[0] == "make" for word in words[1:]]
    assert shown
    for page, word in shown:
        assert word in targets or "=" in word, f"{page.name}: make {word}"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
