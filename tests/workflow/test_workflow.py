"""The whole chain through Snakemake on a small project: a platform and two networks."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MINI = """
name: "mini"
layer { name: "data" type: "Input" top: "data"
        input_param { shape { dim: 1 dim: 3 dim: 32 dim: 32 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 8 kernel_size: 3 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "fc" type: "InnerProduct" bottom: "conv" top: "fc"
        inner_product_param { num_output: 10 } }
"""


#: A few of the default ones: the tests are of the workflow, not of the choice.
CANDIDATES = (
    "[[physical, relative, non-negative], [kernels, relative, stepwise], [logs, log, stepwise], "
    "[bends, log, stepwise]]"
)


def make_project(folder: Path) -> Path:
    """A copy of the project with two networks and a few hundred rows of one platform."""
    folder.mkdir()
    for name in ("Snakefile", "config", "workflow", "profiles", "envs"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    config = folder / "config/config.yaml"
    text = config.read_text()
    assert text.count("\nfit:\n") == 1
    config.write_text(text.replace("\nfit:\n", f"\nfit:\n  candidates: {CANDIDATES}\n"))
    (folder / "src").symlink_to(ROOT / "src")
    (folder / "prototxts").mkdir()
    shutil.copy(ROOT / "prototxts/networks.yaml", folder / "prototxts")
    shutil.copy(ROOT / "prototxts/lenet.prototxt", folder / "prototxts")
    (folder / "prototxts/mini.prototxt").write_text(MINI)
    tiny = folder / "measurements/tiny"
    tiny.mkdir(parents=True)
    recorded = ROOT / "measurements/caffe-cpu"
    for family, rows in (("conv", 70), ("fc", 40), ("relu", 30)):
        text = gzip.decompress((recorded / f"{family}.csv.gz").read_bytes()).decode()
        lines = text.splitlines()
        (tiny / f"{family}.csv").write_text("\n".join(lines[: rows + 1]) + "\n")
    lines = (recorded / "networks.csv").read_text().splitlines()
    kept = [lines[0], *(line for line in lines[1:] if line.startswith("lenet,"))]
    (tiny / "networks.csv").write_text("\n".join(kept) + "\n")
    return folder


def snakemake(project: Path, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *words],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=300,
    )
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


def digests(project: Path) -> dict[str, str]:
    """What a run made: every result but the logs, by its checksum."""
    results = project / "results"
    return {
        path.relative_to(results).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(results.rglob("*"))
        if path.is_file() and "logs" not in path.relative_to(results).parts
        if path.name != ".made.json"
    }


def changes(before: Path, after: Path) -> set[str]:
    """Names of the results that are not the same in both projects."""
    old, new = digests(before), digests(after)
    return {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = make_project(tmp_path_factory.mktemp("workflow") / "a project, äöü")
    snakemake(project, "all")
    return project


@pytest.fixture
def project(built: Path, tmp_path: Path) -> Path:
    """The built project as a copy that a test may spoil; times are kept."""
    copy = tmp_path / "project"
    shutil.copytree(built, copy, symlinks=True)
    return copy


def test_all_makes_every_page(built: Path) -> None:
    made = digests(built)
    for name in ("lenet", "mini"):
        assert f"report/networks/{name}.html" in made
        assert f"predictions/tiny/{name}.csv" in made
    assert {"report/index.html", "report/platforms/tiny.html", "accuracy/tiny.json"} <= set(made)


def test_a_second_call_does_nothing(built: Path) -> None:
    assert "Nothing to be done" in snakemake(built, "all").stderr


def test_two_runs_from_scratch_are_byte_identical(built: Path, tmp_path: Path) -> None:
    other = make_project(tmp_path / "again")
    snakemake(other, "all")
    assert changes(built, other) == set()


def test_a_new_network_adds_only_its_jobs(built: Path, project: Path) -> None:
    (project / "prototxts/extra.prototxt").write_text(MINI)
    plan = snakemake(project, "all", "--dry-run", "--quiet", "progress").stdout
    jobs = set(re.findall(r"^(?:local)?rule (\w+):", plan, re.MULTILINE))
    assert jobs == {"all", "layers", "predict", "explain", "report", "provenance", "inputs"}
    snakemake(project, "all")
    assert changes(built, project) == {
        *("layers.csv", "layers/extra.csv"),
        *("predictions/tiny.csv", "predictions/tiny/extra.csv"),
        "report/networks/extra.html",
        *("changes/tiny.csv", "changes/tiny/extra.json"),
        "report/index.html",
        "report/pages.json",
        "provenance.json",
        "inputs.txt",
    }
    (project / "prototxts/extra.prototxt").unlink()
    snakemake(project, "all")
    assert changes(built, project) == {"changes/tiny/extra.json"}


def test_the_report_shows_what_the_configuration_asks_for(project: Path) -> None:
    snakemake(project, "all", "--config", "networks=[mini]")
    report = project / "results/report"
    assert not (report / "networks/lenet.html").exists()
    assert "lenet" not in (report / "index.html").read_text()


def test_a_platform_that_is_taken_away_leaves_no_pages(project: Path) -> None:
    shutil.copytree(project / "measurements/tiny", project / "measurements/second")
    snakemake(project, "all")
    report = project / "results/report"
    assert "second" in (report / "networks/mini.html").read_text()
    shutil.rmtree(project / "measurements/second")
    snakemake(project, "all")
    assert [p for p in report.rglob("*.html") if "second" in p.name] == []
    assert "platforms/second" not in (report / "index.html").read_text()
    assert "second" not in (report / "networks/mini.html").read_text()


#: The form in which Caffe users have their networks: the data's size is in a database.
TRAIN_VAL = """
name: "train"
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
        data_param { source: "a_database" batch_size: 50 } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 8 kernel_size: 3 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "conv" bottom: "label" top: "loss" }
"""


def test_a_network_of_unknown_size_costs_no_page(built: Path, project: Path) -> None:
    (project / "prototxts/train.prototxt").write_text(TRAIN_VAL)
    snakemake(project, "all")
    report = project / "results/report"
    page = (report / "networks/train.html").read_text()
    assert "--data-shape" in page
    assert "internal fault" not in page
    index = (report / "index.html").read_text()
    assert "is not known in full: data: " in index
    assert changes(built, project) == {
        *("layers.csv", "layers/train.csv"),
        *("predictions/tiny.csv", "predictions/tiny/train.csv"),
        "changes/tiny/train.json",
        "report/networks/train.html",
        "inputs.txt",
        "report/index.html",
        "report/pages.json",
        "provenance.json",
    }


def test_a_faulty_network_stops_only_itself(project: Path) -> None:
    (project / "prototxts/broken.prototxt").write_text('layer { name: "a"\n  type: }\n')
    (project / "prototxts/other.prototxt").write_text(MINI)
    done = snakemake(project, "all", check=False)
    assert done.returncode != 0
    assert "prototxts/broken.prototxt:2" in done.stderr
    assert "Traceback" not in done.stderr
    assert (project / "results/report/networks/other.html").exists()
    index = (project / "results/report/index.html").read_text()
    assert "other" in index
    assert "broken</a> could not be read: prototxts/broken.prototxt:2" in index
    page = (project / "results/report/networks/broken.html").read_text()
    assert "prototxts/broken.prototxt:2" in page
    # The next run makes it right, whether the file is corrected or taken away.
    (project / "prototxts/broken.prototxt").unlink()
    snakemake(project, "all")
    assert "broken" not in (project / "results/report/index.html").read_text()
    assert not (project / "results/report/networks/broken.html").exists()


def test_an_unknown_layer_type_is_refused_or_listed(project: Path) -> None:
    text = MINI + 'layer { name: "odd" type: "Wobble" bottom: "fc" top: "odd" }\n'
    (project / "prototxts/odd.prototxt").write_text(text)
    done = snakemake(project, "all", check=False)
    assert done.returncode != 0
    assert "prototxts/odd.prototxt:10: layer 'odd' (Wobble): unknown layer type" in done.stderr
    assert not (project / "results/layers/odd.csv").exists()
    snakemake(project, "all", "--config", "unknown_layers=list")
    assert "unknown layer type 'Wobble'" in (project / "results/layers/odd.csv").read_text()
    assert "Wobble" in (project / "results/report/networks/odd.html").read_text()


def test_no_networks_is_one_line(project: Path) -> None:
    for path in (project / "prototxts").glob("*.prototxt"):
        path.unlink()
    done = snakemake(project, "all", check=False)
    assert done.returncode != 0
    assert "neuralpower: prototxts: holds no .prototxt or .onnx file" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("runtime_ms,", "runtime_s,", "runtime_ms"),
        (None, "soon", "row 3"),
        (None, "-1.5", "row 3"),
    ],
    ids=["missing column", "text in a number column", "negative runtime"],
)
def test_a_faulty_table_is_reported_and_other_platforms_live(
    project: Path, old: str | None, new: str, message: str
) -> None:
    good = project / "measurements/tiny"
    bad = project / "measurements/bad"
    shutil.copytree(good, bad)
    lines = (bad / "conv.csv").read_text().splitlines()
    if old:
        lines[0] = lines[0].replace(old, new)
    else:
        fields = lines[3].split(",")
        fields[lines[0].split(",").index("runtime_ms")] = new
        lines[3] = ",".join(fields)
    (bad / "conv.csv").write_text("\n".join(lines) + "\n")
    done = snakemake(project, "all", check=False)
    assert done.returncode != 0
    line = next(x for x in done.stderr.splitlines() if "conv.csv" in x and message in x)
    assert "bad" in line
    assert "Traceback" not in done.stderr
    report = project / "results/report"
    assert (report / "platforms/tiny.html").exists()
    assert not (project / "results/models/bad/models.json").exists()
    for name in ("index.html", "accuracy.html", "choosing.html"):
        linked = re.findall(r'href="([^"#:]+\.html)', (report / name).read_text())
        assert linked
        assert [href for href in linked if not (report / href).is_file()] == [], name


def test_a_new_folder_of_measurements_becomes_a_platform(project: Path) -> None:
    shutil.copytree(project / "measurements/tiny", project / "measurements/mine")
    lines = (project / "measurements/mine/fc.csv").read_text().splitlines()
    column = lines[0].split(",").index("power_w")
    for number, line in enumerate(lines[1:], 1):
        fields = line.split(",")
        fields[column] = str(20 + number % 7)
        lines[number] = ",".join(fields)
    (project / "measurements/mine/fc.csv").write_text("\n".join(lines) + "\n")
    snakemake(project, "all")
    assert (project / "results/report/platforms/mine.html").exists()
    header, *rows = (project / "results/predictions/mine/lenet.csv").read_text().splitlines()
    power = header.split(",").index("power_w")
    family = header.split(",").index("family")
    of = {row.split(",")[family]: row.split(",")[power] for row in rows}
    assert of["fc"] != ""
    assert of["conv"] == ""


def test_a_killed_fit_resumes_to_the_same_bytes(built: Path, project: Path) -> None:
    shutil.rmtree(project / "results")
    run = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "1", "results/models/tiny/models.json"],
        cwd=project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    parts = project / "results/models/tiny/.parts"
    deadline = time.monotonic() + 120
    while not list(parts.glob("*.json")):
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.005)
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    assert not (project / "results/models/tiny/models.json").exists()
    kept = {path.name for path in parts.glob("*.json")}
    assert kept
    snakemake(project, "--unlock")
    snakemake(project, "all")
    assert changes(built, project) == set()
