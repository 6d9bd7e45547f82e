"""Text in lines of 72 columns, for the text parts of mails."""

import re

COLUMNS = 72
_BETWEEN = re.compile(r"[ \t\n\v\f\r]+")


def wrapped(text: str, indent: int = 0, first: int | None = None) -> str:
    """Text in lines of 72 columns, each `indent` spaces in; the first `first`, where given.

    Long words, such as addresses, stay whole. `textwrap` takes ten times as long.
    """
    lines: list[str] = []
    line = " " * (indent if first is None else first)
    bare = True  # nothing but the indent stands in the line
    for word in filter(None, _BETWEEN.split(text)):
        if bare:
            line += word
        elif len(line) + len(word) < COLUMNS:
            line += " " + word
        else:
            lines.append(line)
            line = " " * indent + word
        bare = False
    return "" if bare else "\n".join([*lines, line])
