"""Manifest, records, tables and logs of a folder tell the same, or ``check`` says where not."""

from __future__ import annotations

import gzip
import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import fake_gpu
import pytest
from recorded_fake import record

from neuralpower.cli import main
from neuralpower.core.errors import InputError
from neuralpower.core.files import read_rows, read_text, write_text
from neuralpower.records import flags
from neuralpower.records.checks import check
from neuralpower.records.export import flat
from neuralpower.records.folder import load_platform, load_rows
from neuralpower.records.publish import close_folder
from neuralpower.records.raw_windows import PowerLogs
from neuralpower.records.sealing import seal, unlisted
from neuralpower.records.visits import read_visit_records

SOURCES = Path(flags.__file__).parents[1]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded") / "fake"
    record(folder, "--power-share", "0.5", uuid="GPU-1", net=True)
    (folder / "characterise.json").write_text("{}\n")
    assert seal(load_platform(folder)) == ["characterise.json", "power/001.csv.gz"]
    return folder


@pytest.fixture
def folder(recorded: Path, tmp_path: Path) -> Path:
    shutil.copytree(recorded, tmp_path / "fake")
    return tmp_path / "fake"


def found(folder: Path) -> list[str]:
    report = check(load_platform(folder))
    return [f"{f.severity}: {f.place}: {f.text}" for f in report.findings]


def rewrite(path: Path, old: str, new: str) -> None:
    text = read_text(path)
    assert text.count(old) >= 1
    write_text(path, text.replace(old, new, 1))


def unsealed(folder: Path) -> None:
    """Drop the checksums, so that other findings stand alone."""
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["files"]
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_whole_record_is_sound(folder: Path) -> None:
    assert found(folder) == []
    files = json.loads((folder / "manifest.json").read_text())["files"]
    assert files["power/001.csv.gz"]["rows"] == len(read_rows(folder / "power/001.csv.gz")[1])
    assert files["visits.jsonl.gz"]["rows"] == len(read_visit_records(folder))
    assert seal(load_platform(folder)) == []


