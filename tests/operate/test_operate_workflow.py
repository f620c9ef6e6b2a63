"""The gate, checksums and provenance through the workflow, on a small project."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from operate_project import neuralpower, snakemake, write_checksums

from neuralpower.project.provenance import trace

GATE = ("gate", "results/accuracy/tiny.json", "--baseline", "config/baseline/tiny.json")


def test_the_gate_says_that_a_baseline_is_missing(project: Path) -> None:
    done = snakemake(project, "check_accuracy", check=False)
    assert done.returncode != 0
    printed = " ".join((done.stdout + done.stderr).split())
    assert "config/baseline/tiny.json: no baseline" in printed


@pytest.mark.slow
def test_the_gate_is_green_and_red_after_a_sabotage(project: Path) -> None:
    neuralpower(*GATE, "--accept", cwd=project)
    snakemake(project, "check_accuracy")

    table = project / "measurements/tiny/relu.csv"
    header, *rows = table.read_text().splitlines()
    place = header.split(",").index("runtime_ms")
    for number, row in enumerate(rows):
        fields = row.split(",")
        fields[place] = str(1000 * float(fields[place]))
        rows[number] = ",".join(fields)
    table.write_text("\n".join([header, *rows]) + "\n")
    write_checksums(project / "measurements/tiny")
    done = snakemake(project, "check_accuracy", check=False)
    assert done.returncode != 0
    assert "units" in done.stdout + done.stderr
    assert "FAILED" in (project / "results/logs/check_accuracy.log").read_text()


@pytest.mark.slow
def test_an_edited_recorded_file_is_reported_by_its_checksum(project: Path) -> None:
    table = project / "measurements/tiny/relu.csv"
    text = table.read_text()
    table.write_text(text[:-40])
    target = "results/models/tiny/models.json"
    done = snakemake(project, target, check=False)
    assert done.returncode != 0
    assert "relu.csv: changed since the manifest was written" in done.stderr
    assert "Traceback" not in done.stderr
    table.write_text(text)
    plan = snakemake(project, target, "--dry-run").stdout
    assert "checksums" in plan


def test_snakemakes_own_report_has_the_pages_by_category(made: Path, tmp_path: Path) -> None:
    bundle = tmp_path / "report.zip"
    snakemake(made, "--report", str(bundle), "all")
    with zipfile.ZipFile(bundle) as opened:
        names = opened.namelist()
        printed = "".join(
            opened.read(name).decode() for name in names if name.endswith((".js", ".html"))
        )
    for page in ("index.html", "mini.html", "tiny.html"):
        assert any(name.endswith(page) for name in names), page
    for category in ("Overview", "Networks", "Platforms", "Measurements", "Accuracy", "Models"):
        assert f'"{category}"' in printed, category


def test_the_chain_of_a_page_ends_at_the_measurements(made: Path) -> None:
    printed = neuralpower("provenance", "results/report/networks/mini.html", cwd=made).stdout
    for name in (
        "results/predictions/tiny/mini.csv",
        "prototxts/mini.prototxt",
        "results/models/tiny/",
        "measurements/tiny/relu.csv",
        "the checksums of manifest.json agree",
        "models.json names the measurements by data_sha256",
    ):
        assert name in printed
    assert "!" not in printed


def test_the_checksums_are_checked_before_a_fit(project: Path) -> None:
    (project / "measurements/tiny/relu.csv").write_text("edited")
    done = snakemake(project, "results/checksums/tiny.sha256", check=False)
    assert done.returncode != 0
    assert "relu.csv: changed since the manifest was written" in done.stderr
    assert not (project / "results/checksums/tiny.sha256").exists()


def test_a_chain_that_is_broken_is_reported(project: Path) -> None:
    with (project / "measurements/tiny/softmax.csv").open("a") as stream:
        stream.write("\n")
    printed = neuralpower("provenance", "results/accuracy/tiny.json", cwd=project).stdout
    assert "! softmax.csv: changed" in printed
    assert "! models.json names other measurements" in printed
    done = neuralpower(
        *("provenance", "results/accuracy/tiny.json", "--strict", "--out", "x.json"),
        cwd=project,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert not (project / "x.json").exists()


def test_the_record_names_inputs_software_and_configuration(made: Path) -> None:
    record = json.loads((made / "results/provenance.json").read_text())
    nodes = record["nodes"]
    prediction = nodes["results/predictions/tiny/mini.csv"]
    assert prediction["inputs"] == {
        "prototxts/mini.prototxt": nodes["prototxts/mini.prototxt"]["sha256"],
        "results/models/tiny/": nodes["results/models/tiny/"]["sha256"],
    }
    assert record["git"] is None
    assert record["software"]["packages"]["numpy"]
    assert record["configuration"]["sweep"]["seed"] == 1
    assert set(nodes) >= {"results/report/index.html", "measurements/tiny/"}


def test_the_record_is_verified(project: Path) -> None:
    words = ("provenance", "--verify", "results/provenance.json")
    neuralpower(*words, cwd=project)
    (project / "results/predictions/tiny/mini.csv").write_text("edited\n")
    done = neuralpower(*words, cwd=project, check=False)
    assert done.returncode == 1
    assert done.stdout == "results/predictions/tiny/mini.csv: changed\n"


def test_checksums_are_in_the_form_of_sha256sum(made: Path) -> None:
    subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "results/checksums/tiny.sha256"],
        cwd=made,
        check=True,
    )


def test_git_state_is_of_this_checkout_only(tmp_path: Path) -> None:
    from neuralpower.core.versions import git_state

    project = tmp_path / "p"
    (project / "src").mkdir(parents=True)
    assert git_state(project) is None

    def git(*words: str) -> None:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        subprocess.run(["git", *who, *words], cwd=project, check=True, capture_output=True)

    git("init", "-q")
    (project / "src/a.py").write_text("")
    git("add", ".")
    git("commit", "-q", "-m", "Begin")
    state = git_state(project)
    assert state is not None
    assert state["changed"] == []
    (project / "src/b.py").write_text("")
    (project / "notes.txt").write_text("")
    state = git_state(project)
    assert state is not None
    assert state["changed"] == ["src/b.py"]
    assert git_state(project / "src") is None


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname"])
def test_a_record_cannot_name_files_outside_the_project(project: Path, name: str) -> None:
    record = project / "results/provenance.json"
    record.write_text(json.dumps({"nodes": {name: {"sha256": "0"}}}))
    done = neuralpower("provenance", "--verify", record, cwd=project, check=False)
    assert done.returncode == 2
    assert "outside the project" in done.stderr


def test_a_project_may_lie_in_a_folder_named_as_its_own(made: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(made, tmp_path / "results/mine", symlinks=True))
    words = ("provenance", "results/predictions/tiny/mini.csv")
    printed = neuralpower(*words, cwd=project).stdout
    assert printed == neuralpower(*words, cwd=made).stdout
    assert "measurements/tiny/relu.csv" in printed


def test_every_kind_of_result_has_a_chain(made: Path) -> None:
    for path in sorted((made / "results").rglob("*")):
        name = path.relative_to(made).as_posix()
        hidden = path.name.startswith(".")
        if hidden or path.is_dir() or name.startswith(("results/logs", "results/provenance")):
            continue
        if path.name == "glossary.html":  # words only
            continue
        nodes = trace(made, [name])
        assert next(iter(nodes)).startswith(name.rpartition("/")[0]), name
        assert not [fault for node in nodes.values() for fault in node.faults], name
        assert any(node.path.startswith(("prototxts/", "measurements/")) for node in nodes.values())
