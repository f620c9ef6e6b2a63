"""Every command that the documentation shows is run, or planned, or parsed where it cannot be run.

A shell block says what is done with it: ``sh tested`` runs as it is in a small project,
``sh planned`` is planned (``make -n``, ``snakemake --dry-run``), ``sh needs ...`` says why neither.
Commands outside of blocks run with their placeholders filled.
"""

from __future__ import annotations

import glob
import re
import shlex
import sys
from pathlib import Path

import pytest
from documented_commands import NOT_RUN, PAGES, Shown, blocks, filled, furnish, shown
from operate_project import ROOT, neuralpower, run

from neuralpower import cli
from neuralpower.cli import COMMANDS, _parser
from neuralpower.core.errors import InputError

TESTED = [(page, text) for page, treatment, text in blocks() if treatment == "tested"]
PLANNED = [(page, text) for page, treatment, text in blocks() if treatment == "planned"]
#: Too slow as documented: everything is measured for 100 times as long.
SHORT = ("--min-time", "1ms", "--max-time", "5ms", "--twice", "0", "--thrice", "0")


@pytest.fixture
def furnished(project: Path) -> Path:
    furnish(project)
    return project


def test_every_shell_block_says_what_is_done_with_it() -> None:
    for page, treatment, text in blocks():
        known = treatment in ("tested", "planned") or treatment.startswith("needs ")
        assert known, f"{page.name}: ```sh {treatment}: tested, planned or needs ...?\n{text}"


def contained(text: str) -> bool:
    """Whether a block is the beginning of another one."""
    return any(other != text and other.startswith(text) for _, other in TESTED)


@pytest.mark.parametrize(
    "text", [pytest.param(t, id=page.name) for page, t in TESTED if not contained(t)]
)
def test_a_tested_block_runs(furnished: Path, text: str) -> None:
    # The pages speak of the project's own network and platform; the small project has others.
    bash(re.sub(r"\blenet\b", "mini", text), furnished)


#: Plans instead of doing; an executor that is not installed everywhere is left out.
PLAN = r"""
make() { command make -n -C "$ROOT" "$@"; }
snakemake() {
  local words=()
  while [ $# -gt 0 ]; do
    if [ "$1" = --workflow-profile ]; then test -f "$ROOT/$2/config.yaml"; shift 2; continue; fi
    words+=("$1"); shift
  done
  command snakemake --dry-run "${words[@]}"
}
"""


@pytest.mark.parametrize("text", [pytest.param(t, id=page.name) for page, t in PLANNED])
def test_a_planned_block_is_planned(furnished: Path, text: str) -> None:
    bash(PLAN + text, furnished)


def bash(script: str, cwd: Path) -> None:
    beside = Path(sys.executable).parent
    run(
        *("bash", "-eu", "-o", "pipefail", "-c"),
        f'export PATH="$0:$PATH" ROOT="$1"\n{script}',
        *(beside, ROOT),
        cwd=cwd,
    )


def concrete() -> list[Shown]:
    """Commands of the library that stand outside of blocks, whole enough to be run."""
    return [
        one
        for one in shown()
        if one.where != "fence"
        and one.text.startswith("neuralpower ")
        and not is_mention(one)
        and "COMMAND" not in one.text
    ]


def is_mention(one: Shown) -> bool:
    """A name in the text, without what the command needs: only its name and flags are checked."""
    words = one.text.split()
    named = len(words) == 2 or words[2:] in (["check"], ["split"], ["merge"], ["keep"])
    return one.where == "inline" and (named or "..." in words)


def cannot_run(one: Shown) -> bool:
    return any(flags in one.text for flags in NOT_RUN)


RUN = sorted({tuple(filled(one.text, optional=False)) for one in concrete() if not cannot_run(one)})


@pytest.mark.parametrize("words", RUN, ids=lambda words: " ".join(words[1:])[:60])
def test_a_command_in_the_text_runs(
    furnished: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(furnished)
    arguments = [
        path for word in words[1:] for path in (sorted(glob.glob(word)) if "*" in word else [word])
    ]
    if words[1] in ("profile", "characterise"):  # they set up their own threads and clocks
        short = SHORT if words[1] == "profile" else ("--anchors", "2")
        neuralpower(*arguments, *short, cwd=furnished)
    else:
        assert cli.main(arguments) == 0


@pytest.mark.parametrize(
    "one", [one for one in shown() if one.text.startswith("neuralpower ")], ids=str
)
def test_a_shown_command_has_the_flags_it_is_shown_with(one: Shown) -> None:
    words = filled(one.text, optional=True)[1:]
    if words[0] == "COMMAND":
        return
    assert words[0] in COMMANDS, str(one)
    try:
        _parser(words).parse_args(words)
    except SystemExit as end:  # --help
        if end.code:
            pytest.fail(f"{one}: {end}")
    except InputError as error:
        lacks = "required" in str(error) and (is_mention(one) or cannot_run(one))
        if not lacks:
            pytest.fail(f"{one}: {error}")


def test_every_command_is_run_by_the_documentation() -> None:
    in_blocks = {
        shlex.split(line)[1]
        for _, text in TESTED
        for line in text.splitlines()
        if line.startswith("neuralpower ")
    }
    assert set(COMMANDS) - in_blocks - {words[1] for words in RUN} == set()


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = [one for one in shown() if one.text.startswith("make ")]
    assert named
    for one in named:
        for word in one.text.split()[1:]:
            assert word in targets or "=" in word, str(one)


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
