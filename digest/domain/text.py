"""Text from outside → plain text; and the folded forms by which titles and authors are compared."""

import html
import re
import unicodedata
from urllib.parse import quote, urlsplit, urlunsplit

import nh3

from digest.domain.latex import latex_to_unicode

TITLE_MOST = 1_000
ABSTRACT_MOST = 20_000
URL_MOST = 2_048

_PRE_CUT = 3  # markup and entities may make a text this much longer than what is kept of it
_AMPERSANDS = re.compile(r"&(?:amp;)+", re.IGNORECASE)
_ESCAPES = re.compile("(?:\x1b|\x9b)(?:\\][^\x07\x1b]{0,200}(?:\x07|\x1b\\\\)|\\[?[0-9;:?]*[@-~])?")
_CDATA = re.compile(r"<!\[CDATA\[|\]\]>|<!--|-->|<!doctype[^<>]*>|<\?xml[^<>]*>", re.IGNORECASE)
_BLOCK = re.compile(
    r"(?=</?(?:br|p|div|li|ul|ol|tr|td|th|h[1-6]|table|section|article|jats:(?:p|title|sec))[\s/>])",
    re.IGNORECASE,
)
_OPEN = re.compile(r"<(?!/?[A-Za-z])")
_HEAD = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:-]{0,40})(?=[\s/>]|$)([^<>]{0,400})(>?)")
_ATTRIBUTE = re.compile(
    r"[\s/]+(?:[A-Za-z_:@][\w:.@-]*\s*=|(?:async|defer|disabled|checked|selected|hidden|nowrap)\b)"
)
_ACTIVE = re.compile(r"\b(?:on\w+|src|href|style|srcdoc|action|xlink:href)\s*=", re.IGNORECASE)
_QUOTED = re.compile(r"[\s/]\w[\w:-]*\s*=\s*[\"']")
# HTML, SVG and MathML names; what else stands in angle brackets, such as <think>, is text
_ELEMENT_NAMES = """
    a abbr acronym address animate annotation applet area article aside audio b base basefont
    bdi bdo bgsound big blink blockquote body br button canvas caption center circle cite code col
    colgroup command content data datalist dd defs del desc details dfn dialog dir div dl dt em
    embed fieldset figcaption figure font footer foreignobject form frame frameset g h1 h2 h3 h4 h5
    h6 head header hr html i iframe image img input ins isindex kbd keygen label layer legend li
    line link listing main map mark marquee math menu menuitem meta meter mi mn mo mrow msub msubsup
    msup mtext mfrac msqrt mover munder munderover mspace mstyle mtable mtd mtr mglyph malignmark
    multicol nav nextid nobr noembed noframes noscript object ol optgroup option output p param path
    picture plaintext polygon portal pre progress q rect rp rt ruby s samp script section select set
    shadow slot small source spacer span strike strong style sub summary sup svg table tbody td
    template textarea text tfoot th thead time title tr track tt tspan u ul use var video wbr xml
    xmp xss
"""
_ELEMENTS = frozenset(_ELEMENT_NAMES.split())
_WORDLIKE = frozenset(("set", "text", "use", "data", "content", "line", "path", "image", "title",
    "source", "output", "label", "time", "map", "main", "mark", "summary", "command", "table",
    "object", "code", "option", "select", "input", "form", "xml", "var", "g", "rect", "circle",
    "desc", "defs", "template", "button", "param", "track", "slot", "menu", "meter", "frame",
    "layer", "header", "footer", "section", "article", "address", "caption", "figure"))  # fmt: skip
_FOLDS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ħ": "h"}
)
_PARTICLE_WORDS = "van von der den de del della di da dos das du la le ten ter zu zur bin ibn al el"
_PARTICLES = frozenset(_PARTICLE_WORDS.split())
_SUFFIXES = frozenset(("jr", "sr", "ii", "iii", "iv", "phd", "md"))


def plain_text(raw: str, most: int = ABSTRACT_MOST) -> str:
    """The text without markup, LaTeX, entities or control characters, in NFC on one line.

    At most `most` characters are kept, cut at a word and ended by `…`; what lies far beyond is not
    even read. The result may hold `<`, as in `a < b` or `<think>`: escape it where it is shown.
    """
    text = raw[: _PRE_CUT * most + 1_000]
    for _ in range(6):  # doubly escaped markup shows only after a pass; then nothing changes
        before, text = text, _once(text)
        if text == before:
            break
    return _cut(text, most)


def plain_title(raw: str) -> str:
    """A title as plain text, at most 1,000 characters."""
    return plain_text(raw, TITLE_MOST)


def normalised_title(title: str) -> str:
    """The title as identity compares it: letters and digits of any script, folded, single spaces.

    A title without any (`???`) is itself, folded; only an empty one gives the empty string.
    """
    folded = _folded(title)
    words = "".join(c if c.isalnum() else " " for c in folded).split()
    return " ".join(words) or " ".join(folded.split())


