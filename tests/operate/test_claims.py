"""What is read runs nothing, what is said is one clean line, what is checked is so."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from operate_project import ROOT, neuralpower

from neuralpower.core.errors import InputError, printable
from neuralpower.core.files import aligned_text
from neuralpower.core.versions import git_state

LENET = ROOT / "prototxts/lenet.prototxt"


def git(folder: Path, *words: str) -> None:
    who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.mark.parametrize("kind", ["fsmonitor", "hooks", "filter"])
def test_a_strangers_checkout_runs_no_program(tmp_path: Path, kind: str) -> None:
    project = tmp_path / "p"
    (project / "src").mkdir(parents=True)
    (project / "src/a.py").write_text("a = 1\n")
    git(project, "init", "-q")
    git(project, "add", ".")
    git(project, "commit", "-q", "-m", "Begin")
    ran = tmp_path / "ran"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch '{ran}'\ncat\n")
    program.chmod(0o755)
    if kind == "fsmonitor":
        git(project, "config", "core.fsmonitor", str(program))
    elif kind == "hooks":
        (tmp_path / "hooks").mkdir()
        shutil.copy(program, tmp_path / "hooks/post-index-change")
        git(project, "config", "core.hooksPath", str(tmp_path / "hooks"))
    else:
        git(project, "config", "filter.evil.clean", str(program))
        (project / ".gitattributes").write_text("*.py filter=evil\n")
    (project / "src/a.py").write_text("a = 2\n")
    state = git_state(project)
    assert state is not None
    assert len(str(state["commit"])) == 40
    assert state["changed"] == (None if kind == "filter" else ["src/a.py"])
    assert not ran.exists()


def test_control_characters_do_not_reach_a_terminal(tmp_path: Path) -> None:
    assert printable("a\x1b]0;t\x07\x1b[2J\u2028b\u202ec") == ("a\\x1b]0;t\\x07\\x1b[2J b\\u202ec")
    assert printable("Größe 測定") == "Größe 測定"
    assert "\x1b" not in str(InputError("no \x1b[1m", path="a\x1b[2J.csv"))
    assert "\x1b" not in aligned_text(["name"], [{"name": "a\x1b[2J"}])
    path = tmp_path / "evil.prototxt"
    path.write_text(
        'name: "x"\n'
        'layer { name: "a\\033]0;PWN\\007\\033[2J" type: "Fo\\033[2J" '
        'bottom: "x\\033[1m" top: "y" }\n'
        'layer { name: "b\\033[2J" type: "ReLU" bottom: "nope\\033[2J" top: "z" }\n'
    )
    for option in ([], ["--strict"], ["--known-types"]):
        done = neuralpower("layers", path, *option, cwd=tmp_path, check=False)
        assert "\x1b" not in done.stderr
        assert "\x07" not in done.stderr


@pytest.mark.parametrize("stream", [">&-", "2>&-", ">&- 2>&-"])
def test_a_closed_stream_is_no_fault(tmp_path: Path, stream: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m neuralpower layers "$1" {stream}', sys.executable, str(LENET)],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0
    assert "fault" not in done.stderr


def test_a_record_without_files_verifies_nothing(made: Path, tmp_path: Path) -> None:
    record = tmp_path / "results/provenance.json"
    record.parent.mkdir()
    for nodes in ("{}", '{"results/a": 1}', "[]"):
        record.write_text(f'{{"nodes": {nodes}}}')
        done = neuralpower("provenance", "--verify", record, cwd=tmp_path, check=False)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1


def test_fit_checks_the_checksums_of_the_manifest(project: Path) -> None:
    with (project / "measurements/tiny/relu.csv").open("a") as stream:
        stream.write("\n")
    done = neuralpower("fit", "measurements/tiny", "--out", "out", cwd=project, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "relu.csv: changed since the manifest was written" in done.stderr
    assert not (project / "out").exists()
