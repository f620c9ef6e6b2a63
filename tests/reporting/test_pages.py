from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest
from page_text import Tags
from results_doubles import as_json, write_results

from neuralpower.cli import main
from neuralpower.core.configuration import PREDICTION_COLUMNS
from neuralpower.core.files import write_json, write_table
from neuralpower.networks.overview import Listed, write_overview
from neuralpower.reporting.glossary_page import WORDS
from neuralpower.reporting.results import Results, read_typed
from neuralpower.reporting.site import Report

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_results(tmp_path_factory.mktemp("project") / "results")
    assert main(["report", str(folder), "--out", str(folder / "report")]) == 0
    return folder / "report"


def pages(report: Path) -> Iterator[tuple[Path, Tags]]:
    for path in sorted(report.rglob("*.html")):
        yield path, Tags(path.read_text())


def test_every_network_platform_and_model_has_a_page(report: Path) -> None:
    found = {path.relative_to(report).as_posix() for path in report.rglob("*.html")}
    assert found == {
        "index.html", "accuracy.html", "choosing.html", "glossary.html", "networks/small.html",
        "networks/wide.html", "platforms/board.html", "platforms/plain.html",
        *(f"models/{p}.{f}.html" for p in ("board", "plain") for f in ("conv", "fc", "pool")),
    }  # fmt: skip


def test_every_link_leads_somewhere(report: Path) -> None:
    for path, page in pages(report):
        ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
        for tag, attrs in page.tags:
            href = attrs.get("href", "")
            if tag != "a" or href.startswith("data:"):
                continue
            if href.startswith("#"):
                assert href[1:] in ids, (path, href)
            else:
                target = (path.parent / unquote(href.partition("#")[0])).resolve()
                assert target.is_file(), (path, href)


def test_nothing_is_asked_from_outside(report: Path) -> None:
    for path, page in pages(report):
        html = path.read_text()
        outside = [u for u in re.findall(r"https?://[^\"' )<]*", html) if "www.w3.org" not in u]
        assert outside == []
        assert "@import" not in html
        assert not any("src" in attrs for _, attrs in page.tags)
        policy = [a["content"] for t, a in page.tags if a.get("http-equiv")]
        assert policy
        assert policy[0].startswith("default-src 'none'")


def test_names_from_files_are_shown_as_text(report: Path) -> None:
    html = (report / "networks" / "small.html").read_text()
    assert "branch<b>" not in html
    assert "branch&lt;b&gt;" in html
    assert "<b>not</b>" not in (report / "platforms" / "board.html").read_text()


def test_a_network_named_script_is_text_in_the_index_and_no_path(tmp_path: Path) -> None:
    folder = write_results(tmp_path / "results", ("<script>alert(1)<!--",))
    report = Report.of(Results(folder), tmp_path / "report")
    report.write()
    html = (tmp_path / "report" / "index.html").read_text()
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert not (tmp_path / "report" / "networks").exists()


def test_the_same_tables_give_the_same_bytes(report: Path, tmp_path: Path) -> None:
    folder = write_results(tmp_path / "results")
    facts = folder.parent / "prototxts" / "networks.yaml"
    Report.of(Results(folder, (), facts), folder / "report").write()
    for path in report.rglob("*.*"):
        assert path.read_bytes() == (folder / "report" / path.relative_to(report)).read_bytes()


def test_a_model_s_page_has_its_equation_terms_and_scores(report: Path) -> None:
    text = Tags((report / "models" / "board.conv.html").read_text()).text
    assert "f1 = 1 + 2 macs + 3 log(<batch>)" in text
    assert "12.5 % on average (MAPE), RMSPE 18.2 %" in text
    assert "condition number 20.0" in text


def test_a_model_s_page_draws_what_drives_the_cost_and_folds_the_equation(report: Path) -> None:
    page = Tags((report / "models" / "board.fc.html").read_text())
    assert "(batch 16, 16 channels, 16 outputs) takes 64.0 ms" in page.text
    assert "What moves it most: batch; each doubling multiplies the runtime by 2.0" in page.text
    assert re.search(r"output channels\s*16\s*1\s*64\s*1\.41", page.text)
    assert "the choice, 30 terms, 21.0 %. 30 terms come within one point of the best" in page.text
    figures = {a.get("id") for tag, a in page.tags if tag == "figure"}
    assert {"drivers-runtime", "terms-runtime-figure", "drivers-power"} <= figures
    order = [tag for tag, _ in page.tags if tag in ("figure", "details", "pre")]
    assert order[:4] == ["figure", "figure", "details", "pre"]