def surname(author: str) -> str:
    """The last word of the family name, folded: `Aaron van den Oord` and `van den Oord, A.` → oord.

    Empty where the name has no letter.
    """
    name = re.sub(r"\([^()]*\)|\[[^\[\]]*\]", " ", author)
    family, comma, given = name.partition(",")
    words = _name_words(family) if comma and _name_words(family) else _name_words(name)
    if comma and words and words[-1] in _SUFFIXES:
        words = _name_words(family) or _name_words(given)
    kept = [w for w in words if w not in _SUFFIXES] or words
    named = [w for w in kept if w not in _PARTICLES] or kept
    return named[-1] if named else ""


def safe_url(raw: str | None) -> str | None:
    """The address if it is a plain http(s) one of at most 2,048 characters, else None.

    What could end an attribute, a header or a line is percent-encoded; an address with a user name
    or with white space, control or format characters inside is refused.
    """
    url = (raw or "").strip()
    if not url or len(url) > URL_MOST or any(_is_hidden(c) or c.isspace() for c in url):
        return None
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = f":{parts.port}" if parts.port else ""
    except (ValueError, UnicodeError):
        return None
    if parts.scheme.lower() not in ("http", "https") or not host or "@" in parts.netloc:
        return None
    if not re.fullmatch(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+", host):
        return None
    netloc = f"[{host}]{port}" if ":" in host else host + port
    safe = "/:;?@&=+$,-_.!~*()%#"
    path, query, fragment = (quote(p, safe=safe) for p in (parts.path, parts.query, parts.fragment))
    found = urlunsplit((parts.scheme.lower(), netloc, path, query, fragment))
    return found if len(found) <= URL_MOST else None


def _once(text: str) -> str:
    text = _visible(text)
    if "&" in text:
        text = _visible(html.unescape(_AMPERSANDS.sub("&", text)))
    if "<" in text:
        text = _without_markup(text)
    text = unicodedata.normalize("NFC", _visible(latex_to_unicode(text)))
    return " ".join(text.split())


def _visible(text: str) -> str:
    """Without terminal escapes, control, format, bidi, surrogate and private characters."""
    if text.isascii() and text.isprintable():
        return text
    text = _ESCAPES.sub(" ", text)
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or not _is_hidden(c) else " " if c in "\t\n\v\f\r\x85" else ""
        for c in text
    )


def _is_hidden(c: str) -> bool:
    return unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co") or ord(c) & 0xFFFE == 0xFFFE


def _without_markup(text: str) -> str:
    """Drop what HTML would take as markup, and keep every other `<`.

    nh3 takes `a<b and c>d` for an element and would lose its words: only heads of real elements
    reach it as `<`.
    """
    text = _CDATA.sub(" ", _without_comments(text))
    if "<" not in text:
        return text
    escaped = _OPEN.sub("&lt;", text.replace("&", "&amp;"))
    if "<" in escaped:
        escaped = re.sub(r"<(?=/?[A-Za-z])", _judged, escaped)
        escaped = nh3.clean(_BLOCK.sub(" ", escaped), tags=set())
    return html.unescape(escaped)


def _without_comments(text: str) -> str:
    """Without `<!-- … -->`; by hand, because a regular expression is quadratic in unclosed ones."""
    parts, at = [], 0
    while (start := text.find("<!--", at)) >= 0 and (end := text.find("-->", start + 4)) >= 0:
        parts.append(text[at:start])
        at = end + 3
    return " ".join((*parts, text[at:]))


def _judged(match: re.Match[str]) -> str:
    """A `<` before a letter: itself if it opens or closes an element, escaped if it is text."""
    head = _HEAD.match(match.string, match.start())
    return "<" if head and _is_element(head) else "&lt;"


def _is_element(head: re.Match[str]) -> bool:
    name, rest, closed = head[2].lower(), head[3], bool(head[4])
    bare = not rest.strip(" \t/")
    armed = bool(_ACTIVE.search(rest) or _QUOTED.search(rest))
    if name in _ELEMENTS:
        is_plain = len(name) > 2 and name not in _WORDLIKE  # `a<b and c>d` is no element b
        if closed:
            return armed or bare or is_plain or bool(head[1]) or bool(_ATTRIBUTE.match(rest))
        return armed or (bare and name not in _WORDLIKE)
    if ":" in name or name.startswith("jats"):
        return closed
    return armed and (closed or bool(_ACTIVE.search(rest)))


def _cut(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    kept = text[: most - 1]
    space = kept.rfind(" ", most - 80)
    return (kept[:space] if space > 0 else kept).rstrip() + "…"


def _folded(text: str) -> str:
    bare = unicodedata.normalize("NFKD", text).casefold()
    bare = unicodedata.normalize("NFKD", bare).translate(_FOLDS)
    return "".join(
        c for c in bare if not unicodedata.category(c).startswith(("M", "C")) or c == "\n"
    )


def _name_words(name: str) -> list[str]:
    apart = re.sub(r"[^\w]+", " ", _folded(re.sub(r"['’`-]", "", name)))
    return [word for word in apart.split() if not word.isdigit() and word not in ("et",)]
