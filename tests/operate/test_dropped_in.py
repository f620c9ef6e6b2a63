"""Whatever a user drops into a project ends in a page or in one clear line, through Snakemake."""

from __future__ import annotations

import gzip
import os
import re
import shutil
from pathlib import Path

import pytest
from operate_project import NETWORK, ROOT, digests, neuralpower, snakemake, write_checksums

TRAIN_VAL = """
name: "train"
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
        data_param { source: "a" batch_size: 32 } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
        data_param { source: "b" batch_size: 10 } }
layer { name: "relu" type: "ReLU" bottom: "data" top: "relu" }
layer { name: "fc" type: "InnerProduct" bottom: "relu" top: "fc"
        inner_product_param { num_output: 10 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
"""
SOLVER = 'net: "train_val.prototxt"\nbase_lr: 0.01\nmax_iter: 1000\nsolver_mode: CPU\n'
UNKNOWN = """
name: "alien"
layer { name: "a" type: "Input" top: "a" }
layer { name: "b" type: "Python" bottom: "a" top: "b" python_param { module: "m" layer: "L" } }
"""
#: Refused files and a word of their line.
REFUSED = {
    "solver.prototxt": "no layers: this is settings of a solver",
    "empty.prototxt": "no layers: this is no network",
    "torn.prototxt": "torn.prototxt:1",
    "a b.prototxt": "cannot be a file name",
    "pipe.prototxt": "is not a regular file",
    "mini.pbtxt": "has the same name as mini.prototxt",
}


def printed(done: object) -> list[str]:
    """The lines of ours on standard error, once each."""
    text = getattr(done, "stderr", "")
    return list(dict.fromkeys(line for line in text.splitlines() if line.startswith("neuralpower")))


def index_of(project: Path) -> str:
    text = (project / "results/report/index.html").read_text()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", text))


