"""Faults of disks, clocks, locales, paths, people: docs/audit/reliability.md has the outcomes."""

from __future__ import annotations

import json
import os
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from operate_project import NETWORK, ROOT, digests, neuralpower, snakemake, write_checksums

ALEXNET = ROOT / "prototxts/alexnet.prototxt"
LARGE = ROOT / "prototxts/resnet152.prototxt"
COMMAND = [sys.executable, "-m", "neuralpower"]


def one_line(text: str, *words: str) -> None:
    """What a user must see of a fault."""
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    for word in words:
        assert word in text, text


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# --- Disks ---------------------------------------------------------------------------------------


def test_a_file_that_cannot_be_finished_is_not_there(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))

    done = subprocess.run(
        [*COMMAND, "layers", ALEXNET, "--out", "layers.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )
    assert done.returncode == 2
    one_line(done.stderr, "File too large")
    assert leftovers(tmp_path) == []


def test_standard_output_that_is_full_is_reported() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "layers", ALEXNET], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode != 0
    assert "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr


def mounted(folder: Path, options: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command with a small file system at ``folder``, seen by that command only."""
    folder.mkdir(parents=True, exist_ok=True)
    script = f'mount -t tmpfs -o {options} none "$0" && {command}'
    words = ["unshare", "--mount", "sh", "-c", script, str(folder)]
    if subprocess.run([*words[:2], "true"], capture_output=True).returncode:
        pytest.skip("needs the right to mount (root)")
    return subprocess.run(words, cwd=folder.parent, capture_output=True, text=True)


def test_a_full_disk(tmp_path: Path) -> None:
    python = shlex.join(COMMAND)
    # What was whole stays whole; the file that does not fit leaves nothing behind.
    command = (
        f'{python} layers "{ROOT}/prototxts/lenet.prototxt" --out "$0/table.csv" 2>/dev/null; '
        f'sum=$(md5sum < "$0/table.csv"); {python} layers "{LARGE}" --out "$0/table.csv"; '
        'echo "status $?"; ls -A "$0"; [ "$sum" = "$(md5sum < "$0/table.csv")" ] && echo whole'
    )
    done = mounted(tmp_path / "small", "size=16k", command)
    assert done.stdout.splitlines() == ["status 2", "table.csv", "whole"], done.stderr
    one_line(done.stderr, "No space left on device")


@pytest.mark.parametrize(
    "words",
    [
        ["layers", str(ALEXNET), "--out", "out/layers.csv"],
        ["predict", "prototxts/mini.prototxt", "--models", "results/models/tiny", "--out", "out/p"],
        ["report", "results", "--out", "out"],
        ["fit", "measurements/tiny", "--out", "out"],
        ["shards", "split", "measurements/tiny/relu.csv", "--shards", "2", "--out", "out"],
    ],
    ids=lambda words: words[0],
)
def test_a_folder_that_is_read_only(made: Path, tmp_path: Path, words: list[str]) -> None:
    project = Path(shutil.copytree(made, tmp_path / "project", symlinks=True))
    quoted = " ".join(f"'{word}'" for word in [*COMMAND, *words])
    done = mounted(project / "out", "ro", quoted)
    assert done.returncode == 2
    one_line(done.stderr, "Read-only file system")


def test_an_output_below_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("")
    done = neuralpower("layers", ALEXNET, "--out", "results/alexnet.csv", cwd=tmp_path, check=False)
    assert done.returncode == 2
    one_line(done.stderr, "results")


# --- Kills ---------------------------------------------------------------------------------------

STAGES: Mapping[str, list[str]] = {
    "layers": ["layers", "prototxts/mini.prototxt", "--out", "out/layers.csv"],
    "predict": [
        *("predict", "prototxts/mini.prototxt", "--models", "results/models/tiny"),
        *("--out", "out/prediction.csv"),
    ],
    "fit": ["fit", "measurements/tiny", "--out", "out"],
    "evaluate": [
        *("evaluate", "measurements/tiny", "--models", "results/models/tiny"),
        *("--networks", "prototxts/mini.prototxt", "--out", "out/accuracy.json"),
    ],
    "report": ["report", "results", "--out", "out"],
    "provenance": ["provenance", "results/report/index.html", "--out", "out/record.json"],
}


@pytest.mark.parametrize(
    "stage",
    [
        pytest.param(stage, marks=[pytest.mark.slow] if stage in ("fit", "report") else [])
        for stage in STAGES
    ],
)
def test_a_kill_leaves_whole_files_or_none(project: Path, stage: str) -> None:
    out = project / "out"
    begin = time.monotonic()
    neuralpower(*STAGES[stage], cwd=project)
    took = time.monotonic() - begin
    whole = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert whole
    shutil.rmtree(out)
    for share in (0.6, 0.95):
        run = subprocess.Popen(
            [*COMMAND, *STAGES[stage]],
            cwd=project,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(share * took)
        run.send_signal(signal.SIGKILL)
        run.wait()
        for path in out.rglob("*"):
            # Temporary files and a fit's finished parts begin with a dot, or lie below one.
            hidden = any(part.startswith(".") for part in path.relative_to(out).parts)
            if path.is_file() and not hidden:
                assert path.read_bytes() == whole[path]
    neuralpower(*STAGES[stage], cwd=project)
    assert {path: path.read_bytes() for path in whole} == whole


def test_an_interrupt_is_one_line(project: Path) -> None:
    run = subprocess.Popen(
        [*COMMAND, *STAGES["fit"]],
        cwd=project,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job ignores the signal, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not (project / "out").exists():
        assert run.poll() is None
        time.sleep(0.01)
    run.send_signal(signal.SIGINT)
    _, message = run.communicate(timeout=60)
    assert run.returncode == 130
    one_line(message, "interrupted")


# --- Two at once, clocks -------------------------------------------------------------------------


@pytest.mark.slow
def test_a_second_run_is_refused_and_the_first_goes_on(project: Path) -> None:
    shutil.rmtree(project / "results/models")
    target = "results/models/tiny/models.json"
    first = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", target],
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 120
    while not list((project / ".snakemake/locks").glob("*")):
        assert first.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    second = snakemake(project, target, check=False)
    assert second.returncode != 0
    assert "locked" in second.stdout + second.stderr
    assert first.wait(timeout=120) == 0


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(0, id="1970", marks=pytest.mark.slow),
        pytest.param(2_500_000_000, id="2049", marks=pytest.mark.slow),
    ],
)
def test_files_of_another_time_give_the_same_results(project: Path, moment: int) -> None:
    before = digests(project)
    for path in (project / "prototxts/mini.prototxt", project / "measurements/tiny/relu.csv"):
        os.utime(path, (moment, moment))
    plan = snakemake(project, "all", "--dry-run")
    assert "fit" not in [line.split()[0] for line in plan.stdout.splitlines() if line.split()]
    assert digests(project) == before


def test_a_clock_that_jumps_does_not_reach_the_measurements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tests/profiling"))
    from profile_worker import work

    from neuralpower.records.folder import load_rows

    work(tmp_path / "steady/instant", 0.0, layers=4)
    jumps = iter(range(10**9))
    monkeypatch.setattr(time, "time", lambda: 1e9 * ((-1) ** next(jumps)) + next(jumps))
    monkeypatch.setattr(time, "time_ns", lambda: 10**18 * ((-1) ** next(jumps)))
    work(tmp_path / "jumping/instant", 0.0, layers=4)
    steady, jumping = (
        [row.values for row in load_rows(tmp_path / name / "instant")]
        for name in ("steady", "jumping")
    )
    assert steady == jumping


# --- Locales, paths, line ends -------------------------------------------------------------------


def starts(env: Mapping[str, str]) -> None:
    """Skip where Python itself does not start: 3.11 reads the ``.pth`` file of an editable
    installation in the locale's encoding, and the C locale has no umlauts."""
    if subprocess.run([sys.executable, "-c", ""], env={**os.environ, **env}).returncode:
        pytest.skip("in this folder Python does not start in this locale")


def predicted(project: Path, env: Mapping[str, str]) -> str:
    return neuralpower(
        "predict", "prototxts/mini.prototxt", "--models", "results/models/tiny",
        cwd=project, env=env,
    ).stdout  # fmt: skip


@pytest.mark.parametrize("name", ["de_DE.UTF-8", "C", "tr_TR.UTF-8"])
def test_the_locale_does_not_reach_the_tables(made: Path, name: str) -> None:
    starts({"LC_ALL": name})
    plain = predicted(made, {"LC_ALL": "C.UTF-8"})
    assert predicted(made, {"LC_ALL": name, "LANG": name}) == plain


def test_a_decimal_comma_that_is_set_for_the_process(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import locale

    from neuralpower import cli

    monkeypatch.chdir(made)
    words = ["predict", "prototxts/mini.prototxt", "--models", "results/models/tiny", "--out"]
    assert cli.main([*words, str(tmp_path / "a.csv")]) == 0
    before = locale.setlocale(locale.LC_ALL)
    try:
        for name in ("de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8"):
            try:
                locale.setlocale(locale.LC_ALL, name)
            except locale.Error:
                continue
            break
        else:
            pytest.skip("no locale with a decimal comma is installed")
        assert cli.main([*words, str(tmp_path / "b.csv")]) == 0
    finally:
        locale.setlocale(locale.LC_ALL, before)
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.465199", '"0,465199"', "relu.csv, row 1: column runtime_ms: '0,465199' is not"),
        (",", ";", "relu.csv:1: column 'family' is missing"),
    ],
    ids=["decimal comma", "semicolons"],
)
def test_tables_of_a_spreadsheet_with_decimal_commas_are_reported(
    project: Path, old: str, new: str, message: str
) -> None:
    table = project / "measurements/tiny/relu.csv"
    text = table.read_text()
    assert old in text
    table.write_text(text.replace(old, new))
    write_checksums(project / "measurements/tiny")
    done = neuralpower("fit", "measurements/tiny", "--out", "out", cwd=project, check=False)
    assert done.returncode == 2
    one_line(done.stderr, message)
    assert not (project / "out").exists()


@pytest.mark.parametrize(
    "ending",
    [pytest.param("\r\n", id="CRLF"), pytest.param("\r", id="CR", marks=pytest.mark.slow)],
)
def test_line_ends_and_a_mark_at_the_begin_change_nothing(project: Path, ending: str) -> None:
    for path in (project / "prototxts/mini.prototxt", project / "measurements/tiny/relu.csv"):
        text = path.read_text().replace("\n", ending)
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    write_checksums(project / "measurements/tiny")
    neuralpower("layers", "prototxts/mini.prototxt", "--out", "out/mini.csv", cwd=project)
    config = ("--config", "config/config.yaml")
    neuralpower("fit", "measurements/tiny", "--out", "out/models", *config, cwd=project)
    assert (project / "out/mini.csv").read_bytes() == (
        project / "results/layers/mini.csv"
    ).read_bytes()
    for family in ("relu", "softmax"):
        name = f"{family}.runtime_ms.json"
        made_of = json.loads((project / "out/models" / name).read_text())
        assert made_of == json.loads((project / "results/models/tiny" / name).read_text())


@pytest.mark.parametrize("locale_name", ["C", "C.UTF-8"])
def test_paths_with_spaces_quotes_and_other_scripts(tmp_path: Path, locale_name: str) -> None:
    folder = tmp_path / 'a b\'c "d" ä 測定 $HOME'
    folder.mkdir()
    (folder / "net.prototxt").write_text(NETWORK)
    env = {"LC_ALL": locale_name, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    starts(env)
    neuralpower("layers", "net.prototxt", "--out", "out/t.csv", cwd=folder, env=env)
    plain = (folder / "out/t.csv").read_text()
    whole = neuralpower("layers", folder / "net.prototxt", cwd=tmp_path, env=env).stdout
    assert whole == plain


def test_a_fault_in_a_file_of_another_script_is_reported_in_the_c_locale(tmp_path: Path) -> None:
    path = tmp_path / "ä.prototxt"
    path.write_text("layer {")
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    starts(env)
    done = neuralpower("layers", path, cwd=tmp_path, env=env, check=False)
    assert done.returncode == 2
    one_line(done.stderr, "prototxt:1")
