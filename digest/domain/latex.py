r"""LaTeX inside running text → Unicode.

Only spans that are LaTeX are touched: `$…$`, `\command` with its arguments, accents, and the braces
that LaTeX writers leave. pylatexenc reads those spans; given a whole abstract it would eat every
`%` and `&`. Words are never lost: an unknown macro leaves its name.
"""

import logging
import re
from functools import cache, lru_cache

from pylatexenc import latex2text
from pylatexenc.latexwalker import LatexWalkerError

_DISPLAY = re.compile(r"\$\$([^$]{1,600})\$\$|\\\(([^$]{1,600}?)\\\)|\\\[([^$]{1,600}?)\\\]")
_INLINE = re.compile(r"(?<!\\)\$([^$]{1,600}?)(?<!\\)\$")
_ARGUMENT = r"\{(?:[^{}]|\{(?:[^{}]|\{[^{}]{0,200}\}){0,200}\}){0,2000}\}"
_HREF = re.compile(rf"\\href\s?\{{([^{{}}]{{0,500}})\}}\s?({_ARGUMENT})")
_COMMAND = re.compile(rf"\\([A-Za-z]+)\*?((?:\s?\[[^\[\]]{{0,200}}\])?(?:{_ARGUMENT}){{0,3}})")
_ACCENT = re.compile(
    r"\\(['\"`^~=.])\s?(?:\{\s?(\\?[A-Za-z])\s?\}|(\\[ij]|[A-Za-z])(?![A-Za-z]*\{))"
)
_LETTER_ACCENT = re.compile(r"\\([cvHukdbrt])\{\s?(\\?[A-Za-z]{1,2})\s?\}")
_ESCAPED = re.compile(r"\\([%&_#$ {},;:!@/\d])")
_SUBSCRIPT = re.compile(r"([_^])\{([^{}]{0,80})\}")
_PERCENT = re.compile(r"(?<!\\)%")  # would begin a comment, the closing braces within
_BRACE = re.compile(r"\\[\\{}]|[{}]")
_OPTION = re.compile(r"(\\[A-Za-z]+\*?)(\s*)\[(?!(?:[^\[\]{}]|\{[^{}]*\})*\])")
_GROUP = re.compile(r"\{([\w' .-]{1,80})\}")
_DIGITS = re.compile(r"([_^])([+-]?\d+)(?![\w^])")
_FONT = re.compile(
    r"\\(?:bf|it|em|sc|tt|sl|rm|sf|bfseries|itshape|scshape|ttfamily|boldmath|unboldmath"
    r"|large|Large|small|footnotesize|tiny|normalsize|displaystyle|textstyle|left|right"
    r"|bigl?|bigr|Bigl?|Bigr|nolimits|limits|noindent|xspace|protect)(?![A-Za-z])[ \t]*"
)
_ALPHABET = re.compile(
    r"\\(?:math(?:cal|bf|rm|sf|tt|it|scr|frak|normal)|bm|boldsymbol|operatorname\*?)\s?"
)
_FUNCTION = re.compile(
    r"(?<=[\w)}])\s*\\(?=(?:log|ln|exp|sin|cos|tan|max|min|sup|inf|arg)(?![A-Za-z]))"
)
_TILDE = re.compile(r"(?<=[\w.])~(?=[\w\\(\[])")
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}")
_BARE = re.compile(
    r"(?<![\\A-Za-z])(?:math(?:cal|bf|rm|sf|it|bb|frak)|text(?:bf|it|tt|rm|sc)|emph)(?=\{)"
)
_MENDED_MOST = 4  # macros
# What pylatexenc raises of faults, and its own faults on arguments that are missing
_STUMBLES = (
    *(LatexWalkerError, RecursionError),
    *(IndexError, ValueError, TypeError, AttributeError, KeyError),
)
_MOST_MARKS = 3_000  # a real abstract has a hundred; each costs up to a millisecond
_SUPER = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_SUB = str.maketrans("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋")
_SHORTHANDS = {
    "eg": "e.g.", "ie": "i.e.", "etal": "et al.", "etc": "etc.", "cf": "cf.", "wrt": "w.r.t.",
    "vs": "vs.", "deg": "°", "TeX": "TeX", "LaTeX": "LaTeX",
}  # fmt: skip
_SILENT_NAMES = """cite citep citet citealp ref eqref label cref Cref vspace hspace quad qquad
    linebreak newline par and"""
_SILENT = frozenset(_SILENT_NAMES.split())
_CONTENT_NAMES = """url path nolinkurl footnote thanks underline uline textsc textsuperscript
    textsubscript mbox hbox makebox enquote ac acl gls"""
_CONTENT = frozenset(_CONTENT_NAMES.split())
_COLOUR = frozenset(("textcolor", "colorbox"))
_NOT_PROSE = frozenset(("input", "include", "includegraphics", "def", "newcommand", "begin", "end"))


