"""Names, tables and networks of a stranger: nothing is executed, nothing is written elsewhere."""

from __future__ import annotations

import json
import re
import resource
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from operate_project import NETWORK, ROOT, neuralpower, snakemake

SECURITY = ROOT / "docs/security.md"
HOSTILE = ["../out", "..", ".hidden", "a/b", "a b", "$(touch pwned)", "a;touch pwned", "-rf", "a\n"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_network_of_a_table_cannot_choose_a_path(made: Path, tmp_path: Path, name: str) -> None:
    folder = Path(shutil.copytree(made / "measurements/tiny", tmp_path / "tiny"))
    (folder / "manifest.json").unlink()
    (folder / "networks.csv").write_text(
        f'network,batch,runtime_ms,power_w\n"{name}",1,1,\n', newline=""
    )
    done = neuralpower(
        *("evaluate", folder, "--models", made / "results/models/tiny", "--out", "a.json"),
        cwd=tmp_path,
        check=False,
    )
    if done.returncode:
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
    # A name with spaces round it is trimmed; whatever is read, nothing is beside.
    assert {path.name for path in tmp_path.iterdir()} <= {"tiny", "a.json"}


@pytest.mark.parametrize(
    "name",
    [
        "$(touch pwned)",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("a;touch pwned", "a b", "`touch x`")),
    ],
)
def test_names_of_files_do_not_reach_a_shell(project: Path, name: str) -> None:
    (project / f"prototxts/{name}.prototxt").write_text(NETWORK)
    done = snakemake(project, "all", check=False)
    assert done.returncode != 0
    assert "cannot be a file name" in " ".join((done.stdout + done.stderr).split())
    assert not list(project.rglob("pwned"))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("framework", "; touch pwned"),
        *(
            pytest.param(key, value, marks=pytest.mark.slow)
            for key, value in (
                ("meter", "$(touch pwned)"),
                ("budget", "`id`"),
                ("platform", "../elsewhere"),
                ("gpus", ["GPU-1; touch pwned"]),
                ("precision", "a|b"),
                ("options", "--out elsewhere"),
            )
        ),
    ],
)
def test_values_of_the_configuration_do_not_reach_a_shell(
    project: Path, key: str, value: object
) -> None:
    path = project / "config/config.yaml"
    path.write_text(path.read_text().replace("min_time: 1ms", f"{key}: {json.dumps(value)}"))
    done = snakemake(project, "all", "--dry-run", check=False)
    assert done.returncode != 0
    assert key in done.stdout + done.stderr
    assert not list(project.rglob("pwned"))


@pytest.mark.slow
def test_script_in_words_of_a_manifest_is_escaped(project: Path) -> None:
    path = project / "measurements/tiny/manifest.json"
    manifest = json.loads(path.read_text())
    evil = "<script>alert(1)</script><img src=x onerror=alert(2)>"
    manifest.update(device=evil, software=evil, description=evil)
    manifest["power"] = {"measured": False, "reason": evil}
    path.write_text(json.dumps(manifest))
    network = project / "prototxts/mini.prototxt"
    network.write_text(network.read_text().replace('"prob"', '"<script>alert(3)</script>"'))
    snakemake(project, "all")
    pages = list((project / "results/report").rglob("*.html"))
    assert pages
    for page in pages:
        assert not re.search(r"<script>alert|<img src=x", page.read_text()), page


@pytest.mark.parametrize(
    "text", ["!!python/object/apply:os.system ['touch pwned']", "{a: &x [*x]}"]
)
def test_a_configuration_cannot_make_objects(tmp_path: Path, text: str) -> None:
    (tmp_path / "c.yaml").write_text(f"gate: {text}\n")
    (tmp_path / "a.json").write_text('{"layers": {}}')
    done = neuralpower(
        *("gate", "a.json", "--baseline", "a.json", "--config", "c.yaml"),
        cwd=tmp_path,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "pwned").exists()


def test_a_table_larger_than_memory_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "big"
    folder.mkdir()
    shutil.copy(ROOT / "measurements/caffe-cpu/conv.csv.gz", folder)
    header, *rows = (
        subprocess.run(["gzip", "-dc", folder / "conv.csv.gz"], capture_output=True, text=True)
        .stdout.strip()
        .splitlines()
    )
    (folder / "conv.csv.gz").unlink()
    with (folder / "conv.csv").open("w") as stream:
        stream.write("\n".join([header, *rows * 100]) + "\n")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_AS, (160 << 20, 160 << 20))

    done = subprocess.run(
        [sys.executable, "-m", "neuralpower", "measurements", "check", "big"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=limit,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr == (
        "neuralpower: memory is used up: give a smaller table, or a machine with more\n"
    )


def test_every_pin_is_one_version_with_its_hashes() -> None:
    """``pip`` then takes no other file, whatever index or mirror it is asked to use.

    Extras stay in the pins: pip does not see ``coverage==`` as the pin of ``coverage[toml]``.
    """
    name, version = r"[A-Za-z0-9._-]+(\[[a-z,]+\])?", r"[^ ;@/\\]+( ; [^\\]*)?"
    pin = rf"{name}=={version}( \\\n {{4}}--hash=sha256:[0-9a-f]{{64}})+\n"
    paths = sorted((ROOT / "envs").glob("*.lock"))
    assert len(paths) == 2
    for path in paths:
        text = path.read_text()
        assert re.fullmatch(f"({pin})+", text), re.sub(pin, "", text)[:300]
        assert "://" not in text


def test_every_direct_dependency_is_reviewed_in_the_documentation() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = {
        re.split(r"[><=\[ ]", requirement)[0].lower()
        for requirement in (
            *project["dependencies"],
            *(r for name, part in extras.items() if name != "dev" for r in part),
        )
    }
    table = re.findall(
        r"^\| ([^|]+) \| [^|]+ \| ([^|;]+)[^|]* \| [^|]+ \| [^|]+ \|$",
        SECURITY.read_text(),
        re.MULTILINE,
    )
    reviewed = {
        name.strip(): version
        for cell, version in table
        for name in re.sub(r"\(.*\)", "", cell).split(",")
    }
    assert wanted <= set(reviewed), wanted - set(reviewed)
    lock = (ROOT / "envs/requirements-dev.lock").read_text()
    for name in wanted:
        pins = re.findall(rf"^{re.escape(name)}==(\S+)", lock, re.MULTILINE)
        versions = re.findall(r"\d+(?:\.\d+)+", re.sub(r"Python \S+", "", reviewed[name]))
        assert versions == pins, name
