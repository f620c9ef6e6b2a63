"""What `make all` shows: a line for each step, and every fault with its line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from neuralpower.project.following import shown

SNAKEFILE = """
rule all:
    input: "a.txt", "b.txt"
rule make_it:
    output: "{name}.txt"
    log: "{name}.log"
    shell: "test {wildcards.name} = a && echo x > {output}"
           " || (echo 'neuralpower: b.prototxt:3: unknown field' > {log}; exit 2)"
"""


def run(folder: Path, *words: str) -> tuple[int, list[str]]:
    done = subprocess.run(
        [sys.executable, "-m", "neuralpower.project.following", *words],
        cwd=folder, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    return done.returncode, done.stdout.splitlines()


def test_a_run_with_a_fault_says_its_line_and_its_log_and_fails(tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(SNAKEFILE)
    snakemake = (sys.executable, "-m", "snakemake", "--cores", "1", "--keep-going")
    status, lines = run(tmp_path, *snakemake, "--show-failed-logs")
    assert status != 0
    assert sorted(lines) == [
        "Exiting because a job execution failed. Look above for error messages",
        "[1 of 3] make it a",
        "failed: make it b, log: b.log",
        "neuralpower: b.prototxt:3: unknown field",
    ]
    status, lines = run(tmp_path, *snakemake, "a.txt")
    assert (status, lines) == (0, [])


def test_the_status_is_that_of_the_command(tmp_path: Path) -> None:
    status, lines = run(tmp_path, sys.executable, "-c", "print('odd'); raise SystemExit(7)")
    assert (status, lines) == (7, ["odd"])


def test_an_unknown_line_and_a_fault_without_a_log_are_shown_whole() -> None:
    fault = ["Error in rule fit:", "    jobid: 4", "    shell:", "        a command"]
    lines = ["localrule fit:", "    jobid: 4", "    wildcards: platform=a, k=2", *fault, "Odd: 1"]
    assert list(shown(lines)) == [*fault, "Odd: 1"]
    finished = ["Finished jobid: 4 (Rule: fit)", "1 of 2 steps (50%) done"]
    assert list(shown([*lines[:3], *finished])) == ["[1 of 2] fit a 2"]


def test_lines_come_as_they_happen() -> None:
    def lines() -> Iterator[str]:
        yield "neuralpower: 10 of 20 visits"
        raise AssertionError("asked for more before the first was shown")

    assert next(shown(lines())) == "neuralpower: 10 of 20 visits"