@pytest.fixture(scope="module")
def crowded(made: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A project with one of every kind of bad file, made once, and the lines that were printed."""
    project = Path(
        shutil.copytree(made, tmp_path_factory.mktemp("crowd") / "project", symlinks=True)
    )
    networks = project / "prototxts"
    (networks / "train_val.prototxt").write_text(TRAIN_VAL)
    (networks / "alien.prototxt").write_text(UNKNOWN)
    (networks / "solver.prototxt").write_text(SOLVER)
    (networks / "empty.prototxt").write_text("")
    (networks / "torn.prototxt").write_text('layer { name: "a"')
    for name in ("a b.prototxt", "mini.pbtxt", "x.txt.prototxt", "A" * 60 + ".prototxt"):
        (networks / name).write_text(NETWORK)
    os.mkfifo(networks / "pipe.prototxt")
    (networks / "._mini.prototxt").write_bytes(b"\0\x05\x16\x07Mac OS X")
    (networks / ".#mini.prototxt").symlink_to("nobody@nowhere.1234")
    (networks / "weights.caffemodel").write_bytes(b"\0\1\2")
    shutil.copytree(project / "measurements/tiny", project / "measurements/local")
    shutil.copytree(project / "measurements/tiny", project / "measurements" / ("z" * 30))
    done = snakemake(project, "all", check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr + done.stdout
    assert "internal fault" not in done.stderr + done.stdout
    return project, printed(done)


def test_every_bad_file_is_one_line(crowded: tuple[Path, list[str]]) -> None:
    _, lines = crowded
    for name, words in REFUSED.items():
        own = [line for line in lines if f"prototxts/{name}" in line]
        assert len(own) == 1, (name, lines)
        assert words in own[0]
    assert [line for line in lines if "measurements/local" in line and "rename" in line]
    assert [line for line in lines if "measurements/zzz" in line and "rename" in line]
    assert [line for line in lines if "weights.caffemodel" in line and "ignored" in line]
    assert len(lines) == len(REFUSED) + 3


def test_the_others_have_their_pages(crowded: tuple[Path, list[str]]) -> None:
    project, _ = crowded
    pages = {path.stem for path in (project / "results/report/networks").glob("*.html")}
    assert {"mini", "x.txt", "A" * 60, "train_val", "alien"} <= pages
    assert {"solver", "empty", "torn"} <= pages, "a page says why"
    assert not [name for name in pages if name.startswith(".") or " " in name]
    assert (project / "results/provenance.json").is_file()
    assert not (project / "results/inputs.txt").exists()


def test_the_index_lists_what_is_at_fault_with_its_reason(crowded: tuple[Path, list[str]]) -> None:
    project, _ = crowded
    index = index_of(project)
    for name, words in REFUSED.items():
        if name != "mini.pbtxt":
            stem = name.removesuffix(".prototxt")
            assert f"{stem} could not be read" in index, name
            assert words.replace("'", "&#39;") in index, name
    assert "train_val is not known in full: data:" in index
    assert "alien is not known in full" in index
    page = (project / "results/report/networks/train_val.html").read_text()
    assert "--data-shape" in page


def test_a_repaired_project_ends_well(crowded: tuple[Path, list[str]], tmp_path: Path) -> None:
    project, _ = crowded
    project = Path(
        shutil.copytree(
            project, tmp_path / "project", symlinks=True, ignore=lambda *_: ["pipe.prototxt"]
        )
    )
    for name in (*REFUSED, "weights.caffemodel"):
        (project / "prototxts" / name).unlink(missing_ok=True)
    for name in ("local", "z" * 30):
        shutil.rmtree(project / "measurements" / name)
    done = snakemake(project, "all")
    assert printed(done) == []
    assert "could not be read" not in index_of(project)
    assert (project / "results/inputs.txt").read_text() == (
        f"network {'A' * 60}\nnetwork alien\nnetwork mini\nnetwork train_val\nnetwork x.txt\n"
        "platform tiny\n"
    )
    assert "Nothing to be done" in snakemake(project, "all").stderr


def test_a_fault_that_stays_costs_no_second_report(crowded: tuple[Path, list[str]]) -> None:
    project, lines = crowded
    page = project / "results/report/index.html"
    before = page.stat().st_mtime_ns
    done = snakemake(project, "all", check=False)
    assert done.returncode != 0
    assert set(printed(done)) == set(lines)
    assert page.stat().st_mtime_ns == before


# --- How files are read --------------------------------------------------------------------------


def test_shapes_are_given_beside_the_networks_or_in_the_configuration(project: Path) -> None:
    networks = project / "prototxts"
    (networks / "train_val.prototxt").write_text(TRAIN_VAL)
    snakemake(project, "all")
    unknown = digests(project)
    assert "train_val is not known in full" in index_of(project)
    (networks / "networks.yaml").write_text("train_val: {data_shape: 3x8x8, phase: TRAIN}\n")
    snakemake(project, "all")
    assert "train_val is not known in full" not in index_of(project)
    table = (project / "results/layers/train_val.csv").read_text()
    assert ",32x3x8x8," in table
    prediction = (project / "results/predictions/tiny/train_val.csv").read_text()
    assert "1 of 3 computing layers" in prediction
    with (project / "config/config.yaml").open("a") as stream:
        stream.write("reading: {train_val: {data_shape: 3x16x16}}\n")
    plan = snakemake(project, "all", "--dry-run", "--quiet", "progress").stdout
    jobs = set(re.findall(r"^(?:local)?rule (\w+):", plan, re.MULTILINE))
    assert jobs == {"all", "layers", "predict", "explain", "report", "provenance", "inputs"}
    snakemake(project, "all")
    assert ",32x3x16x16," in (project / "results/layers/train_val.csv").read_text()
    made = digests(project)
    for name in ("layers/mini.csv", "models/tiny/composition.json", "accuracy/tiny.json"):
        assert made[name] == unknown[name]


def test_a_wrong_option_costs_its_network_only(project: Path) -> None:
    shutil.copy(project / "prototxts/mini.prototxt", project / "prototxts/other.prototxt")
    (project / "prototxts/networks.yaml").write_text("other: {level: high}\n")
    done = snakemake(project, "all", check=False)
    assert done.returncode != 0
    assert "prototxts/networks.yaml: other.level: a whole number is needed" in "".join(
        printed(done)
    )
    assert (project / "results/report/networks/mini.html").is_file()
    with (project / "config/config.yaml").open("a") as stream:
        stream.write("reading: {other: {shape: 3x8x8}}\n")
    done = snakemake(project, "all", "--dry-run", check=False)
    assert done.returncode != 0
    assert "shape" in done.stdout + done.stderr


# --- What is shown is not what is true -----------------------------------------------------------


def test_narrowing_the_report_changes_no_figure(made: Path, project: Path) -> None:
    shutil.copy(ROOT / "prototxts/lenet.prototxt", project / "prototxts")
    shutil.copytree(project / "measurements/tiny", project / "measurements/second")
    snakemake(project, "all")
    whole = digests(project)
    snakemake(project, "all", "--config", "networks=[lenet]", 'platforms=["second"]')
    narrow = digests(project)
    kept = ("models/", "accuracy/", "predictions/second/lenet.csv", "layers")
    for name, digest in whole.items():
        if name.startswith(kept):
            assert narrow[name] == digest, name
    report = project / "results/report"
    assert {path.name for path in report.rglob("*.html") if path.parent.name == "networks"} == {
        "lenet.html"
    }
    assert [path.name for path in report.glob("platforms/*.html")] == ["second.html"]
    assert "mini" not in (report / "networks/lenet.html").read_text()


def test_removing_is_as_easy_as_adding(made: Path, project: Path) -> None:
    shutil.copy(ROOT / "prototxts/lenet.prototxt", project / "prototxts")
    shutil.copytree(project / "measurements/tiny", project / "measurements/second")
    snakemake(project, "all")
    shutil.rmtree(project / "measurements/second")
    (project / "prototxts/lenet.prototxt").unlink()
    snakemake(project, "all")
    before, after = digests(made), digests(project)
    left = {name for name in after.keys() | before.keys() if before.get(name) != after.get(name)}
    # What was fitted stays until it is deleted; nothing shows it.
    stays = (
        *("models/second/", "predictions/second", "accuracy/second", "checksums/second"),
        *("changes/second", "changes/tiny/lenet.json"),
    )
    assert {name for name in left if not name.startswith(stays)} == set()


# --- Faults that come and go ---------------------------------------------------------------------


def test_the_index_is_right_after_the_run_that_follows_a_fault(made: Path, project: Path) -> None:
    table = project / "measurements/tiny/relu.csv"
    text = table.read_text()
    manifest = (project / "measurements/tiny/manifest.json").read_text()
    table.write_text(text.replace("runtime_ms", "runtime_s", 1))
    write_checksums(project / "measurements/tiny")
    done = snakemake(project, "all", check=False)
    assert done.returncode != 0
    assert "Platform tiny cannot be shown" in index_of(project)
    assert (project / "results/report/networks/mini.html").is_file()
    table.write_text(text)
    (project / "measurements/tiny/manifest.json").write_text(manifest)
    snakemake(project, "all")
    assert "cannot be shown" not in index_of(project)
    assert digests(project) == digests(made)


def test_a_page_that_is_blocked_is_made_by_the_next_run(made: Path, project: Path) -> None:
    shutil.rmtree(project / "results/report")
    (project / "results/provenance.json").unlink()
    (project / "results/report/networks/mini.html/x").mkdir(parents=True)
    snakemake(project, "all", check=False)
    shutil.rmtree(project / "results/report/networks/mini.html", ignore_errors=True)
    snakemake(project, "all")
    assert digests(project) == digests(made)
    assert 'href="networks/mini.html"' in (project / "results/report/index.html").read_text()


def test_a_measured_network_that_cannot_be_read_costs_no_platform(project: Path) -> None:
    (project / "prototxts/mini.prototxt").write_text("layer {")
    shutil.copy(ROOT / "prototxts/lenet.prototxt", project / "prototxts")
    done = snakemake(project, "all", check=False)
    assert done.returncode != 0
    assert [line for line in printed(done) if "mini.prototxt" in line]
    assert (project / "results/report/platforms/tiny.html").is_file()
    assert (project / "results/report/networks/lenet.html").is_file()
    log = (project / "results/logs/calibrate/tiny.log").read_text()
    assert "mini was measured but it cannot be read" in log


# --- Calibration against nonsense ----------------------------------------------------------------


def test_whole_networks_that_disagree_with_the_layers_are_a_warning(project: Path) -> None:
    tiny = project / "measurements/tiny"
    models = project / "results/models/tiny"
    total = re.search(
        r"^mini,,TOTAL,.*$", (project / "results/predictions/tiny.csv").read_text(), re.MULTILINE
    )
    assert total
    header = (project / "results/predictions/tiny.csv").read_text().splitlines()[0].split(",")
    predicted = float(total[0].split(",")[header.index("runtime_ms")])
    rows = [f"mini,1,{predicted * 1000},,{n}" for n in (1, 2)]
    (tiny / "networks.csv").write_text(
        "\n".join(["network,batch,runtime_ms,power_w,repeat", *rows]) + "\n"
    )
    write_checksums(tiny)
    snakemake(project, "all")
    said = (project / "results/logs/calibrate/tiny.log").read_text()
    assert "warning" in said
    page = (project / "results/report/platforms/tiny.html").read_text()
    assert "mini at batch 1 takes" in page
    assert "is a unit, the batch size or the network wrong?" in page
    done = neuralpower(
        *("calibrate", "measurements/tiny", "--models", models),
        *("--networks", "prototxts/mini.prototxt"),
        cwd=project,
    )
    assert "warning" in done.stderr


def test_a_packed_network_is_one_network(project: Path) -> None:
    (project / "prototxts/packed.prototxt.gz").write_bytes(gzip.compress(NETWORK.encode()))
    snakemake(project, "all")
    assert (project / "results/layers/packed.csv").read_text().count("packed,") == 3