def test_the_summary_is_one_a_person_can_judge(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measurements", "check", str(folder)]) == 0
    text = capsys.readouterr().out
    for words in (
        "power: ", "half-width within a visit", "anchor's power", "energy counter over", "idle: ",
        "before the framework was loaded", "boards: ", "0 errors, 0 warnings",
    ):  # fmt: skip
        assert words in text
    report = check(load_platform(folder))
    assert report.power is not None
    assert report.power.counter_ratio == pytest.approx(1, abs=0.01)
    assert report.power.powered < report.power.rows
    assert report.power.u_within_median is not None
    assert 0 < report.power.u_within_median < 0.005


def test_a_changed_or_missing_log_is_an_error(folder: Path) -> None:
    log = folder / "power" / "001.csv.gz"
    rewrite(log, "\n", "\n\n")
    (one,) = found(folder)
    assert one == (
        "error: manifest.json: power/001.csv.gz: changed since the manifest was written "
        "(sha256 differs)"
    )
    with pytest.raises(InputError, match="restore it, then seal"):
        seal(load_platform(folder))
    log.unlink()
    assert "listed in the manifest but not here" in found(folder)[0]


def test_a_file_that_came_later_is_a_warning_until_it_is_sealed(folder: Path) -> None:
    write_text(folder / "power" / "002.csv.gz", "t_ns,power_w\n5,80\n")
    assert found(folder) == [
        "warning: manifest.json: power/002.csv.gz has no checksum: `neuralpower measurements seal` "
        "adds it"
    ]
    assert unlisted(load_platform(folder)) == ["power/002.csv.gz"]
    assert main(["measurements", "seal", str(folder)]) == 0
    assert found(folder) == []


def test_a_call_that_ends_takes_its_log_into_the_manifest(folder: Path, tmp_path: Path) -> None:
    write_text(folder / "power" / "002.csv.gz", "t_ns,power_w\n5,80\n")
    close_folder(folder)
    assert unlisted(load_platform(folder)) == []
    # A call that ended before its first visit has written nothing.
    close_folder(tmp_path / "nothing")


def test_a_table_that_differs_from_the_record_is_an_error(folder: Path) -> None:
    unsealed(folder)
    row = next(r for r in load_rows(folder) if r.file == "fc.csv.gz")
    runtime = f"{row.values['runtime_ms']:.6g}"
    rewrite(folder / "fc.csv.gz", runtime, f"{row.values['runtime_ms'] * 1.01:.6g}")
    (one,) = found(folder)
    assert one.startswith("error: visits.jsonl.gz, line ")
    assert "runtime_ms" in one
    assert "fc.csv.gz, row " in one


def test_a_row_without_a_visit_and_a_visit_without_a_row_are_errors(folder: Path) -> None:
    unsealed(folder)
    lines = read_text(folder / "fc.csv.gz").splitlines(keepends=True)
    write_text(folder / "fc.csv.gz", "".join(lines[:-1]))
    assert [text.partition(": visit ")[2].split(" ", 1)[1] for text in found(folder)] == [
        "is in no table"
    ]
    records = read_text(folder / "visits.jsonl.gz").splitlines(keepends=True)
    write_text(folder / "fc.csv.gz", "".join(lines))
    write_text(folder / "visits.jsonl.gz", "".join(records[:-1]))
    (one,) = found(folder)
    assert one.endswith("no visit in visits.jsonl.gz")


def test_an_unknown_flag_and_an_unknown_version_are_errors(folder: Path) -> None:
    unsealed(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"schema_version": 9}))
    rewrite(folder / "visits.jsonl.gz", '"flags":[]', '"flags":["odd"]')
    header, rows = read_rows(folder / "conv.csv.gz")
    rows[0]["flags"] = "odd"
    body = [",".join(row[name] for name in header) for row in rows]
    write_text(folder / "conv.csv.gz", "\n".join([",".join(header), *body]) + "\n")
    assert found(folder) == [
        "error: manifest.json: schema_version 9: this version of neuralpower reads 1",
        "error: conv.csv.gz, row 1: flags: 'odd' is not a flag of the protocol",
    ]


def test_power_that_its_samples_do_not_give_is_reported(folder: Path) -> None:
    unsealed(folder)
    records = [r for r in read_visit_records(folder) if r.power]
    window = PowerLogs(folder).window(records[0])
    assert window is not None
    assert records[0].power is not None
    assert window.mean_w == records[0].power.mean_w
    assert len(window.published) == records[0].power.publications
    header, rows = read_rows(folder / "power" / "001.csv.gz")
    for row in rows:
        if window.t0_ns <= int(row["t_ns"]) <= window.t1_ns:
            row["power_w"] = f"{float(row['power_w']) * 1.02:.3f}"
    body = [",".join(row[name] for name in header) for row in rows]
    write_text(folder / "power" / "001.csv.gz", "\n".join([",".join(header), *body]) + "\n")
    (one,) = found(folder)
    assert one.startswith("warning: visits.jsonl.gz, line 1: visit anchor.100 has")
    (folder / "power" / "001.csv.gz").unlink()
    write_text(folder / "power" / "001.csv.gz", "t_ns,power_w\n1,80\n2,80\n")
    assert found(folder) == [f"warning: power: no log covers {len(records)} of the power windows"]


def test_what_random_delays_left_out_is_left_out_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Calls as long as the sensor's period, of two halves: only delays show it all of a call.
    monkeypatch.setattr(fake_gpu, "known_ms", lambda key: 100.0)
    monkeypatch.setattr(fake_gpu, "FakeWorkload", fake_gpu.HalfLoad)
    folder = record(tmp_path / "delayed", "--twice", "0", "--thrice", "0", n=1)
    seal(load_platform(folder))
    delayed = [r for r in read_visit_records(folder) if r.power and r.power.pauses_ns]
    assert delayed
    assert found(folder) == []
    logs = PowerLogs(folder)
    for visit in delayed:
        window = logs.window(visit)
        assert window is not None
        assert visit.power
        assert window.mean_w == visit.power.mean_w
        assert len(window.published) == visit.power.publications
    # With the delays counted in, other figures come out.
    forgetful = [replace(r, power=replace(r.power, pauses_ns=())) for r in delayed if r.power]
    windows = [logs.window(visit) for visit in forgetful]
    assert all(
        window is not None
        and visit.power
        and len(window.published) > (visit.power.publications or 0)
        for window, visit in zip(windows, delayed, strict=True)
    )


