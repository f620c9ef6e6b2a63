"""Ctrl-C at any moment is one line or none: never a traceback of ours, never half a file."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from operate_project import ROOT

NETWORK = ROOT / "prototxts/resnet50.prototxt"


@pytest.mark.parametrize("start", ["module", "command"])
def test_an_early_interrupt_is_a_line_at_most(tmp_path: Path, start: str) -> None:
    """Before Python has read its first line of ours an interrupt is Python's own business."""
    command = [sys.executable, "-m", "neuralpower"]
    if start == "command":
        # What the installed command does.
        code = "import sys; from neuralpower.__main__ import run; sys.exit(run())"
        command = [sys.executable, "-c", code]
    out = tmp_path / "layers.csv"
    for tenth in range(14):
        run = subprocess.Popen(
            [*command, "layers", str(NETWORK), "--out", str(out)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            # A shell's background job ignores the signal, and so would its children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        time.sleep(0.01 * tenth)
        run.send_signal(signal.SIGINT)
        _, printed = run.communicate(timeout=60)
        ours = [line for line in printed.splitlines() if "/neuralpower/" in line]
        assert not [line for line in ours if "__init__.py" not in line], printed
        if run.returncode == 130:
            # On a quick machine it comes when all is done and the summary is printed already.
            *summary, last = printed.splitlines()
            assert last == "neuralpower: interrupted", printed
            assert not summary or (len(summary) == 1 and out.exists()), printed
        # Whole, or not there; what is left over has a hidden name.
        if out.exists():
            assert out.read_text().count("\n") == 230
            out.unlink()


def test_modules_in_a_strangers_folder_are_not_imported(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for name in ("json", "csv", "yaml", "numpy", "gzip", "argparse", "google", "tempfile"):
        (tmp_path / f"{name}.py").write_text(f"open({str(ran)!r}, 'w')\n")
    (tmp_path / "matplotlibrc").write_text("axes.facecolor: red\n")
    done = subprocess.run(
        [sys.executable, "-m", "neuralpower", "layers", str(NETWORK), "--format", "json"],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not ran.exists()
