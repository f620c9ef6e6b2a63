"""A wheel and an sdist build, install and hold what the commands need; starter projects run."""

from __future__ import annotations

import email
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from operate_project import ROOT, neuralpower, run, snakemake

import neuralpower as neuralpower_package
from neuralpower.core.errors import InputError
from neuralpower.core.extras import install_line, not_installed, requirements
from neuralpower.project.starter import write_project


@pytest.fixture(scope="module")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist of the tracked files, and the wheel built from that sdist."""
    folder = tmp_path_factory.mktemp("dist")
    tree = folder / "tree"
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in listed.stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    build = "import sys; from setuptools import build_meta as b; print(b.{}(sys.argv[1]))"
    out = folder / "out"
    out.mkdir()
    run(sys.executable, "-c", build.format("build_sdist"), out, cwd=tree)
    (sdist,) = out.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        if hasattr(tarfile, "data_filter"):
            archive.extractall(folder / "unpacked", filter="data")
        else:  # before Python 3.11.4: an archive that was made here
            archive.extractall(folder / "unpacked")
    (unpacked,) = (folder / "unpacked").iterdir()
    run(sys.executable, "-c", build.format("build_wheel"), out, cwd=unpacked)
    (wheel,) = out.glob("*.whl")
    return sdist, wheel


def test_the_wheel_holds_code_data_and_the_workflow(distributions: tuple[Path, Path]) -> None:
    names = set(zipfile.ZipFile(distributions[1]).namelist())
    assert {
        "neuralpower/caffe/caffe.proto",
        "neuralpower/py.typed",
        "neuralpower/reporting/templates/base.html",
        "neuralpower/reporting/templates/style.css",
        "neuralpower/_project/Snakefile",
        "neuralpower/_project/workflow/rules/fit.smk",
        "neuralpower/_project/workflow/schemas/config.schema.yaml",
        "neuralpower/_project/config/config.yaml",
    } <= names
    sources = {
        f"neuralpower/{path.relative_to(ROOT / 'src/neuralpower').as_posix()}"
        for path in (ROOT / "src/neuralpower").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert sources <= names, "a module or template is not packaged"
    assert not [name for name in names if "tests/" in name or "__pycache__" in name]


def test_the_metadata_is_ready_for_an_index(distributions: tuple[Path, Path]) -> None:
    archive = zipfile.ZipFile(distributions[1])
    (name,) = (n for n in archive.namelist() if n.endswith(".dist-info/METADATA"))
    facts = email.message_from_bytes(archive.read(name))
    assert facts["Version"] == neuralpower_package.__version__
    assert distributions[0].name == f"neuralpower-{facts['Version']}.tar.gz"
    assert facts["License-Expression"] == "MIT"
    assert facts["Requires-Python"] == ">=3.11"
    assert "Typing :: Typed" in facts.get_all("Classifier", [])
    assert facts["Description-Content-Type"] == "text/markdown"
    assert set(facts.get_all("Provides-Extra", [])) >= {
        "onnx",
        "torch",
        "parquet",
        "crate",
        "slurm",
    }
    description = str(facts.get_payload())
    assert description.startswith("# NeuralPower")
    try:
        from readme_renderer.markdown import render
    except ImportError:
        return
    assert render(description) is not None


#: An install line that only works once the package is on an index.
_FROM_INDEX = re.compile(r"pip install\s+[\"']?neuralpower\b")


def test_every_install_line_works_without_an_index_of_ours() -> None:
    paths = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "src").rglob("*.py")]
    wrong = [path.name for path in paths if _FROM_INDEX.search(path.read_text(encoding="utf-8"))]
    assert not wrong


def test_the_guide_names_the_wheel_of_this_version() -> None:
    guide = (ROOT / "docs/install.md").read_text(encoding="utf-8")
    named = re.findall(r"neuralpower-([\d.]+)-py3-none-any\.whl", guide)
    assert named == [neuralpower_package.__version__]


def test_an_absent_package_is_reported_with_what_to_install() -> None:
    assert requirements("onnx") == ["onnx>=1.17", "onnxruntime>=1.20"]
    assert install_line("parquet") == "pip install 'pyarrow>=17'"
    assert str(not_installed("PyTorch", "torch")) == (
        "PyTorch is not installed: pip install 'torch>=2.4'"
    )


def test_the_wheel_works_where_no_checkout_is(
    distributions: tuple[Path, Path], tmp_path: Path
) -> None:
    venv = tmp_path / "venv"
    run(sys.executable, "-m", "venv", "--without-pip", venv, cwd=tmp_path)
    (packages,) = venv.glob("lib/python*/site-packages")
    # --no-deps into a fresh environment; the dependencies are those of the one that tests.
    run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"),
        *("--disable-pip-version-check", "--target", packages, distributions[1]),
        cwd=tmp_path,
    )
    own = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "dependencies.pth").write_text("\n".join(own) + "\n")
    python = venv / "bin/python"
    env = {"PYTHONPATH": ""}
    asked = "import neuralpower; print(neuralpower.__file__)"
    assert str(packages) in run(python, "-c", asked, cwd=tmp_path, env=env).stdout
    run(python, "-m", "neuralpower", "init", "mine", cwd=tmp_path, env=env)
    table = run(
        *(python, "-m", "neuralpower", "layers", "mine/prototxts/lenet.prototxt"),
        cwd=tmp_path,
        env=env,
    ).stdout
    assert table.startswith("network,index,name,type,family")
    assert table.count("\n") > 5
    words = ("-m", "snakemake", "--cores", "1", "--dry-run", "all")
    assert "fit" in run(python, *words, cwd=tmp_path / "mine", env=env).stdout


@pytest.mark.slow
def test_a_starter_project_from_the_checkout(tmp_path: Path) -> None:
    project = tmp_path / "a project"
    names = write_project(project)
    assert "prototxts/lenet.prototxt" in names
    assert not [name for name in names if "baseline" in name]
    snakemake(project, "results/layers.csv")
    assert (project / "results/layers/lenet.csv").is_file()
    assert "local" in snakemake(
        project, "--dry-run", "all", "--config", 'platforms=["local"]'
    ).stdout  # fmt: skip
    with pytest.raises(InputError, match="not empty"):
        write_project(project)


def test_init_refuses_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = neuralpower("init", "file", cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
def test_the_workflow_is_a_module_of_another(made: Path, tmp_path: Path) -> None:
    project = tmp_path / "other"
    for name in ("prototxts", "measurements", "config"):
        shutil.copytree(made / name, project / name)
    (project / "Snakefile").write_text(
        f"""
configfile: "config/config.yaml"

module neuralpower:
    snakefile: {str(ROOT / "Snakefile")!r}
    config: config

use rule * from neuralpower as neuralpower_*

rule largest:
    default_target: True
    input: "results/layers.csv"
    output: "largest.txt"
    shell: "sort -t, -k1 results/layers/mini.csv > {{output:q}}"
"""
    )
    snakemake(project)
    assert "softmax" in (project / "largest.txt").read_text()
    plan = snakemake(project, "--dry-run", "neuralpower_all").stdout
    assert "neuralpower_fit" in plan
