"""Suggest: phrases of the store that are related to one, for whoever looks for an interest."""

from sqlmodel import Session

from digest.domain.interests import LONGEST
from digest.errors import InvalidInput
from digest.ranking.suggest import PhraseBook, Related
from digest.store.database import patient
from digest.store.papers import latest_texts

MOST_PAPERS = 10_000
DEFAULT_LIMIT = 12


def suggest(session: Session, phrase: str, limit: int = DEFAULT_LIMIT) -> Related:
    """At most `limit` phrases related to one in the latest 10,000 papers, 0 for all.

    Raises InvalidInput for a phrase without a telling word, or of more than 64 characters.
    """
    if len(phrase) > LONGEST:
        raise InvalidInput(f"the phrase has {len(phrase)} characters: give at most {LONGEST}")
    return phrase_book(session).related(phrase, limit)


def phrase_book(session: Session) -> PhraseBook:
    """The latest papers, to be asked more than once: making it is the slow part."""
    patient(session.connection())
    return PhraseBook(latest_texts(session, MOST_PAPERS))