def test_the_learning_curve_of_a_fit_is_shown(report: Path) -> None:
    page = Tags((report / "platforms" / "board.html").read_text())
    assert ("a", {"href": "#learning"}) in page.tags
    assert "How many measurements it takes" in page.text
    assert "measured configurations" in page.text
    assert "Conv: 100 layers, 3 % off on average; twice as many: " in page.text


def test_missing_figures_are_empty_and_explained(report: Path) -> None:
    text = Tags((report / "networks" / "small.html").read_text()).text
    assert "not measured on this device (how to get it)" in text
    assert "no model of family softmax" in text
    assert "partial: 1 of 8 computing layers has no figure" in text
    assert "beyond the measured input channels" in text
    assert not re.search(r"\bnan\b|\bNone\b", text)


def test_a_folder_of_tables_alone_says_where_its_device_is_named(tmp_path: Path) -> None:
    """A researcher's own folder may have no manifest, and no measured networks."""
    results = write_results(tmp_path / "results")
    folder = results / "measurements" / "plain"
    (folder / "manifest.json").unlink()
    names = (
        "batch in_channels in_height in_width out_channels out_height out_width repeat runtime_ms"
    )
    values = dict.fromkeys(names.split(), 1)
    write_table(folder / "relu.csv", ("family", *values), [{"family": "relu", **values}])
    scores = as_json(results / "accuracy" / "plain.json")
    scores["network_summary"] = scores["networks"] = {}
    write_json(results / "accuracy" / "plain.json", scores)
    board = as_json(results / "accuracy" / "board.json")
    for score in board["network_summary"].values():
        score["baselines"] = {"paleo_fitted": 12.0}
    write_json(results / "accuracy" / "board.json", board)
    assert main(["report", str(results), "--out", str(tmp_path / "report")]) == 0
    page = Tags((tmp_path / "report" / "platforms" / "plain.html").read_text())
    assert "not named: measurements/plain/manifest.json may hold" in page.text
    network = Tags((tmp_path / "report" / "networks" / "small.html").read_text())
    assert (
        "how layers add up is taken to be as unsure as on other platforms (13.5 %" in network.text
    )
    platform = Tags((tmp_path / "report" / "platforms" / "board.html").read_text())
    assert "Paleo (fitted) MAPE %" in platform.text
    assert "paleo fitted" not in platform.text


def within_two_clicks(report: Path) -> dict[str, str]:
    """Text of the pages that a reader reaches from the index by at most two links."""
    reached: dict[Path, str] = {}
    waiting = {report / "index.html"}
    for _ in range(3):
        read = {path: Tags(path.read_text()) for path in waiting - reached.keys()}
        reached |= {path: page.text for path, page in read.items()}
        waiting = {
            (path.parent / unquote(attrs["href"].partition("#")[0])).resolve()
            for path, page in read.items()
            for tag, attrs in page.tags
            if tag == "a" and re.fullmatch(r"[^:]+\.html(#.*)?", attrs.get("href", ""))
        }
    return {path.relative_to(report).as_posix(): text for path, text in reached.items()}


def test_a_first_time_reader_finds_what_matters_in_two_clicks(report: Path) -> None:
    text = within_two_clicks(report.resolve())
    # The most expensive layer of a network, in words.
    small = text["networks/small.html"]
    assert "Costliest: conv2 takes 47.5 % of the energy and 47.4 % of the runtime; it is" in small
    # The energy of an image, of every network, and why a platform has none.
    index = " ".join(text["index.html"].split())
    assert "boardplain" in index, "the names of the platforms above their columns"
    assert index.count("mJ per image") == 1, "plain has no energy"
    assert "No power and no energy on plain: the device has no sensor." in index
    # How accurate the figures are, and how they were measured.
    assert "Every score compares a prediction with a measurement" in text["accuracy.html"]
    assert "How accurate: runtime of layers" in text["platforms/board.html"]
    assert "How it was measured" in text["platforms/board.html"]
    # What to change, and which network is cheapest below an error.
    assert "What to change" in small
    assert "conv2: half the outputs" in small
    choosing = " ".join(text["choosing.html"].split())
    assert "Cheapest for an error" in choosing
    assert "8 %wide7.0044.5" in choosing
    assert "partial: 1 of 8 computing layers has no figure" in choosing


