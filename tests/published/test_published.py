"""Published platforms: committed models serve without their rows, and a refit gives them again."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import pytest

from neuralpower.cli import main
from neuralpower.commands.predict import measured_batches
from neuralpower.core.errors import InputError
from neuralpower.core.network_files import find_networks
from neuralpower.modeling.candidates import DEFAULT_CANDIDATES
from neuralpower.modeling.equations import to_text
from neuralpower.modeling.fitting import FitOptions, candidate_text
from neuralpower.modeling.models import load_model, load_models
from neuralpower.networks.calibration import load_composition
from neuralpower.project import published, questions
from neuralpower.project.card import card

REPOSITORY = Path(__file__).resolve().parents[2]
RAW = REPOSITORY / "../shared/reference/public-raw"
NAMES = published.published_names(REPOSITORY / "published")
FITTED = published.shown(REPOSITORY / "published")
READABLE = FitOptions(DEFAULT_CANDIDATES)
SLOW = bool(os.environ.get("NEURALPOWER_SLOW"))


@pytest.fixture(autouse=True)
def in_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REPOSITORY)


def test_the_a30_and_the_processor_with_power_are_shown() -> None:
    assert {"a30-pytorch-fp32", "a30-pytorch-tf32", "raptorlake-pytorch"} <= set(FITTED)


@pytest.mark.parametrize("name", FITTED)
def test_committed_models_are_whole_and_predict(name: str, tmp_path: Path) -> None:
    one = published.find(name)
    models = load_models(one.models)
    assert load_composition(one.models) is not None
    assert models.get("conv", "power_w") is not None
    assert models.facts["published"]["commit"] == one.recipe.source.commit
    out = tmp_path / "p.csv"
    arguments = ["--models", str(one.models), "--batch", "1", "--batch", "4", "--measured-batches"]
    assert main(["predict", "prototxts/resnet50.prototxt", *arguments, "--out", str(out)]) == 0
    with out.open() as stream:
        totals = [row for row in csv.DictReader(stream) if row["name"] == "TOTAL"]
    batches = [int(row["batch"]) for row in totals]
    # Raptor Lake measured 34 to 2047 images.
    assert batches == (list(one.recipe.batch_sizes) or [64])
    cap = one.recipe.facts.get("power_cap_w", float("inf"))
    for row in totals:
        assert 0 < float(row["power_w_lo"]) <= float(row["power_w"]) <= float(row["power_w_hi"])
        assert float(row["power_w_hi"]) <= cap


@pytest.mark.parametrize("name", FITTED)
def test_the_card_is_that_of_recipe_models_and_accuracy(name: str) -> None:
    one = published.find(name)
    accuracy = json.loads((one.folder / published.ACCURACY).read_text())
    text = (one.folder / published.CARD).read_text()
    assert text == card(one, accuracy)
    for said in (one.recipe.source.licence, one.recipe.source.commit, one.recipe.source.authors):
        assert said in text


def test_texts_of_models_leave_out_what_has_no_weight() -> None:
    """Equations without weight only have a say in the middle one, which the text has."""
    found = 0
    for name in FITTED:
        for path in published.find(name).model_files():
            if path.name == "models.json" or path.name.count(".") < 2:
                continue
            model = load_model(path)
            assert (" 0 x (" in f" {model.candidate}", " 0 f" in model.facts["equation"]) == (
                False,
                False,
            )
            if any(equation.weight == 0 for equation in model.equations):
                found += 1
                assert candidate_text(model.equations) == model.candidate
                assert to_text(model) == model.facts["equation"]
                assert f"f{len(model.equations)}\nf1 = " in model.facts["equation"]
    assert found == 3


def test_what_is_committed_serves_as_results(tmp_path: Path) -> None:
    name = FITTED[0]
    assert main(["published", "use", name, "--results", str(tmp_path)]) == 0
    models = load_models(tmp_path / "models" / name)
    assert models.platform == name
    rows = (tmp_path / "models" / name / "out_of_fold.csv").read_text().splitlines()
    assert len(rows) == 1, "a header only: no row of the measurements is here"
    stale = tmp_path / "models" / name / "lrn.runtime_ms.json"
    stale.write_text("{}")
    assert main(["published", "use", name, "--results", str(tmp_path)]) == 0
    assert not stale.exists()


def test_a_missing_model_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "published"
    shutil.copytree(REPOSITORY / "published" / FITTED[0], root / FITTED[0])
    next((root / FITTED[0] / "models").glob("conv.power_w.json")).unlink()
    with pytest.raises(InputError, match="restore it"):
        published.find(FITTED[0], root).model_files()
    assert main(["published", "fetch", "no-such-platform"]) == 2
    assert "none of the published platforms" in capsys.readouterr().err
    assert main(["published", "refit", FITTED[0], "--results", str(tmp_path / "r")]) == 2
    assert f"published fetch {FITTED[0]}" in capsys.readouterr().err


def test_list_names_what_each_holds(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["published", "list"]) == 0
    rows = list(csv.DictReader(capsys.readouterr().out.splitlines()))
    assert [row["platform"] for row in rows] == NAMES
    a30 = next(row for row in rows if row["platform"] == "a30-pytorch-tf32")
    assert (a30["power"], a30["networks"], a30["batch_sizes"]) == ("yes", "yes", "32")
    assert a30["licence"] == "none stated"


@pytest.mark.skipif(not RAW.is_dir(), reason="shared/reference/public-raw is not beside this")
@pytest.mark.skipif(not SLOW, reason="opt-in: NEURALPOWER_SLOW=1")
@pytest.mark.slow
@pytest.mark.parametrize("name", FITTED)
def test_a_refit_of_the_true_files_gives_the_committed_models(name: str, tmp_path: Path) -> None:
    results = ["--results", str(tmp_path)]
    assert main(["published", "fetch", name, "--from", str(RAW), *results]) == 0
    assert main(["published", "refit", name, *results]) == 0


def test_differences_are_found_and_rounding_is_none(tmp_path: Path) -> None:
    name = FITTED[0]
    committed = published.find(name).models
    other = tmp_path / "models"
    shutil.copytree(committed, other)
    assert published.differences(committed, other) == []
    path = other / "conv.power_w.json"
    model = json.loads(path.read_text())
    term = model["equations"][0]["terms"][0]
    value = term["coefficient"]
    for factor, count in ((1 + 1e-12, 0), (1 + 1e-6, 1)):
        term["coefficient"] = value * factor
        path.write_text(json.dumps(model))
        found = published.differences(committed, other)
        assert len(found) == count
    assert found[0].what == "equations[0].terms[0].coefficient"
    path.unlink()
    index = json.loads((other / "models.json").read_text())
    index["models"].remove("conv.power_w.json")
    (other / "models.json").write_text(json.dumps(index))
    assert [d.refitted for d in published.differences(committed, other)] == ["gone"]


def test_platforms_of_the_configuration(tmp_path: Path) -> None:
    here = questions.find_platforms()
    recorded = questions.platforms("recorded", here)
    assert set(questions.platforms("all", here)) == {*recorded, *FITTED}
    assert questions.platforms([FITTED[0]], here) == [FITTED[0]]
    assert questions.published_of([FITTED[0], recorded[0]]) == [FITTED[0]]
    (tmp_path / FITTED[0]).mkdir()
    with pytest.raises(InputError, match="rename it"):
        questions.platforms("all", questions.find_platforms(tmp_path), tmp_path)


def test_passes_with_an_input_are_torchvisions_networks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "measurements/board"
    folder.mkdir(parents=True)
    (folder / "networks.csv").write_text(
        "network,input,batch,runtime_ms,power_w\nresnet18,3x224x224,32,1,1\n"
        "resnet18,3x32x32,32,1,1\nlenet,,1,1,1\nresnet152,3x224x224,32,1,1\n"
    )
    monkeypatch.setattr(questions, "measurement_folder", lambda name: str(folder))
    found = questions.measured_networks("board", find_networks("prototxts"), [])
    assert found == [
        "prototxts/lenet.prototxt",
        "prototxts/resnet152.prototxt",
        "published/prototxts/resnet18.prototxt",
        "published/prototxts/resnet18_32.prototxt",
    ]


@pytest.mark.parametrize(
    ("wanted", "measured", "taken"),
    [([1, 4], [32], [32]), ([1, 32], [32], [32]), ([1, 4], [], [1, 4]), ([], [32], [32]),
     ([1, 4], None, [1, 4]), ([4, 1], [1, 4, 8], [4, 1])],
)  # fmt: skip
def test_networks_are_predicted_at_measured_batch_sizes(
    wanted: list[int], measured: list[int] | None, taken: list[int]
) -> None:
    assert measured_batches(wanted, measured) == taken


@pytest.mark.parametrize(
    ("wanted", "span", "taken"),
    [([1, 4, 16, 64], (34, 2047), [64]), ([1, 4], (34, 2047), [64]), ([17], (34, 2047), [17]),
     ([1, 4, 16, 64], (1, 32), [1, 4, 16, 64]), ([128], (1, 32), [32]), ([1], (20, 30), [30]),
     ([], (34, 2047), [])],
)  # fmt: skip
def test_networks_are_predicted_near_the_measured_batch_sizes(
    wanted: list[int], span: tuple[int, int], taken: list[int]
) -> None:
    assert measured_batches(wanted, None, span) == taken


def test_no_layer_is_kept_of_a_source_without_a_licence() -> None:
    for name in NAMES:
        one = published.find(name)
        stated = one.recipe.source.licence != "none stated"
        assert published.fit_options(one) == (FitOptions() if stated else READABLE)
        kept = sum(model.n_neighbours for model in load_models(one.models).models.values())
        assert stated or not kept