def latex_to_unicode(text: str) -> str:
    r"""The text with its LaTeX as Unicode: `$n^2$` → n², `Andr\'e` → André, `>4\%` → >4%."""
    marks = text.count("$") + text.count("\\")
    if (marks or "{" in text) and marks <= _MOST_MARKS:
        text = _DISPLAY.sub(lambda m: _math(next(g for g in m.groups() if g is not None)), text)
        text = _INLINE.sub(_inline, text)
        text = _prose(text)
    return text


def _inline(match: re.Match[str]) -> str:
    """A `$…$` span as text, or as it stands where the dollars are money."""
    inner = match[1]
    following = match.string[match.end() : match.end() + 1]
    marked = any(mark in inner for mark in "\\^_{")
    if not marked:
        if inner[0].isspace() or inner[-1].isspace():
            return match[0]
        if following.isdigit() or len(_WORD.findall(inner)) > 1:
            return match[0]
    return _math(inner)


def _math(inner: str) -> str:
    source = _ALPHABET.sub("", _FONT.sub("", inner))
    source = _FUNCTION.sub(r" \\", source)
    source = _PERCENT.sub(r"\\%", _SUBSCRIPT.sub(r"\1{\2}", source))
    read = _read(f"${_closed(source)}$", source).replace("$", "")  # taken for an argument
    return _DIGITS.sub(_raised, " ".join(read.split()))


def _closed(source: str) -> str:
    r"""The span with each brace closed, and no `\name[` open, so that it can be read strictly."""
    opened = 0

    def kept(match: re.Match[str]) -> str:
        nonlocal opened
        opened += (match[0] == "{") - (match[0] == "}")
        if opened < 0:
            opened = 0
            return ""
        return match[0]

    return _OPTION.sub(r"\1{}\2[", _BRACE.sub(kept, source) + "}" * opened)


def _raised(match: re.Match[str]) -> str:
    return match[2].translate(_SUPER if match[1] == "^" else _SUB)


def _prose(text: str) -> str:
    latex = "\\" in text
    if latex:
        text = _ACCENT.sub(lambda m: _read(f"\\{m[1]}{{{m[2] or m[3]}}}", m[2] or m[3]), text)
        text = _LETTER_ACCENT.sub(lambda m: _read(m[0], m[2]), text)
        text = _HREF.sub(lambda m: m[2][1:-1], text)
        text = _FONT.sub("", _ALPHABET.sub("", text))
        text = _COMMAND.sub(_command, text)
        text = _TILDE.sub(" ", text)
        text = _ESCAPED.sub(r"\1", text)
    text = _SUBSCRIPT.sub(r"\1\2", _BARE.sub("", text))  # a page may have lost its backslashes
    return _GROUP.sub(r"\1", text)


def _command(match: re.Match[str]) -> str:
    r"""One `\name[…]{…}{…}` of running text; its arguments come back as LaTeX for the next pass."""
    name, arguments = match[1], re.findall(_ARGUMENT, match[2])
    inside = [a[1:-1] for a in arguments]
    if name in _SHORTHANDS:
        return _SHORTHANDS[name] + "".join(inside)
    if name in _SILENT:
        return " "
    if name in _COLOUR:
        return " ".join(inside[1:])
    if name in _CONTENT or (name.startswith("text") and inside):
        body = " ".join(inside)
        return f" ({body})" if name in ("footnote", "thanks") else body
    if name in _NOT_PROSE:
        return " ".join(inside)
    if name in _known_macros():
        return _read(match[0], " ".join(inside))
    before = match.string[match.start() - 1 : match.start()]
    if before and (before.isalnum() or before in ":\\/"):
        return match[0]  # a path such as C:\Users, no macro
    return " ".join([name, *(part for part in inside if part)])


@lru_cache(maxsize=4_096)
def _read(source: str, fallback: str) -> str:
    """What pylatexenc makes of one span; the fallback where it stumbles or finds nothing.

    Where it mends faults, each macro whose argument does not end doubles its time.
    """
    found = _converted(source, tolerant=False)
    if found is None and source.count("\\") <= _MENDED_MOST:
        found = _converted(source, tolerant=True)
    if found and "%s" not in source:
        found = found.replace("%s", "")  # which stands for arguments that are missing
    return found if found and found.strip() else fallback


def _converted(source: str, *, tolerant: bool) -> str | None:
    """None where there are faults in it that are not tolerated."""
    try:
        return str(_converter().latex_to_text(source, tolerant_parsing=tolerant))
    except _STUMBLES:
        return None


@cache
def _converter() -> latex2text.LatexNodes2Text:
    logging.getLogger("pylatexenc").setLevel(logging.CRITICAL)  # it warns of each faulty span
    return latex2text.LatexNodes2Text(math_mode="text", keep_comments=True)


@cache
def _known_macros() -> frozenset[str]:
    context = latex2text.get_default_latex_context_db()
    return frozenset(
        spec.macroname
        for category in context.category_list
        for spec in context.d[category]["macros"].values()
    )