def test_every_figure_has_a_caption_and_every_table_a_caption_and_scopes(report: Path) -> None:
    for path, page in pages(report):
        names = [tag for tag, _ in page.tags]
        assert names.count("figure") == names.count("figcaption"), path
        assert names.count("table") == names.count("caption"), path
        # A heading names its columns, or it is the first field of its row.
        inside = [(t, a) for t, a in page.tags if t in ("tr", "th", "td")]
        for (before, _), (tag, attributes) in pairwise(inside):
            if tag == "th":
                assert attributes.get("scope") in ("col", "colgroup") or before == "tr", path
        assert all(a.get("aria-label") for t, a in page.tags if t == "svg"), path
        ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
        assert len(ids) == len(set(ids)), path
        levels = [int(name[1]) for name in names if re.fullmatch(r"h[1-6]", name)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(b <= a + 1 for a, b in pairwise(levels)), path


def test_only_the_wanted_networks_and_platforms_are_shown(tmp_path: Path) -> None:
    folder = write_results(tmp_path / "results")
    out = tmp_path / "report"
    assert main(["report", str(folder), "--out", str(out)]) == 0
    (out / "networks" / "notes.html").write_text("<title>not of a report</title>")
    words = ["--networks", "small", "lost", "--platforms", "board", "away"]
    assert main(["report", str(folder), "--out", str(out), *words]) == 0
    found = {path.relative_to(out).as_posix() for path in out.rglob("*.html")}
    assert found == {
        "index.html", "accuracy.html", "choosing.html", "glossary.html", "networks/small.html",
        "networks/lost.html", "networks/notes.html", "platforms/board.html",
        *(f"models/board.{family}.html" for family in ("conv", "fc", "pool")),
    }  # fmt: skip
    index = Tags((out / "index.html").read_text()).text
    assert "plain" not in index
    assert "wide" not in index
    assert "lost could not be read" in index
    assert "Platform away cannot be shown: nothing was fitted" in index
    assert "could not be read" in (out / "networks" / "lost.html").read_text()


def test_a_page_that_fails_says_why_and_costs_no_other(
    report: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_results(tmp_path / "results")
    table = folder / "predictions" / "board" / "small.csv"
    table.write_text(table.read_text().replace("Convolution,conv,4,", "Convolution,conv,four,"))
    out = folder / "report"
    assert main(["report", str(folder), "--out", str(out)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "page networks/small.html: " in error
    assert "small.csv, row 1" in error
    assert "'four'" in error
    assert "small.csv, row 1" in Tags((out / "networks/small.html").read_text()).text
    index = Tags((out / "index.html").read_text())
    assert "The page of small could not be written" in index.text
    assert ("a", {"href": "networks/small.html"}) in index.tags
    for path in report.rglob("networks/wide.html"):
        assert path.read_bytes() == (out / path.relative_to(report)).read_bytes()


def test_a_fault_of_our_own_in_one_page_costs_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_results(tmp_path / "results")
    monkeypatch.setattr("neuralpower.reporting.model_page._facts", lambda _: 1 / 0)
    monkeypatch.delenv("NEURALPOWER_DEBUG", raising=False)
    assert main(["report", str(folder), "--out", str(tmp_path / "report")]) == 1
    assert "internal fault: ZeroDivisionError" in capsys.readouterr().err
    assert "4 MACs" not in (tmp_path / "report" / "models" / "board.conv.html").read_text()
    assert "conv2" in (tmp_path / "report" / "networks" / "small.html").read_text()


def test_a_platform_whose_file_is_torn_is_named_and_the_others_shown(tmp_path: Path) -> None:
    folder = write_results(tmp_path / "results")
    (folder / "accuracy" / "plain.json").write_text('{"layers": ')
    assert main(["report", str(folder), "--out", str(tmp_path / "report")]) == 0
    index = Tags((tmp_path / "report" / "index.html").read_text()).text
    assert "Platform plain cannot be shown" in index
    assert "plain.json:1:12: not JSON" in index
    small = (tmp_path / "report" / "networks" / "small.html").read_text()
    assert "board" in small
    assert ">plain<" not in small


#: A network of which Caffe knows no shape without the database.
TRAIN = """
layer { name: "data" type: "Data" top: "data" top: "label" data_param { source: "db" } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
        convolution_param { num_output: 8 kernel_size: 3 } }
"""


def test_a_network_without_a_known_layer_has_a_page_that_says_what_to_give(tmp_path: Path) -> None:
    folder = write_results(tmp_path / "results", ("small",))
    (tmp_path / "train.prototxt").write_text(TRAIN)
    table = folder / "layers" / "train.csv"
    assert main(["layers", str(tmp_path / "train.prototxt"), "--out", str(table)]) == 0
    layers = read_typed(table, frozenset({"index"}))
    rows = [
        dict.fromkeys(PREDICTION_COLUMNS)
        | {"network": "train", "index": row["index"], "name": row["name"], "source": "none"}
        for row in layers
    ]
    rows.append(
        dict.fromkeys(PREDICTION_COLUMNS)
        | {"network": "train", "name": "TOTAL", "note": "no runtime model covers any layer"}
    )
    write_table(folder / "predictions" / "board" / "train.csv", PREDICTION_COLUMNS, rows)
    assert main(["report", str(folder), "--out", str(tmp_path / "report")]) == 0
    text = Tags((tmp_path / "report" / "networks" / "train.html").read_text()).text
    assert "data: the size of one item" in text
    assert "--data-shape" in text
    assert "No prediction on platform board: no runtime model covers any layer." in text
    assert "the shape of bottom" not in text.partition("No prediction")[0]
    assert not re.search(r"\b0\b", text.partition("No prediction")[0]), "unknown is never 0"
    index = " ".join(Tags((tmp_path / "report" / "index.html").read_text()).text.split())
    assert "train is not known in full: data: the size of one item" in index


def test_the_list_of_pages_names_what_each_was_made_from(report: Path) -> None:
    pages = as_json(report / "pages.json")["pages"]
    assert {report / name for name in pages} == set(report.rglob("*.html"))
    assert pages["networks/small.html"]["inputs"] == [
        "results/layers/small.csv",
        "results/predictions/board/small.csv",
        "results/predictions/plain/small.csv",
        "results/changes/board.csv",
        "results/changes/plain.csv",
        "results/models/board/models.json",
        "results/models/plain/models.json",
        "results/accuracy/board.json",
        "results/accuracy/plain.json",
        "prototxts/networks.yaml",
    ]


def test_an_empty_results_folder_gives_pages_that_say_so(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    assert main(["report", str(tmp_path / "results"), "--out", str(tmp_path / "report")]) == 0
    assert "There are no networks yet" in (tmp_path / "report" / "index.html").read_text()


def test_a_network_that_was_not_read_is_named_with_the_reason(tmp_path: Path) -> None:
    folder = write_results(tmp_path / "results", ("small",))
    for name in ("small", "broken"):
        (tmp_path / "prototxts" / f"{name}.prototxt").write_text("")
    refused = Listed("broken", "prototxts/broken.prototxt",
                     refused="prototxts/broken.prototxt:3: unknown field")  # fmt: skip
    write_overview(folder / "layers.csv", [refused])
    assert main(["report", str(folder), "--out", str(folder / "report")]) == 0
    text = Tags((folder / "report" / "index.html").read_text()).text
    assert "broken could not be read: prototxts/broken.prototxt:3" in text
    page = Tags((folder / "report" / "networks" / "broken.html").read_text()).text
    assert "prototxts/broken.prototxt:3: unknown field" in page


def test_the_glossary_of_the_docs_is_that_of_the_report() -> None:
    text = " ".join((ROOT / "docs" / "glossary.md").read_text().split())
    assert len(WORDS) == 10
    for word in WORDS:
        assert f"**{word.word}** : {word.meaning}" in text


def test_what_others_measured_is_said_to_be_theirs(tmp_path: Path) -> None:
    """Licence and citation on every page that shows their platform, and on no other's."""
    folder = write_results(tmp_path / "results")
    index = folder / "models" / "board" / "models.json"
    source = {
        "title": "a set of the tests", "authors": "A. N. Other", "licence": "none stated",
        "repository": "https://github.com/other/set", "commit": "0123456789" * 4,
    }  # fmt: skip
    write_json(index, {**json.loads(index.read_text()), "published": source, "traps": ["Mind it."]})
    assert main(["report", str(folder), "--out", str(folder / "report")]) == 0
    said = "models from public measurements; the data are not part of this repository"
    for page in sorted((folder / "report").rglob("*.html")):
        text = page.read_text()
        if page.stem.startswith("plain"):
            assert said not in text, page
            continue
        assert said in text, page
        for part in ("A. N. Other", "it states no licence", "0123456789" + "01"):
            assert part in text, page
    board = (folder / "report/platforms/board.html").read_text()
    assert "Mind it." in board
    assert "neuralpower published fetch board" in board
    index_page = (folder / "report/index.html").read_text()
    groups = re.findall(r'scope="colgroup" colspan="(\d)">(\w+)<', index_page)
    assert groups == [("3", "board"), ("1", "plain")], "power first; plain has no energy"
