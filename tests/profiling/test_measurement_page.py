"""The page of a recorded folder: of a board with all there is to tell, and of tables alone."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from unittest import mock

import pytest
from fake_gpu import FakeGpu, fake_bench
from recorded_fake import record

from neuralpower.cli import main
from neuralpower.core.files import read_rows, write_json, write_text
from neuralpower.profiling import bench
from neuralpower.records.manifest import Manifest
from neuralpower.records.visits import read_visit_records
from neuralpower.reporting.figures_power import anchors, raw_power, repeat_spread
from neuralpower.reporting.sensor_section import raw_power_section, sensor_section

REPOSITORY = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
SHORT = (
    "family,batch,in_channels,in_height,in_width,out_channels,out_height,out_width,kernel_height,"
    "kernel_width,stride_height,stride_width,pad_height,pad_width,dilation_height,dilation_width,"
    "groups,pool_method,bias,runtime_ms,power_w\n"
    "fc,8,640,1,1,100,1,1,,,,,,,,,,,1,0.5,12.5\n"
    "fc,16,640,1,1,100,1,1,,,,,,,,,,,1,0.9,\n"
)


class Text(HTMLParser):
    """The text of a page and its tags."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.html = path.read_text()
        self.text = ""
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(self.html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += f" {data} "


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board of the fake, two of them merged, the repository's platforms, and a short table."""
    folder = tmp_path_factory.mktemp("project")
    measurements = folder / "measurements"
    slow = {"sm_mhz": lambda t: 1980 if t % 15 > 0.6 else 1700}
    made = record(folder / "board", "--seed", "1", uuid="GPU-1", net=True, n=6, **slow)
    one = measurements / "board"
    shutil.copytree(made, one)
    other = record(folder / "other", "--seed", "2", uuid="GPU-2", net=True, n=6, gain=0.97)
    gpu = FakeGpu(noise=0.001)
    with mock.patch.object(bench, "measuring", side_effect=lambda *_: fake_bench(gpu)):
        facts = ["--platform", "board", "--device", "cuda", "--anchors", "2"]
        assert main(["characterise", *facts, "--out", str(one / "characterise.json")]) == 0
    assert main(["measurements", "seal", str(one), str(other)]) == 0
    both = str(measurements / "both")
    words = ["measurements", "merge", str(one), str(other), "--platform", "both", "--out", both]
    assert main(words) == 0
    for name in ("ort-cpu", "caffe-cpu"):
        shutil.copytree(REPOSITORY / "measurements" / name, measurements / name)
    write_text(measurements / "short" / "fc.csv", SHORT)
    for path in measurements.iterdir():
        write_json(folder / "results" / "accuracy" / f"{path.name}.json", {"platform": path.name})
    assert main(["report", str(folder / "results"), "--out", str(folder / "report")]) == 0
    return folder


def page(project: Path, name: str) -> Text:
    return Text(project / "report" / "measurements" / f"{name}.html")


def test_the_page_of_a_board_shows_sensor_windows_repeats_flags_and_time(project: Path) -> None:
    shown = page(project, "board")
    for id in ("step-response", "raw-power", "anchors", "interval-widths"):
        assert f'<figure id="{id}">' in shown.html
    for words in (
        "The energy counter integrates all of the time",
        "known to about 5%", "before the framework was loaded", "lowest power: ",
        "highest power: ", "widest interval: ", "flagged: ", "clock_changed",
        "the processor clock changed", "Where the time went", "0 errors, 0 warnings",
        "settled for 0.5 to 2.0 s", "Counter off by, %",
    ):  # fmt: skip
        assert words in shown.text, words
    assert re.search(r"Publication period (99|100)[.\d]* and (99|100)[.\d]* ms", shown.text)
    assert not re.search(r"\bnan\b|\bNone\b|GPU-1", shown.html)


def test_chosen_visits_stand_on_the_page_as_they_are_recorded(project: Path) -> None:
    folder = project / "measurements" / "board"
    records = {r.visit: r for r in read_visit_records(folder)}
    section = raw_power_section(folder, list(records.values()))
    watts = [r.power_w for r in records.values() if r.power_w]
    assert section["table"] is not None
    shown = {row[0].text: records[row[2].text] for row in section["table"].rows}
    assert shown["lowest power"].power_w == min(watts)
    assert shown["highest power"].power_w == max(watts)
    assert shown["flagged"].flags
    assert len({id(r) for r in shown.values()}) == len(shown) >= 4


def test_the_page_of_merged_boards_shows_runs_and_gain(project: Path) -> None:
    shown = page(project, "both")
    manifest = json.loads((project / "measurements" / "both" / "manifest.json").read_text())
    for run in manifest["runs"]:
        assert run["run"] in shown.text
    for board, level in manifest["gain"].items():
        assert board in shown.text
        assert f"{level['factor']:.5g}" in shown.text
    assert "left in the power column" in shown.text
    assert '<figure id="raw-power">' in shown.html


def test_the_page_of_a_processor_says_why_there_is_no_power(project: Path) -> None:
    shown = page(project, "ort-cpu")
    assert "No power was measured: no RAPL counters" in shown.text
    assert "Beside a busy process the anchor runs slower by 105 %" in shown.text
    assert '<figure id="repeat-spread">' in shown.html
    assert "raw-power" not in shown.html


def test_what_is_not_recorded_is_said(project: Path) -> None:
    caffe = page(project, "caffe-cpu").text
    assert "Records of single visits (visits.jsonl.gz)" in caffe
    assert "No power was measured: the virtual machine has no power sensor" in caffe
    assert "minimum time s 0.45" in caffe
    short = page(project, "short").text
    assert "A manifest: device, software and protocol are not known." in short
    assert "Raw power logs" in short
    assert "The folder holds no raw power logs." in short
    assert "2 layer configurations in 2 visits; power in 50 % of the layer visits." in short


@pytest.mark.parametrize("name", ["board", "both", "ort-cpu", "caffe-cpu", "short"])
def test_pages_are_well_formed_and_found_in_a_click(project: Path, name: str) -> None:
    shown = page(project, name)
    names = [tag for tag, _ in shown.tags]
    assert names.count("figure") == names.count("figcaption")
    assert names.count("table") == names.count("caption")
    ids = [attrs["id"] for _, attrs in shown.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for tag, attrs in shown.tags:
        href = attrs.get("href", "")
        if tag == "a" and href.startswith("#"):
            assert href[1:] in ids
        elif tag == "a" and not href.startswith("data:"):
            assert (project / "report" / "measurements" / href).resolve().is_file(), href
    outside = [u for u in re.findall(r"https?://[^\"' )<]*", shown.html) if "www.w3.org" not in u]
    assert outside == []
    for entry in ("index.html", f"platforms/{name}.html"):
        links = {a.get("href") for t, a in Text(project / "report" / entry).tags if t == "a"}
        assert {f"measurements/{name}.html", f"../measurements/{name}.html"} & links
    assert len(shown.html) < 150_000


def test_the_same_folder_gives_the_same_bytes(project: Path, tmp_path: Path) -> None:
    out = tmp_path / "again"
    words = [str(project / "results"), "--out", str(out)]
    assert main(["report", *words]) == 0
    first = project / "report" / "measurements" / "board.html"
    assert (out / "measurements" / "board.html").read_bytes() == first.read_bytes()


def test_names_from_files_are_text(tmp_path: Path) -> None:
    folder = tmp_path / "measurements" / "odd"
    write_text(folder / "fc.csv", SHORT)
    evil = "<script>alert(1)</script>"
    manifest = {
        "device": evil, "notes": evil, "protocol": {evil: evil, "timing": {"min_replays": evil}},
        "executor": {"gpu": {"name": evil}}, "runs": [{"run": evil, "rows": 1}],
        "idle": {"context": {"mean_w": evil}},
    }  # fmt: skip
    write_json(folder / "manifest.json", manifest)
    write_json(folder / "characterise.json", {"board": {"steps": [evil]}, "sensors": [evil]})
    write_json(tmp_path / "results" / "accuracy" / "odd.json", {"platform": "odd"})
    words = [str(tmp_path / "results"), "--out", str(tmp_path / "report")]
    assert main(["report", *words]) == 0
    html = (tmp_path / "report" / "measurements" / "odd.html").read_text()
    assert evil not in html
    assert "&lt;script&gt;" in html


def test_a_platform_without_recorded_tables_has_no_page(tmp_path: Path) -> None:
    write_json(tmp_path / "results" / "accuracy" / "bare.json", {"platform": "bare"})
    words = ["report", str(tmp_path / "results"), "--out", str(tmp_path / "report")]
    assert main(words) == 0
    assert not (tmp_path / "report" / "measurements").exists()
    assert "measurements/bare" not in (tmp_path / "report" / "index.html").read_text()


def test_too_little_draws_nothing() -> None:
    assert raw_power([]) is None
    assert repeat_spread([(1.0, 0.1), (2.0, 0.0)]) is None
    assert anchors({"": [(0.0, 1.0)]}, {}) is None
    assert sensor_section({}, Manifest())["step"] is None


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_browser_has_nothing_to_say(project: Path, tmp_path: Path) -> None:
    path = project / "report" / "measurements" / "board.html"
    done = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
            "--disable-background-networking", "--disable-sync", "--virtual-time-budget=2000",
            "--enable-logging=stderr", f"--user-data-dir={tmp_path}", "--dump-dom", path.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert "Raw power of chosen visits" in done.stdout
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []


def test_tables_of_the_page_can_be_saved(project: Path) -> None:
    header, rows = read_rows(project / "measurements" / "board" / "fc.csv.gz")
    assert header
    downloads = [a for t, a in page(project, "board").tags if a.get("download") == "families.csv"]
    assert len(downloads) == 1
    assert f"fc,{len(rows)}," in downloads[0]["href"]
