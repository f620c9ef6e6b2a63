"""Fetching from the loopback: every fault is one line, nothing half-fetched is read."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from neuralpower.core.errors import InputError
from neuralpower.importing.fetching import fetch
from neuralpower.importing.formulas import Formula
from neuralpower.importing.recipe import Recipe, Source, SourceFile

BODY = bytes(range(256)) * 700  # several pieces
PATH = "data/run 1.csv"


class Host(ThreadingHTTPServer):
    """Serves ``bodies``; ``cut_at`` closes the connection there, ``resumes`` honours Range."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.bodies: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.cut_at: int | None = None
        self.resumes = True
        self.asked: list[tuple[str, str | None]] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Host

    def do_GET(self) -> None:
        host, given = self.server, self.headers.get("Range")
        host.asked.append((self.path, given))
        if self.path in host.redirects:
            self.send_response(302)
            self.send_header("Location", host.redirects[self.path])
            self.end_headers()
            return
        body = host.bodies.get(self.path)
        if body is None:
            self.send_error(404)
            return
        start = int(given.removeprefix("bytes=").rstrip("-")) if given and host.resumes else 0
        if start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        if host.cut_at is not None and start < host.cut_at:
            self.wfile.write(body[start : host.cut_at])
            self.close_connection = True
            return
        self.wfile.write(body[start:])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def host() -> Iterator[Host]:
    server = Host()
    server.bodies["/data/run%201.csv"] = BODY
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def recipe() -> Recipe:
    file = SourceFile(
        path=PATH,
        bytes=len(BODY),
        sha256=hashlib.sha256(BODY).hexdigest(),
        reader="table",
        columns={"runtime_ms": Formula("t")},
        family="relu",
    )
    source = Source("t", "a", "https://github.com/owner/name", "0" * 40, "MIT")
    return Recipe("p", "t", "d", "s", "w", source, (file,), (), True, {})


def left(folder: Path) -> list[str]:
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def test_a_file_is_fetched_once(host: Host, recipe: Recipe, tmp_path: Path) -> None:
    seen: list[int] = []
    out = fetch(recipe, tmp_path, host.address, lambda path, done, size: seen.append(done))
    assert (out / PATH).read_bytes() == BODY
    assert left(tmp_path) == [PATH]
    assert seen == sorted(seen)
    assert seen[-1] == len(BODY)
    fetch(recipe, tmp_path, host.address)
    assert len(host.asked) == 1


def test_another_checksum_is_refused_and_not_kept(
    host: Host, recipe: Recipe, tmp_path: Path
) -> None:
    host.bodies["/data/run%201.csv"] = BODY[:-1] + b"!"
    with pytest.raises(InputError, match="another file, and was not kept"):
        fetch(recipe, tmp_path, host.address)
    assert left(tmp_path) == []


def test_a_longer_file_is_refused_and_not_kept(host: Host, recipe: Recipe, tmp_path: Path) -> None:
    host.bodies["/data/run%201.csv"] = BODY * 50
    with pytest.raises(InputError, match="another file"):
        fetch(recipe, tmp_path, host.address)
    assert left(tmp_path) == []


def test_a_cut_connection_is_taken_up_again(host: Host, recipe: Recipe, tmp_path: Path) -> None:
    host.cut_at = 100_000
    with pytest.raises(InputError, match=r"after 100000 of 179200 bytes.*goes on from there"):
        fetch(recipe, tmp_path, host.address)
    assert left(tmp_path) == [f"{PATH}.part"]
    fetch(recipe, tmp_path, host.address)
    assert host.asked[-1][1] == "bytes=100000-"
    assert (tmp_path / PATH).read_bytes() == BODY
    assert left(tmp_path) == [PATH]


def test_a_host_that_does_not_resume_sends_all(host: Host, recipe: Recipe, tmp_path: Path) -> None:
    host.cut_at = 5
    with pytest.raises(InputError, match="after 5 of"):
        fetch(recipe, tmp_path, host.address)
    host.cut_at, host.resumes = None, False
    fetch(recipe, tmp_path, host.address)
    assert (tmp_path / PATH).read_bytes() == BODY


def test_what_was_cut_of_another_file_does_not_pass(
    host: Host, recipe: Recipe, tmp_path: Path
) -> None:
    part = tmp_path / f"{PATH}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * 1000)
    with pytest.raises(InputError, match="another file"):
        fetch(recipe, tmp_path, host.address)
    assert left(tmp_path) == []
    fetch(recipe, tmp_path, host.address)
    assert (tmp_path / PATH).read_bytes() == BODY


def test_a_missing_file_is_reported_with_its_address(
    host: Host, recipe: Recipe, tmp_path: Path
) -> None:
    host.bodies.clear()
    with pytest.raises(InputError, match=r"data/run%201.csv: 404"):
        fetch(recipe, tmp_path, host.address)
    assert left(tmp_path) == []


def test_a_redirect_elsewhere_is_not_followed(host: Host, recipe: Recipe, tmp_path: Path) -> None:
    host.redirects["/data/run%201.csv"] = "http://localhost:1/elsewhere"
    with pytest.raises(InputError, match="redirected to localhost:1, which the recipe"):
        fetch(recipe, tmp_path, host.address)
    assert left(tmp_path) == []
    host.redirects["/data/run%201.csv"] = f"{host.address}/moved"
    host.bodies["/moved"] = BODY
    fetch(recipe, tmp_path, host.address)
    assert (tmp_path / PATH).read_bytes() == BODY


def test_no_host_is_one_line(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no connection"):
        fetch(recipe, tmp_path, "http://127.0.0.1:9")
    with pytest.raises(InputError, match="http or https"):
        fetch(recipe, tmp_path, "ftp://127.0.0.1/x")
    assert left(tmp_path) == []


def test_a_folder_serves_as_well(recipe: Recipe, tmp_path: Path) -> None:
    for place in ("plain", "several/owner_name"):
        path = tmp_path / place / PATH
        path.parent.mkdir(parents=True)
        path.write_bytes(BODY)
    for origin in ("plain", "several"):
        out = fetch(recipe, tmp_path / f"from {origin}", str(tmp_path / origin))
        assert (out / PATH).read_bytes() == BODY
    with pytest.raises(InputError, match="has no file"):
        fetch(recipe, tmp_path / "out", str(tmp_path / "nowhere"))
    wrong = dataclasses.replace(recipe.files[0], sha256="0" * 64)
    with pytest.raises(InputError, match="another file"):
        fetch(dataclasses.replace(recipe, files=(wrong,)), tmp_path / "w", str(tmp_path / "plain"))
    assert left(tmp_path / "w") == []


def test_what_the_source_does_not_hold_needs_a_folder(recipe: Recipe, tmp_path: Path) -> None:
    source = dataclasses.replace(recipe.source, converted=True)
    converted = dataclasses.replace(recipe, source=source)
    with pytest.raises(InputError, match="give --from FOLDER"):
        fetch(converted, tmp_path / "out")
    assert left(tmp_path) == []
    (tmp_path / PATH).parent.mkdir(parents=True)
    (tmp_path / PATH).write_bytes(BODY)
    assert (fetch(converted, tmp_path / "out", str(tmp_path)) / PATH).read_bytes() == BODY
