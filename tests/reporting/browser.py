"""A report in a headless Chromium: what opens its pages, and scripts that tests share."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Protocol

import pytest
from results_doubles import write_results

from neuralpower.cli import main
from neuralpower.core.files import read_rows, write_table

RECORDED = Path(__file__).parents[2] / "measurements" / "ort-cpu"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--virtual-time-budget=2000", "--enable-logging=stderr",
)  # fmt: skip

#: Blink's numbers of the colour schemes that a reader can prefer.
SCHEMES = {"dark": 0, "light": 1}


class Browse(Protocol):
    def __call__(self, page: str, script: str, scheme: str = "light") -> tuple[Any, list[str]]: ...


TABLE = """
const table = document.getElementById("layers");
const heads = () => [...table.tHead.rows[table.tHead.rows.length - 1].cells];
const column = (label) => heads().findIndex((head) => head.textContent === label);
const pause = (ms = 300) => new Promise((done) => setTimeout(done, ms));
const choose = async (name, value) => {
  const select = document.querySelector(`[data-switch="${name}"]`);
  select.value = value; select.dispatchEvent(new Event("change")); await pause();
};
await pause();
"""


PAGES = (
    "index.html",
    "accuracy.html",
    "choosing.html",
    "glossary.html",
    "networks/small.html",
    "platforms/board.html",
    "models/board.conv.html",
    "models/board.fc.html",
    "measurements/board.html",
    "measurements/plain.html",
)


def opened(tmp_path_factory: pytest.TempPathFactory) -> Browse:
    """A report, and what opens one of its pages in it.

    It runs a script (the body of an async function) on the page and returns what that found and
    the console's messages.
    """
    folder = write_results(tmp_path_factory.mktemp("browser") / "results")
    measurements = folder / "measurements"
    # A board with power, windows and flags (of the profiler's tests), and a processor without.
    monkeypatch = pytest.MonkeyPatch()
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "profiling")
    from recorded_fake import record

    record(folder.parent / "board", "--seed", "1", uuid="GPU-1", net=True)
    shutil.copytree(folder.parent / "board", measurements / "board")
    shutil.copytree(RECORDED, measurements / "plain", dirs_exist_ok=True)
    monkeypatch.undo()
    assert main(["report", str(folder), "--out", str(folder / "report")]) == 0
    # The same without other batch sizes than the first on one platform.
    few = folder.parent / "few"
    shutil.copytree(folder, few)
    for path in (few / "predictions" / "board").glob("*.csv"):
        header, rows = read_rows(path)
        write_table(path, header, [row for row in rows if row["batch"] == "1"])
    assert main(["report", str(few), "--out", str(folder / "few")]) == 0

    def run(page: str, script: str, scheme: str = "light") -> tuple[Any, list[str]]:
        path = folder / "report" / page
        text = path.read_text()
        found = (
            f"<script>(async () => {{{script}}})().then((found) => {{"
            "document.body.dataset.found = JSON.stringify(found); })</script>"
        )
        copy = path.with_name(f"tried-{path.name}")
        copy.write_text(text.replace("</body>", f"{found}</body>"))
        done = subprocess.run(
            [
                str(CHROMIUM), *FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
                f"--blink-settings=preferredColorScheme={SCHEMES[scheme]}",
                "--dump-dom", copy.as_uri(),
            ],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        match = re.search(r'<body data-found="([^"]*)"', done.stdout)
        assert match, done.stderr[-2000:]
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        return json.loads(html.unescape(match[1])), console

    return run
