"""What another processor changes: nothing but the last digits of what is fitted."""

from __future__ import annotations

import csv
import platform
import shutil
from pathlib import Path

import pytest
from operate_project import ROOT, neuralpower

#: OpenBLAS then takes the kernels of an older or a newer processor, NumPy those without AVX.
PROCESSORS = {
    "older": {"OPENBLAS_CORETYPE": "Prescott"},
    "newer": {"OPENBLAS_CORETYPE": "SkylakeX"},
    "no AVX": {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3 AVX512F AVX512CD AVX512_SKX AVX512_CLX "
               "AVX512_CNL AVX512_ICL"},
    "two threads": {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"},
}  # fmt: skip
QUICK = (
    "fit: {folds: 3, candidates: [[physical, relative, non-negative], [wide, relative, stepwise]]}"
)

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="kernels of x86 processors are compared"
)


def test_predictions_have_the_same_bytes_on_every_processor(tmp_path: Path) -> None:
    models = ROOT / "published/a30-pytorch-fp32/models"
    networks = [ROOT / f"prototxts/{name}.prototxt" for name in ("lenet", "googlenet")]
    made = {}
    for name, env in {"this": {}, **PROCESSORS}.items():
        out = tmp_path / f"{name}.csv"
        env = {**env, "PYTHONWARNINGS": "ignore::ImportWarning"}
        neuralpower("predict", *networks, "--models", models, "--out", out, cwd=tmp_path, env=env)
        made[name] = out.read_bytes()
    assert made["this"].count(b"\n") > 150
    assert len(set(made.values())) == 1


def test_fits_agree_to_ten_digits_on_every_processor(tmp_path: Path) -> None:
    """Candidates and terms that are equally good may be others; threads change no byte."""
    measured = tmp_path / "tiny"
    measured.mkdir()
    for family in ("relu", "pool"):
        shutil.copy(ROOT / f"measurements/caffe-cpu/{family}.csv.gz", measured)
    (tmp_path / "quick.yaml").write_text(QUICK)
    made: dict[str, list[float]] = {}
    models: dict[str, bytes] = {}
    for name in ("this", "older", "newer", "two threads"):
        env = PROCESSORS.get(name, {})
        out = tmp_path / name
        neuralpower(
            *("fit", measured, "--out", out, "--config", "quick.yaml"), cwd=tmp_path, env=env
        )
        models[name] = (out / "pool.runtime_ms.json").read_bytes()
        table = out / "predicted.csv"
        neuralpower(
            *("predict", "--table", measured / "pool.csv.gz", "--models", out, "--out", table),
            cwd=tmp_path,
        )
        made[name] = [float(row["runtime_ms"]) for row in csv.DictReader(table.open())]
    for figures in made.values():
        assert figures == pytest.approx(made["this"], rel=1e-9)
    assert len(made["this"]) > 300
    assert models["two threads"] == models["this"]
