"""HTML of templates: one Jinja2 environment, which escapes everything."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from digest.mail.theme import Theme, filled
from digest.resources import folder
from digest.web.assets import Assets

HTML_TYPE = "text/html; charset=utf-8"

_COMMENT = re.compile(r"/\*.*?\*/\s*", re.DOTALL)


class Pages:
    """Makes pages of `templates/web/*.html`, the operator's folder first.

    Every template knows `site` (name, tagline, imprint, contact, registration), and `asset(name)`,
    the address of a file of `templates/web/static`.
    """

    def __init__(
        self,
        site: Mapping[str, object],
        override: Path | None = None,
        theme: Theme | None = None,
    ) -> None:
        """In the style sheets `@name@` stands for a value of the theme."""
        folders: Sequence[Path] = [*([override] if override else []), folder("templates")]
        statics = [path / "web" / "static" for path in folders]
        look = theme or Theme()
        self.assets = Assets(statics, finish=lambda name, content: _finished(name, content, look))
        self._env = Environment(
            loader=FileSystemLoader([str(path / "web") for path in folders]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            cache_size=-1,
        )
        self._env.globals |= {"site": dict(site), "asset": self.assets.address}

    def html(self, name: str, **context: object) -> str:
        """A template filled in, such as `home.html`."""
        return self._env.get_template(name).render(**context)

    def response(
        self,
        name: str,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        **context: object,
    ) -> HTMLResponse:
        """The filled template as a reply."""
        return HTMLResponse(self.html(name, **context), status, headers)

    def message(
        self,
        title: str,
        text: str,
        status: int = 200,
        *,
        links: Sequence[tuple[str, str]] = (),
    ) -> HTMLResponse:
        """A page that says one thing; `links` are (address, words) of ways on."""
        return self.response("message.html", status, title=title, text=text, links=links)


def _finished(name: str, content: bytes, theme: Theme) -> bytes:
    """A style sheet in the theme's colours, without its comments; other files as they are."""
    if not name.endswith(".css"):
        return content
    return filled(_COMMENT.sub("", content.decode()), theme).encode()
