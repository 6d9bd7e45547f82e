"""What a chunk of subscribers gets of an edition; one who is at fault stops none of the others."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime

from sqlmodel import Session

from digest.domain.digests import Digest, Skip
from digest.domain.feedback import Vote
from digest.domain.papers import PaperId
from digest.domain.subscribers import SubscriberId
from digest.ranking.personal import PersonalRanker, Votes
from digest.services.feedback import votes_of
from digest.services.plans import Plan
from digest.store.papers import surviving


def merged_away(session: Session, papers: Sequence[PaperId]) -> set[PaperId]:
    """Those of an edition's papers that were found to be others since it was made."""
    return {old for old, new in surviving(session, papers).items() if old != new}


def read_votes(
    session: Session, ids: Sequence[SubscriberId]
) -> tuple[Votes, dict[SubscriberId, str]]:
    """The votes of those who gave any, and, of those whose votes cannot be read, the fault."""
    try:
        return votes_of(session, ids), {}
    except (ValueError, TypeError, LookupError):  # a row by another hand: whose, is seen one by one
        found: dict[SubscriberId, Sequence[Vote]] = {}
        faults: dict[SubscriberId, str] = {}
        for number in ids:
            try:
                found |= votes_of(session, [number])
            except (ValueError, TypeError, LookupError) as exc:
                faults[number] = f"unreadable feedback, which `digest feedback reset` ends: {exc}"
        return found, faults


def digests_of(
    plans: Sequence[Plan],
    ranker: PersonalRanker,
    sent: Mapping[SubscriberId, AbstractSet[PaperId]],
    votes: Votes,
    now: datetime,
) -> tuple[dict[SubscriberId, Digest | Skip], dict[SubscriberId, str]]:
    """What those planned for get, and, of those for whom it could not be told, the fault."""
    days = {plan.subscriber.id: plan.digest_on for plan in plans if plan.digest_on}
    people = [plan.subscriber for plan in plans if plan.digest_on]
    try:
        contents = ranker.digests_for(people, sent, days, votes, now)
        return dict(zip(days, contents, strict=True)), {}
    except Exception:  # one subscriber must stop no other: one by one it shows who it is
        found: dict[SubscriberId, Digest | Skip] = {}
        faults: dict[SubscriberId, str] = {}
        for one in people:
            try:
                given = votes.get(one.id, ())
                found[one.id] = ranker.digest_for(one, sent[one.id], days[one.id], given, now)
            except Exception as exc:
                faults[one.id] = f"{type(exc).__name__}: {exc}"
        return found, faults