def test_flags_that_the_code_gives_are_known() -> None:
    given = r'(?:flags|found)\.append\("(\w+)"\)|flags"?[:=] ?[\[(]"(\w+)"'
    found = set()
    # Terms of models are appended to a `found` too: only what measures gives flags.
    for path in SOURCES.rglob("*.py"):
        if "modeling" in path.parts:
            continue
        for match in re.finditer(given, path.read_text()):
            found |= {word for word in match.groups() if word}
    assert {"counter_missing", "few_calls", "not_converged", "oom", "thermal_slowdown"} <= found
    assert found <= set(flags.FLAGS)


def test_records_are_flat_when_exported(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "flat"
    assert main(["measurements", "export", str(folder), "--format", "csv", "--out", str(out)]) == 0
    header, rows = read_rows(out / "visits.csv.gz")
    records = read_visit_records(folder)
    assert len(rows) == len(records)
    assert {"configuration.family", "timing.median_ms", "power.slope_per_s", "flags"} <= set(header)
    assert float(rows[0]["power.mean_w"]) == records[0].power_w
    samples = read_rows(out / "samples.csv.gz")[1]
    assert {row["log"] for row in samples} == {"power/001.csv.gz"}
    assert read_rows(out / "networks.csv.gz")[1][0]["network"] == "tiny"
    assert main(["measurements", "export", str(folder), "--format", "csv", "--out", str(out)]) == 2
    assert dict(flat({"a": {"b": [1, 2], "layers": [{}]}, "c": None})) == {"a.b": "1 2", "c": None}


def test_without_pyarrow_parquet_is_one_line(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    capsys.readouterr()
    assert main(["measurements", "export", str(folder), "--out", str(tmp_path / "p")]) == 2
    error = capsys.readouterr().err
    assert "--format csv" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "p").exists()


def test_parquet_holds_what_the_record_holds(folder: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert main(["measurements", "export", str(folder), "--out", str(tmp_path / "p")]) == 0
    table = parquet.read_table(tmp_path / "p" / "visits.parquet")
    records = read_visit_records(folder)
    assert table.num_rows == len(records)
    wanted = [r.power_w for r in records]
    assert table["power.mean_w"].to_pylist() == wanted
    assert table["order"].to_pylist() == [r.order for r in records]
    assert str(table["power.t0_ns"].type) == "int64"
    assert str(table["valid"].type) == "bool"
    samples = parquet.read_table(tmp_path / "p" / "samples.parquet")
    assert samples.num_rows == len(read_rows(folder / "power" / "001.csv.gz")[1])


def test_a_recorded_table_of_parquet_is_read(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    import pandas

    other = tmp_path / "other"
    other.mkdir()
    frame = pandas.read_csv(folder / "fc.csv.gz")
    frame.to_parquet(other / "fc.parquet")
    ours = [row.values["runtime_ms"] for row in load_rows(other)]
    assert ours == [r.values["runtime_ms"] for r in load_rows(folder) if r.file == "fc.csv.gz"]


def test_a_damaged_record_is_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    unsealed(folder)
    data = gzip.decompress((folder / "visits.jsonl.gz").read_bytes())
    (folder / "visits.jsonl.gz").write_bytes(gzip.compress(b"nonsense\n" + data))
    capsys.readouterr()
    assert main(["measurements", "check", str(folder)]) == 2
    error = capsys.readouterr().err
    assert "visits.jsonl.gz:1: not a record of a visit" in error
    assert error.count("\n") == 1
