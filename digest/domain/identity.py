"""Identifiers, and when two listings are one paper (CONTRACT §3).

A preprint's own DOI is not kept as a DOI, so that it never contradicts the DOI of the journal that
printed the paper later: `10.48550/arXiv.X` is the arXiv id X, and a bioRxiv or medRxiv DOI is the
scheme `biorxiv` (value: the whole DOI without version).
"""

import re
from collections.abc import Iterable
from urllib.parse import unquote

from digest.domain.papers import Alias, Listing, Scheme
from digest.domain.text import normalised_title, surname

__all__ = (
    "abs_url", "aliases_from", "arxiv_id", "biorxiv_doi", "doi", "normalised_title",
    "openreview_id", "surname", "title_alias",
)  # fmt: skip

LONGEST = 300

_ARXIV_BEFORE = re.compile(
    r"^(?:oai:arxiv\.org:|arxiv:\s*"
    r"|(?:https?://)?(?:www\.|export\.|browse\.)?arxiv\.org/(?:abs|pdf|html|format|src|e-print|ps)/"
    r"|(?:https?://)?(?:www\.)?(?:alphaxiv\.org/abs|ar5iv\.org/abs|ar5iv\.labs\.arxiv\.org/html"
    r"|huggingface\.co/papers|hf\.co/papers)/"
    r"|(?:https?://)?(?:dx\.)?doi\.org/10\.48550/arxiv\.|(?:doi:\s*)?10\.48550/arxiv\.)",
    re.IGNORECASE,
)
_ARXIV_AFTER = r"(?:v[1-9]\d{0,2})?(?:\.pdf)?/?(?:[?#]\S*)?"
# four digits until December 2014, five since
_ARXIV_NEW = re.compile(
    r"((?:(?:0[7-9]|1[0-4])(?:0[1-9]|1[0-2])\.[0-9]{4})|"
    rf"(?:(?:1[5-9]|[2-9][0-9])(?:0[1-9]|1[0-2])\.[0-9]{{5}})){_ARXIV_AFTER}",
    re.IGNORECASE,
)
_ARXIV_OLD = re.compile(
    rf"([a-z][a-z-]{{1,15}})(?:\.[a-z-]{{2,8}})?/([0-9]{{2}}(?:0[1-9]|1[0-2])[0-9]{{3}}){_ARXIV_AFTER}",
    re.IGNORECASE,
)
_DOI_BEFORE = re.compile(
    r"^(?:https?://(?:(?:dx|www)\.)?doi\.org/|(?:dx\.)?doi\.org/|info:doi/|doi:\s*)", re.IGNORECASE
)
_DOI = re.compile(r"10\.\d{4,9}(?:\.\d+)*/[^\s<>\"\\^`{|}\x00-\x1f\x7f]+")
_BIORXIV = re.compile(r"(10\.(?:1101|64898)/(?:\d{4}\.\d\d\.\d\d\.\d{4,10}|\d{6}))(?:v\d{1,3})?")
_BIORXIV_URL = re.compile(
    r"https?://(?:www\.|connect\.)?(?:biorxiv|medrxiv)\.org/(?:content|cgi/content/short|lookup/doi)"
    r"/(?:early/[\d/]+/)?(10\.\d{4,5}/[\d.]+\d)(?:v\d+)?",
    re.IGNORECASE,
)
_OPENREVIEW = re.compile(
    r"https?://(?:www\.)?openreview\.net/(?:forum|pdf|attachment)\?(?:\S*&)?id=([\w-]{6,40})",
    re.IGNORECASE,
)


def arxiv_id(text: str) -> str | None:
    """The arXiv id without version, from an id, `arXiv:…`, `oai:arXiv.org:…`, an address or a DOI.

    Both schemes: `2203.01250v3` → `2203.01250`, `math.GT/0309136` → `math/0309136`.
    """
    rest = _ARXIV_BEFORE.sub("", text.strip()[:LONGEST], count=1)
    if found := _ARXIV_NEW.fullmatch(rest):
        return found[1]
    if found := _ARXIV_OLD.fullmatch(rest):
        return f"{found[1].lower()}/{found[2]}"
    return None


def doi(text: str) -> str | None:
    """The DOI in lower case, without `doi:` or its resolver's address; None where it is none."""
    given = text.strip()[:LONGEST]
    rest = _DOI_BEFORE.sub("", given, count=1)
    if rest != given and "%" in rest and given.lower().startswith("http"):
        rest = unquote(rest)
    rest = rest.strip().rstrip(".,;").lower()
    # names are of graphic characters (DOI Handbook §2.2.1): none that hides, turns or ends a line
    return rest if rest.isprintable() and _DOI.fullmatch(rest) else None


def biorxiv_doi(text: str) -> str | None:
    """The bioRxiv or medRxiv DOI without version, from a DOI or an address of their sites."""
    if found := _BIORXIV_URL.match(text.strip()[:LONGEST]):
        text = found[1]
    if (name := doi(text)) and (found := _BIORXIV.fullmatch(name)):
        return found[1]
    return None


def openreview_id(text: str) -> str | None:
    """The forum id in an OpenReview address."""
    found = _OPENREVIEW.match(text.strip()[:LONGEST])
    return found[1] if found else None


def aliases_from(texts: Iterable[str | None]) -> tuple[Alias, ...]:
    """The identifiers in these ids and addresses, each once; arXiv first, then in their order."""
    found = [alias for text in texts if text and (alias := _alias(text))]
    found.sort(key=lambda alias: alias.scheme is not Scheme.ARXIV)
    return tuple(dict.fromkeys(found))


def title_alias(listing: Listing) -> tuple[str, str]:
    """The normalised title and the first author's surname, empty where none is named."""
    return normalised_title(listing.title), surname(listing.authors[0]) if listing.authors else ""


def abs_url(aliases: Iterable[Alias]) -> str | None:
    """The page of the abstract: arXiv's, else OpenReview's, else where the DOI leads, else None."""
    known = {alias.scheme: alias.value for alias in reversed(tuple(aliases))}
    if value := known.get(Scheme.ARXIV):
        return f"https://arxiv.org/abs/{value}"
    if value := known.get(Scheme.OPENREVIEW):
        return f"https://openreview.net/forum?id={value}"
    value = known.get(Scheme.BIORXIV) or known.get(Scheme.DOI)
    return f"https://doi.org/{value}" if value else None


def _alias(text: str) -> Alias | None:
    for scheme, parse in (
        (Scheme.ARXIV, arxiv_id),
        (Scheme.BIORXIV, biorxiv_doi),
        (Scheme.OPENREVIEW, openreview_id),
        (Scheme.DOI, doi),
    ):
        if value := parse(text):
            return Alias(scheme=scheme, value=value)
    return None
