"""The files that pages need, read once: each under an address that changes with what is in it."""

import mimetypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

_KEPT = "public, max-age=31536000, immutable"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Asset:
    """One file: its bytes, its media type, and the mark that stands for its content."""

    content: bytes
    media_type: str
    mark: str


class Assets:
    """The files of the folders by name; an earlier folder wins."""

    def __init__(
        self,
        folders: Sequence[Path],
        made: Mapping[str, bytes] | None = None,
        finish: Callable[[str, bytes], bytes] = lambda _name, content: content,
    ) -> None:
        """`made` are files that are written by the program; `finish` gives what is served of a
        file, such as a style sheet with the theme's colours in it.
        """
        found: dict[str, bytes] = dict(made or {})
        for folder in reversed(folders):
            if folder.is_dir():
                found |= {
                    path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()
                }
        self._assets = {
            name: _asset(name, finish(name, content)) for name, content in found.items()
        }

    def address(self, name: str) -> str:
        """Where a file is found. Raises KeyError for one that is not there."""
        return f"/static/{name}?v={self._assets[name].mark}"

    def get(self, name: str) -> Asset | None:
        """The file of that name."""
        return self._assets.get(name)


def _asset(name: str, content: bytes) -> Asset:
    kind = _TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0]
    return Asset(
        content=content,
        media_type=kind or "application/octet-stream",
        mark=sha256(content).hexdigest()[:12],
    )


def static(request: Request) -> Response:
    """One of the files. Raises HTTPException 404."""
    asset = request.app.state.desk.pages.assets.get(request.path_params["name"])
    if asset is None:
        raise HTTPException(404)
    # without the mark the address is somebody's own: it may not be kept for ever
    kept = _KEPT if request.query_params.get("v") == asset.mark else "no-cache"
    return Response(asset.content, media_type=asset.media_type, headers={"cache-control": kept})


routes = [Route("/static/{name}", static)]
