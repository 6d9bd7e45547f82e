"""Lists of interests as people type them into one field: a line each, or with commas between."""

import re

from digest.domain.interests import MOST, Interest, InterestError, distinct, interest
from digest.errors import InvalidInput

# what stands in quotes is one item, whatever is in it; a quote that never ends, or not before what
# is too long for any interest, is a letter: else thousands of them take a second
_ITEM = re.compile(r'(?:"(?:\\.|[^"\\]){0,1000}"|“[^”]{0,1000}”|[^,;，；、])+')


def parse_interests(text: str) -> tuple[Interest, ...]:
    """The interests of a text, one a line or separated by commas or semicolons, each in the
    interest language; without repeats.

    Raises InvalidInput that names the line for one that cannot be read, and for more than 50.
    """
    items = [
        (number, item.strip())
        for number, line in enumerate(text.splitlines(), 1)
        for item in _ITEM.findall(line)
        if item.strip()
    ]
    if len(items) > MOST:
        raise InvalidInput(f"{len(items)} interests: at most {MOST}")
    return distinct(tuple(_read(number, item) for number, item in items))


def _read(number: int, item: str) -> Interest:
    try:
        return interest(item)
    except InterestError as exc:
        raise InvalidInput(f"line {number}: {exc}") from exc
