"""What a delivery holds, as JSON in the ledger: exact there and back, compact, open to later keys.

    {"picks": [{"p": 7, "s": 0.8, "r": 0.9, "t": 0.5, "w": "title", "i": "continual learning",
                "x": ["continual learning"], "u": 63, "g": 1}], "trending_only": true}

`p` paper, `s` score, `r` relevance, `t` trend; of the reason `w` where, `i` interest, `x` words,
`u` upvotes, `g` rising, `c` the parts (where, text) of an interest that joins several, `l` the
words of liked papers that brought it up, `d` those of disliked ones that brought it down. What is
absent has its default; unknown keys are passed over.
"""

import contextlib
import json
from datetime import date
from functools import lru_cache
from typing import Any

from digest.domain.digests import Digest, Part, Pick, Reason, Taste, Where
from digest.domain.papers import PaperId
from digest.errors import StoreError

EMPTY = "[]"

_OPENING, _BETWEEN = '{"picks":[{', "},{"
_ENDINGS = (("}]}", False), ('}],"trending_only":true}', True))
_PERSONAL = ("i", "x", "c", "l", "d")


def content_to_json(digest: Digest) -> str:
    """The digest as the ledger keeps it; its date stands in the row. A NaN raises ValueError."""
    picks = ",".join(map(_pick_to_json, digest.picks))
    ending = ',"trending_only":true' if digest.trending_only else ""
    return f'{{"picks":[{picks}]{ending}}}'


def content_from_json(text: str, digest_on: date) -> Digest:
    """The digest of a row; without picks where the row is of another kind, or skipped.

    Raises StoreError for what `content_to_json` cannot have written.
    """
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        if digest := _from_pieces(text, digest_on):
            return digest
    try:
        content = json.loads(text)
        picks, rest = (content, {}) if isinstance(content, list) else (content["picks"], content)
        return Digest(
            digest_on=digest_on,
            picks=tuple(_pick_from_json(pick) for pick in picks),
            trending_only=bool(rest.get("trending_only", False)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as exc:
        raise StoreError(f"a delivery's picks are unreadable ({exc}): restore a backup") from exc


def _from_pieces(text: str, digest_on: date) -> Digest | None:
    """The digest by the text of each pick, because many readers get the same; None, or an error,
    where it is not written as `content_to_json` does.

    Cut at a wrong place, as within a word that holds the mark, a piece is no JSON.
    """
    if not text.startswith(_OPENING):
        return None
    for ending, trending_only in _ENDINGS:
        if text.endswith(ending):
            pieces = text[len(_OPENING) : -len(ending)].split(_BETWEEN)
            picks = tuple(map(_pick_from_text, pieces))
            return Digest(digest_on=digest_on, picks=picks, trending_only=trending_only)
    return None


@lru_cache(maxsize=16_384)
def _pick_from_text(piece: str) -> Pick:
    return _pick_from_json(json.loads(f"{{{piece}}}"))


def paper_ids(text: str) -> tuple[PaperId, ...]:
    """The papers of a row alone, in order."""
    try:
        content = json.loads(text)
        picks = content if isinstance(content, list) else content["picks"]
        return tuple(PaperId(int(pick["p"])) for pick in picks)
    except (ValueError, KeyError, TypeError) as exc:
        raise StoreError(f"a delivery's picks are unreadable ({exc}): restore a backup") from exc


def without_person(text: str) -> str:
    """The same picks without what the subscriber wanted or liked, for an erased one."""
    try:
        content = json.loads(text)
        for pick in content if isinstance(content, list) else content["picks"]:
            for key in _PERSONAL:
                pick.pop(key, None)
    except (ValueError, KeyError, TypeError, AttributeError):
        return EMPTY  # unreadable, so nothing can be left in it with certainty
    return json.dumps(content, separators=(",", ":"))


# By the reason itself, which many readers share, with what it stood beside when it was last seen;
# the reason is held, so that its place in memory is no other's.
_TAILS: dict[int, tuple[Reason, float, float, str]] = {}
_MOST_TAILS = 16_384


def _pick_to_json(pick: Pick) -> str:
    """By hand: there are ten picks to a digest, and of each only the score is its own."""
    paper_id, score, relevance, trend, reason = pick
    known = _TAILS.get(id(reason))
    if known is None or known[0] is not reason or known[1] != relevance or known[2] != trend:
        tail = f',"r":{_number(relevance)},"t":{_number(trend)},{_reason_to_json(reason)}'
        if len(_TAILS) >= _MOST_TAILS:
            _TAILS.clear()
        known = _TAILS[id(reason)] = reason, relevance, trend, tail
    # as `_number` does, which takes a tenth of the time here
    said = repr(score) if type(score) is float and -1e300 < score < 1e300 else _number(score)
    return f'{{"p":{paper_id:d},"s":{said}{known[3]}'


def _number(value: float) -> str:
    """A number as JSON has it. Raises ValueError for one that is none."""
    if type(value) is float and -1e300 < value < 1e300:
        return float.__repr__(value)  # as `json` does
    return json.dumps(value, allow_nan=False)


@lru_cache(maxsize=16_384)
def _reason_to_json(reason: Reason) -> str:
    """A reason's keys, with the brace that ends the pick; the same for many readers."""
    taste = reason.taste
    optional = {
        "i": reason.interest,
        "x": list(reason.words) or None,
        "u": reason.upvotes,
        "g": 1 if reason.rising else None,
        "c": [[part.where.value, part.text] for part in reason.parts] or None,
        "l": list(taste.words) if taste and taste.raised else None,
        "d": list(taste.words) if taste and not taste.raised else None,
    }
    said = {"w": reason.where.value} | {k: v for k, v in optional.items() if v is not None}
    return json.dumps(said, separators=(",", ":"), allow_nan=False)[1:]


def _pick_from_json(item: dict[str, Any]) -> Pick:
    parts = item.get("c")
    return Pick(
        paper_id=PaperId(int(item["p"])),
        score=float(item["s"]),
        relevance=float(item["r"]),
        trend=float(item["t"]),
        reason=_reason(
            where=item["w"],
            interest=item.get("i"),
            words=tuple(item.get("x", ())),
            upvotes=item.get("u"),
            rising=bool(item.get("g", False)),
            parts=tuple((where, said) for where, said in parts) if parts else (),
            taste=_taste_from_json(item),
        ),
    )


# of many readers the same, and told from one another more quickly as one object
@lru_cache(maxsize=16_384)
def _reason(
    *,
    where: str,
    interest: str | None,
    words: tuple[str, ...],
    upvotes: int | None,
    rising: bool,
    parts: tuple[tuple[str, str], ...],
    taste: Taste | None,
) -> Reason:
    return Reason(
        where=Where(where),
        interest=interest,
        words=words,
        upvotes=upvotes,
        rising=rising,
        parts=tuple(Part(where=Where(w), text=t) for w, t in parts),
        taste=taste,
    )


def _taste_from_json(item: dict[str, Any]) -> Taste | None:
    for key, raised in (("l", True), ("d", False)):
        if key in item:
            return Taste(words=tuple(item[key]), raised=raised)
    return None
