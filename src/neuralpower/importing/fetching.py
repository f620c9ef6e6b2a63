"""Source files of a recipe, from their repository or a folder, checked byte for byte.

A file is fetched into ``<name>.part``, which a later call takes up where a connection was cut, and
gets its name when size and SHA-256 are those of the recipe: nothing half-fetched is ever read.
"""

from __future__ import annotations

import http.client
import shutil
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from http.client import HTTPMessage
from pathlib import Path
from typing import IO

from neuralpower import __version__
from neuralpower.core.errors import InputError
from neuralpower.core.files import sha256_file
from neuralpower.importing.recipe import Recipe, SourceFile

TIMEOUT_S = 30.0
_PIECE = 1 << 16

#: Hears of the bytes of a file that are there: path, bytes so far, bytes in all.
Progress = Callable[[str, int, int], None]


def fetch(
    recipe: Recipe, out: Path, origin: str | None = None, progress: Progress | None = None
) -> Path:
    """Bring the files of a recipe into ``out``; returns it.

    ``origin`` is a folder or an http(s) address that holds the repository's files, by default the
    repository's host at the recipe's commit. A folder may hold several repositories as
    ``<owner>_<name>/``. Files that are there and right are not fetched again. Raises ``InputError``
    for a file that is missing, cut, of another size or checksum, or that the host sends elsewhere
    for; and without an ``origin`` for files that the source's repository does not hold.
    """
    if recipe.source.converted and origin is None:
        names = ", ".join(file.path for file in recipe.files)
        raise InputError(
            f"{recipe.name}: its files ({names}) were converted from {recipe.source.repository}, "
            "which does not hold them: give --from FOLDER"
        )
    for file in recipe.files:
        target = out / file.path
        if not _right(target, file):
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(target.name + ".part")
            if origin is None or "://" in origin:
                address = f"{(origin or recipe.source.raw_url).rstrip('/')}/{_quoted(file.path)}"
                _download(address, part, file, progress)
            else:
                _copy(_found(Path(origin), recipe, file), part)
            _check(part, file)
            part.replace(target)
        if progress:
            progress(file.path, file.bytes, file.bytes)
    return out


def _right(path: Path, file: SourceFile) -> bool:
    return path.is_file() and path.stat().st_size == file.bytes and sha256_file(path) == file.sha256


def _found(folder: Path, recipe: Recipe, file: SourceFile) -> Path:
    owner, name = recipe.source.owner_and_name
    places = (folder / f"{owner}_{name}" / file.path, folder / file.path)
    for place in places:
        if place.is_file():
            return place
    raise InputError(f"has no file {file.path}: check the folder", path=folder)


def _copy(source: Path, part: Path) -> None:
    shutil.copyfile(source, part)


def _check(part: Path, file: SourceFile) -> None:
    """Refuse what is not the file of the recipe, and remove it: no resuming helps there."""
    size, digest = part.stat().st_size, sha256_file(part)
    if size == file.bytes and digest == file.sha256:
        return
    part.unlink()
    wanted = f"{file.bytes} bytes with SHA-256 {file.sha256[:12]}..."
    raise InputError(
        f"{file.path}: {size} bytes with SHA-256 {digest[:12]}... came where the recipe has "
        f"{wanted}: it is another file, and was not kept"
    )


def _quoted(path: str) -> str:
    return urllib.parse.quote(path)


class _SameHost(urllib.request.HTTPRedirectHandler):
    """Follows a redirect within the same host only: the recipe names where files come from."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if _host(newurl) != _host(req.full_url):
            raise InputError(
                f"{req.full_url}: redirected to {_host(newurl)[1] or newurl}, which the recipe "
                "does not name: fetch by hand and give --from FOLDER"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _host(address: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(address)
    return parts.scheme, parts.netloc


def _download(address: str, part: Path, file: SourceFile, progress: Progress | None) -> None:
    if urllib.parse.urlsplit(address).scheme not in ("http", "https"):
        raise InputError(f"{address}: an http or https address is needed")
    have = part.stat().st_size if part.is_file() else 0
    if have >= file.bytes:
        part.unlink()
        have = 0
    headers = {"User-Agent": f"neuralpower/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    opener = urllib.request.build_opener(_SameHost)
    try:
        with opener.open(urllib.request.Request(address, headers=headers), timeout=TIMEOUT_S) as r:
            _store(r, part, have, file, progress)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink(missing_ok=True)  # the host's file is shorter than what is here
        raise InputError(
            f"{address}: {error.code} {error.reason}: check recipe or --from"
        ) from None
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise InputError(f"{address}: no connection ({reason}): try again, or use --from") from None


def _store(
    response: http.client.HTTPResponse,
    part: Path,
    have: int,
    file: SourceFile,
    progress: Progress | None,
) -> None:
    """Append what comes to the part; a host that does not resume sends the file from its start."""
    resumed = have > 0 and response.status == http.client.PARTIAL_CONTENT
    size = have if resumed else 0
    with part.open("ab" if resumed else "wb") as stream:
        while size <= file.bytes:
            try:
                piece = response.read(_PIECE)
            except http.client.IncompleteRead as error:
                stream.write(error.partial)
                size += len(error.partial)
                piece = b""
            if not piece:
                break
            stream.write(piece)
            size += len(piece)
            if progress:
                progress(file.path, min(size, file.bytes), file.bytes)
    if size < file.bytes:
        raise InputError(
            f"{file.path}: the connection ended after {size} of {file.bytes} bytes: "
            "run the command again, it goes on from there"
        )
