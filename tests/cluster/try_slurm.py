"""The small project on a Slurm and on this machine: are the tables the same?  Opt-in.

    tests/cluster/one_host_slurm.sh up DIR/slurm
    python tests/cluster/try_slurm.py DIR
    tests/cluster/one_host_slurm.sh down DIR/slurm

Needs `pip install snakemake-executor-plugin-slurm` beside NeuralPower. One shard is cancelled while
it runs, so that its retry and its going on are seen. Prints what happened and exits 1 when a table
differs that may not: measured times differ between any two runs, nothing else does.
"""

from __future__ import annotations

import csv
import gzip
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "operate"))
from operate_project import digests, make_project

CONFIG = """
platforms: [local, tiny]
profile: {{networks: [mini], batch_sizes: [1], shards: {shards},
          min_time: 200ms, max_time: 400ms}}
"""
SLURM = [
    *("--workflow-profile", "profiles/slurm", "--set-resources", "profile:gpu=0"),
    *("--slurm-no-account", "--slurm-status-command", "squeue"),
    *("--slurm-init-seconds-before-status-checks", "5"),
]
#: Results in which a measured time of the platform `local` is found.
MEASURED = ("measurements/local", "shards/", "models/local", "predictions/local", "accuracy/local")
#: Columns of a measurement that the plan decides, not the clock.
PLANNED = ("family", "batch", "in_channels", "in_height", "in_width", "repeat", "config_key")


def main(folder: Path) -> int:
    cluster, local = project(folder / "cluster", 4), project(folder / "local", 1)
    log = (folder / "slurm-run.log").open("w")
    begin = time.monotonic()
    run = subprocess.Popen(words(*SLURM, "all"), cwd=cluster, stdout=log, stderr=log)
    cancelled = cancel_one_shard(run)
    status = run.wait()
    print(f"on Slurm: status {status}, {time.monotonic() - begin:.0f} s; cancelled job {cancelled}")
    begin = time.monotonic()
    done = subprocess.run(words("--cores", "1", "all"), cwd=local, capture_output=True, text=True)
    print(f"here: status {done.returncode}, {time.monotonic() - begin:.0f} s")
    if status or done.returncode:
        print(done.stderr[-2000:])
        return 1
    faults = compare(cluster, local)
    print("\n".join(faults) or "no table differs but in measured times")
    return 1 if faults else 0


def project(folder: Path, shards: int) -> Path:
    make_project(folder)
    (folder / "cluster.yaml").write_text(CONFIG.format(shards=shards))
    return folder


def words(*more: str) -> list[str]:
    own = ["--configfile", "config/config.yaml", "cluster.yaml"]
    return [sys.executable, "-m", "snakemake", *own, *more]


def cancel_one_shard(run: subprocess.Popen[bytes]) -> str:
    """Cancel the first shard that runs; returns its job, empty when none was seen."""
    while run.poll() is None:
        listed = subprocess.run(
            ["squeue", "-h", "-t", "R", "-o", "%i %k"], capture_output=True, text=True
        )
        for line in listed.stdout.splitlines():
            if "rule_profile" in line:
                time.sleep(6)
                job = line.split()[0]
                subprocess.run(["scancel", job], check=True)
                return job
        time.sleep(0.2)
    return ""


def compare(cluster: Path, local: Path) -> list[str]:
    """Differences that may not be."""
    one, two = digests(cluster), digests(local)

    def fixed(name: str) -> bool:
        return not name.startswith((*MEASURED, "report/", "provenance", "checksums/local"))

    names = sorted(name for name in {*one, *two} if fixed(name))
    faults = [f"{name} differs" for name in names if one.get(name) != two.get(name)]
    print(f"{len(names)} files that no clock reaches, {len(names) - len(faults)} the same")
    for family in ("relu", "softmax"):
        visits = [visits_of(path, family) for path in (cluster, local)]
        print(f"{family}: {len(visits[0])} and {len(visits[1])} visits of layers")
        if visits[0] != visits[1]:
            faults.append(f"{family}: other visits")
    return faults


def visits_of(project_folder: Path, family: str) -> list[tuple[str, ...]]:
    path = project_folder / f"results/measurements/local/{family}.csv.gz"
    rows = csv.DictReader(gzip.decompress(path.read_bytes()).decode().splitlines())
    return sorted(tuple(row[name] for name in PLANNED) for row in rows)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
