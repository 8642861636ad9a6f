"""The dashboard's own files, as `make web` builds them."""

from __future__ import annotations

import gzip
import hashlib
from functools import lru_cache
from pathlib import Path

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from agent.errors import ConfigError

DIST = Path(__file__).parent.parent / "web" / "dist"
MOST_BYTES = 16 * 1024 * 1024
TYPES = {
    ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8",
    ".webmanifest": "application/manifest+json", ".json": "application/json", ".svg": "image/svg+xml", ".png": "image/png",
    ".ico": "image/x-icon", ".woff2": "font/woff2", ".txt": "text/plain; charset=utf-8", ".mp3": "audio/mpeg", ".ogg": "audio/ogg",
    ".wav": "audio/wav", ".webp": "image/webp", ".jpg": "image/jpeg",
}  # fmt: skip
PACKED = frozenset((".html", ".js", ".css", ".webmanifest", ".json", ".svg", ".txt"))
WORKER = "sw.js"
FOREVER = "public, max-age=31536000, immutable"
"""For files whose name holds the hash of what is in them."""
ASK_AGAIN = "no-cache"

_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Doorward</title>
<h1>The dashboard has not been built</h1>
<p>The centre runs. Its pages are made once, from <code>central/web</code>: run <code>make web</code> and load this page again.</p></html>
"""


class _Page(Struct, frozen=True):
    body: bytes
    packed: bytes
    tag: str


def page_route(dist: Path = DIST) -> Route:
    """Everything that is not the API: a file, or for an address within the app its one page. To be the last route."""

    def page(request: Request) -> Response:
        wanted = request.path_params["path"]
        found = _file_of(dist, wanted)
        if found is None and "." not in wanted.rpartition("/")[2]:
            found = _file_of(dist, "index.html")
            if found is None:
                return HTMLResponse(_NOT_BUILT, 503, {"cache-control": "no-store"})
        return Response("there is no such file", 404) if found is None else _answer(request, found, dist)

    return Route("/{path:path}", page, methods=["GET"])


def _file_of(dist: Path, wanted: str) -> Path | None:
    """A file of a kind that the dashboard has, within its folder; nothing else can be asked for."""
    if "\0" in wanted or "\\" in wanted or any(part.startswith(".") for part in wanted.split("/")):
        return None
    path = dist / wanted.lstrip("/")
    try:
        inside = path.suffix in TYPES and path.is_file() and path.resolve().is_relative_to(dist.resolve())
        return path if inside and path.stat().st_size <= MOST_BYTES else None
    except OSError:
        return None


def _answer(request: Request, path: Path, dist: Path) -> Response:
    page = _read(path, path.stat().st_mtime_ns)
    headers = {
        "etag": page.tag,
        "cache-control": FOREVER if path.parent == dist / "assets" else ASK_AGAIN,
        "vary": "accept-encoding",
    }
    if path == dist / WORKER:
        headers["service-worker-allowed"] = "/"
    if request.headers.get("if-none-match") == page.tag:
        return Response(status_code=304, headers=headers)
    packs = page.packed and "gzip" in request.headers.get("accept-encoding", "")
    if packs:
        headers["content-encoding"] = "gzip"
    return Response(page.packed if packs else page.body, headers=headers, media_type=TYPES[path.suffix])


@lru_cache(maxsize=256)
def _read(path: Path, changed_ns: int) -> _Page:
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error
    packed = gzip.compress(body, 6) if path.suffix in PACKED else b""
    return _Page(body, packed if len(packed) < len(body) else b"", f'"{hashlib.sha256(body).hexdigest()[:32]}"')
