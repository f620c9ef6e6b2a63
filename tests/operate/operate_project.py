"""A project small enough to be made in seconds: two families of one platform, one network."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
NETWORK = """
name: "mini"
layer { name: "data" type: "Input" top: "data"
        input_param { shape { dim: 1 dim: 8 dim: 12 dim: 12 } } }
layer { name: "relu" type: "ReLU" bottom: "data" top: "relu" }
layer { name: "prob" type: "Softmax" bottom: "relu" top: "prob" }
"""
CONFIG = """
networks: all
batch_sizes: [1]
fit: {candidates: [[physical, relative, non-negative], [logs, log, stepwise]]}
profile: {networks: [mini], batch_sizes: [1], min_time: 1ms, max_time: 5ms}
sweep:
  seed: 1
  near_networks: [mini]
  max_memory_mb: 64
  min_operations: 10
  max_operations: 1_000_000
  families:
    relu: {count: 12, batch: 1, in_channels: {low: 2, high: 16}, size: {low: 4, high: 16}}
    softmax: {count: 6, batch: 1, in_channels: {low: 2, high: 16}, size: {low: 4, high: 16}}
"""


def make_project(folder: Path) -> Path:
    """The workflow with the network ``mini`` and the platform ``tiny``, which has checksums."""
    folder.mkdir(parents=True)
    for name in ("Snakefile", "workflow", "profiles", "envs"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    (folder / "config").mkdir()
    (folder / "config/config.yaml").write_text(CONFIG)
    (folder / "prototxts").mkdir()
    (folder / "prototxts/mini.prototxt").write_text(NETWORK)
    tiny = folder / "measurements/tiny"
    tiny.mkdir(parents=True)
    for family in ("relu", "softmax"):
        data = (ROOT / f"measurements/caffe-cpu/{family}.csv.gz").read_bytes()
        (tiny / f"{family}.csv").write_bytes(gzip.decompress(data))
    (tiny / "networks.csv").write_text(
        "network,batch,runtime_ms,power_w,repeat\nmini,1,0.02,,1\nmini,1,0.021,,2\n"
    )
    write_checksums(tiny)
    return folder


def write_checksums(folder: Path) -> None:
    """A manifest with the checksums of the tables as they are."""
    files = {
        path.name: {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for path in sorted(folder.glob("*.csv"))
    }
    manifest = {"platform": folder.name, "device": "a device", "files": files}
    (folder / "manifest.json").write_text(json.dumps(manifest))


def run(
    *words: str | Path, cwd: Path, env: Mapping[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program; what it printed is in the failure when ``check`` fails."""
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, **(env or {})},
    )
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done


def snakemake(
    project: Path, *words: str, env: Mapping[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    return run(
        *(sys.executable, "-m", "snakemake", "--cores", "1", *words),
        cwd=project,
        env=env,
        check=check,
    )


def neuralpower(
    *words: str | Path,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    check: bool = True,
) -> subprocess.CompletedProcess[str]:
    return run(sys.executable, "-m", "neuralpower", *words, cwd=cwd, env=env, check=check)


def digests(project: Path) -> dict[str, str]:
    """Every result but the logs, by its checksum."""
    results = project / "results"
    return {
        path.relative_to(results).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(results.rglob("*"))
        if path.is_file() and "logs" not in path.relative_to(results).parts
        if path.name != ".made.json"
    }
