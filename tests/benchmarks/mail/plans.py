"""What a comparator is to send: the readers, words and papers of a ledger of ours, as JSON."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlmodel import Session

from digest.domain.digests import Pick, attention_words, reason_sentence
from digest.domain.papers import Paper, PaperId
from digest.store import ledger
from digest.store.database import open_engine, transaction
from digest.store.ledger import Claimed
from digest.store.papers import papers_by_id
from tests.benchmarks.mail.runs import LEASE, SELECTOR
from tests.benchmarks.mail.world import DOMAIN, DUE, SENDER, SITE

ABSTRACT = 4_000  # characters: enough to make mails of any length


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Of the comparators' mails: how many different ones, their mean size, the signing key."""

    mails: int
    size: float
    key: Path


def write_key(path: Path) -> Path:
    """A fresh RSA-2048 key, which its owner alone can read."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


def write_plan(path: Path, store: str, wanted: Wanted) -> Path:
    """The first mails of that ledger; its rows stay as they were."""
    engine = open_engine(store)
    with transaction(engine) as session:
        rows = ledger.claim(session, "plan", DUE, LEASE, wanted.mails)
        mails = [_mail(session, row) for row in rows]
        session.rollback()
    engine.dispose()
    plan = {
        "sender": SENDER,
        "domain": DOMAIN,
        "selector": SELECTOR,
        "key_file": str(wanted.key),
        "size": wanted.size,
        "mails": mails,
    }
    path.write_text(json.dumps(plan))
    return path


def _mail(session: Session, row: Claimed) -> dict[str, Any]:
    assert row.digest
    papers = papers_by_id(session, [pick.paper_id for pick in row.digest.picks])
    shown = [_paper(pick, papers) for pick in row.digest.picks]
    token = f"{row.message_id[8:48]}{row.subscriber.id}"
    return {
        "recipient": row.subscriber.email,
        "subject": shown[0]["title"][:70],
        "day": f"{row.digest.digest_on:%A %d %B %Y}",
        "date": row.queued_at.isoformat(),
        "message_id": row.message_id,
        "interests": [one.text for one in row.subscriber.interests],
        "unsubscribe": f"{SITE}/unsubscribe/{token}",
        "preferences": f"{SITE}/preferences/{token}",
        "papers": shown,
    }


def _paper(pick: Pick, papers: dict[PaperId, Paper]) -> dict[str, Any]:
    paper = papers[pick.paper_id]
    abstract = paper.abstract + " "
    return {
        "title": paper.title,
        "url": paper.url,
        "pdf": paper.links.pdf,
        "code": paper.links.code,
        "authors": ", ".join(paper.authors),
        "facts": " · ".join(paper.categories),
        "badge": attention_words(pick.reason),
        "reason": reason_sentence(pick.reason),
        "summary": (abstract * (ABSTRACT // len(abstract) + 1))[:ABSTRACT],
    }
