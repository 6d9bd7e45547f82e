"""The Jinja2 environment of the mails: where templates lie, and how their CSS gets inline."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import css_inline
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from digest.mail.forms import wrapped_later
from digest.mail.theme import Theme, filled
from digest.resources import folder

STYLES = "mail/_parts/mail.css"
LAYOUT = "mail/_parts/layout.html"

# One Jinja tag: output, statement or comment. Strings inside that hold a closing tag are not
# supported; none is needed in a mail.
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)
_HIDDEN = re.compile(r"<!--jinja(\d+)-->|jinja(\d+)j")
_CLASS = re.compile(r' class="([\w-]+)"')
_SELECTED = re.compile(r"\.([a-z][\w-]*)(?=[^{}]*\{)")
_STYLE = re.compile(r"<style.*?</style>", re.DOTALL | re.IGNORECASE)
_INDENT = re.compile(r"\n[ \t]+")


class InliningLoader(FileSystemLoader):
    """Loads templates, the rules of `mail.css` written into the `style` of each HTML element.

    It happens once, to the source: what is left per mail is to fill in the words. Each Jinja tag is
    hidden from the HTML parser as a comment, or as a bare word where it stands inside a tag, so an
    HTML template must be well nested by itself (no `<tr>` whose table stands in another file).
    `@name@` in the rules and in a <style> stands for a value of the theme.
    """

    def __init__(self, folders: Sequence[str], theme: Theme) -> None:
        super().__init__(folders)
        self._theme = theme

    def get_source(
        self, environment: Environment, template: str
    ) -> tuple[str, str, Callable[[], bool]]:
        source, filename, uptodate = super().get_source(environment, template)
        if template.endswith(".html"):
            environment.parse(source, template, filename)  # syntax errors name the true line
            styles, _, _ = super().get_source(environment, STYLES)
            layout, _, _ = super().get_source(environment, LAYOUT)
            source = _STYLE.sub(lambda match: filled(match[0], self._theme), source)
            kept = frozenset(_SELECTED.findall(layout))
            source = inlined(source, filled(styles, self._theme), kept)
        return source, filename, uptodate


def is_own_design(override: Path) -> bool:
    """Whether the operator's folder changes what stands around the papers of a digest."""
    own = [override / "mail/digest" / name for name in ("subject.txt", "body.html", "body.txt")]
    parts = override / "mail/_parts"
    return any(path.is_file() for path in (*own, *parts.glob("*.html"), *parts.glob("*.txt")))


def is_own_entry(override: Path) -> bool:
    """Whether the operator's folder changes how a paper of a digest is shown."""
    own = (override / "mail/digest/paper.html", override / "mail/digest/paper.txt")
    return any(path.is_file() for path in own)


def environment(override: Path | None = None, theme: Theme | None = None) -> Environment:
    """The environment over the operator's folder first, if there is one, then the built-in one."""
    folders: Sequence[Path] = [*([override] if override else []), folder("templates")]
    env = Environment(
        loader=InliningLoader([str(path) for path in folders], theme or Theme()),
        # a function, true for all but .txt
        autoescape=_is_markup,  # noqa: S701  # nosec B701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # what was checked before the first mail is what all mails are made by
        cache_size=-1,
    )
    env.filters["wrapped"] = wrapped_later
    return env


def inlined(source: str, styles: str, kept: frozenset[str]) -> str:
    """An HTML template with `styles` inline; its own <style> (dark, narrow) stays as it is.

    Of the classes only those in `kept` stay, to which the <style> refers.
    """
    tags: list[str] = []

    def hide(match: re.Match[str]) -> str:
        tags.append(match.group())
        number = len(tags) - 1
        inside_tag = source.rfind("<", 0, match.start()) > source.rfind(">", 0, match.start())
        return f"jinja{number}j" if inside_tag or match.group()[1] == "{" else _comment(number)

    hidden = _JINJA.sub(hide, source)
    inliner = css_inline.CSSInliner(
        load_remote_stylesheets=False,
        keep_style_tags=True,
        inline_style_tags=False,
        minify_css=True,
        extra_css=styles,
    )
    if "<html" in source.lower():
        done = inliner.inline(hidden)
    else:
        done = inliner.inline_fragment(hidden, "")
    done = _CLASS.sub(lambda m: m[0] if m[1] in kept else "", _INDENT.sub("\n", done))
    return _HIDDEN.sub(lambda match: tags[int(match[1] or match[2])], done)


def _is_markup(name: str | None) -> bool:
    """All but .txt: `select_autoescape` would leave names such as `body.html.j2` unescaped."""
    return name is None or not name.endswith(".txt")


def _comment(number: int) -> str:
    return f"<!--jinja{number}-->"
