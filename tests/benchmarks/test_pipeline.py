"""What each step of the pipeline costs, in CPU-seconds of this process: `make bench`.

Figures, not judgments: nothing here fails because a machine is slow. The comparator beside the mail
figure is what most people would write: `EmailMessage` from the standard library.
"""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage

import pytest
from sqlalchemy import Engine

from digest.domain.deliveries import MailKind
from digest.domain.digests import Digest
from digest.domain.interests import interest
from digest.domain.schedule import local_date
from digest.domain.subscribers import Preferences, Status
from digest.mail.links import Site
from digest.mail.render import Renderer
from digest.mail.tokens import Tokens
from digest.mail.views import Identity
from digest.services.collect import keep
from digest.services.compose import ComposedDigest, Composer, Policy, Who
from digest.services.mailroom import Mailroom, Order, papers_of
from digest.store.database import open_engine, reading, transaction
from digest.store.subscribers import NewSubscriber, add_many
from tests.builders import NOON, a_batch, a_listing

PAPERS = 1_000
SUBSCRIBERS = 2_000
INTERESTS = 400
MAILS = 200
VOCABULARY = 6_000


@dataclass(frozen=True)
class Language:
    """Invented words whose frequencies fall as in any language (Zipf), from a fixed seed."""

    words: tuple[str, ...]
    weights: tuple[float, ...]
    dice: random.Random

    @classmethod
    def invented(cls) -> "Language":
        dice = random.Random(1)
        parts = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"]
        words = ("".join(dice.choices(parts, k=dice.choice((2, 3, 3, 4)))) for _ in iter(int, 1))
        distinct: dict[str, None] = {}
        while len(distinct) < VOCABULARY:
            distinct[next(words)] = None
        weights = tuple(1 / (rank + 10) for rank in range(VOCABULARY))
        return cls(tuple(distinct), weights, dice)

    def text(self, length: int) -> str:
        return " ".join(self.dice.choices(self.words, self.weights, k=length))

    def phrase(self) -> str:
        """Two neighbouring words as people would ask for: neither the commonest nor the rarest."""
        return " ".join(self.dice.choices(self.words[20:600], k=2))


@contextmanager
def measured(what: str, count: int, unit: str) -> Iterator[None]:
    began, cpu = time.perf_counter(), time.process_time()
    yield
    spent = time.process_time() - cpu
    wall = time.perf_counter() - began
    rate = count / max(spent, 1e-9)
    print(f"\n{what:46} {spent:7.2f} CPU-s {wall:7.2f} s {rate:9,.0f} {unit} per CPU-s")


@pytest.fixture
def store(sqlite_url: str) -> Iterator[Engine]:
    engine = open_engine(sqlite_url)
    yield engine
    engine.dispose()


def _fill(engine: Engine) -> None:
    language = Language.invented()
    phrases = [language.phrase() for _ in range(INTERESTS)]
    listings = [
        a_listing(
            f"{language.text(8).title()} {number}",
            arxiv=f"2603.{number:05d}",
            abstract=". ".join(
                f"{language.text(14).capitalize()} {language.dice.choice(phrases)}"
                for _ in range(10)
            ),
        )
        for number in range(PAPERS)
    ]
    people = [
        NewSubscriber(
            email=f"reader{number}@example.com",
            status=Status.ACTIVE,
            interests=tuple(interest(p) for p in language.dice.sample(phrases, k=5)),
            preferences=Preferences(),
            next_digest_at=NOON,
        )
        for number in range(SUBSCRIBERS)
    ]
    with measured(f"merge {PAPERS:,} new papers", PAPERS, "papers"):
        keep(engine, a_batch(*listings), NOON)
    with measured("merge them again", PAPERS, "papers"):
        keep(engine, a_batch(*listings), NOON + timedelta(hours=1))
    with transaction(engine) as session:
        add_many(session, people, NOON)


def _mailroom() -> Mailroom:
    return Mailroom(
        renderer=Renderer(),
        tokens=Tokens(["k" * 32]),
        site=Site(url="https://papers.example"),
        identity=Identity(address="digest@papers.example"),
    )


def _as_most_would(content: bytes, order: Order) -> int:
    message = EmailMessage()
    message["From"], message["To"] = "digest@papers.example", order.subscriber.email
    message["Subject"] = "Papers"
    half = len(content) // 3
    message.set_content(content[:half].decode("utf-8", "replace"))
    message.add_alternative(content[half:].decode("utf-8", "replace"), subtype="html")
    return len(message.as_bytes())


@pytest.mark.bench
def test_cost_of_each_step(store: Engine) -> None:
    _fill(store)
    policy = Policy(lookback_days=7, threshold=0.25, domain="papers.example", secret="s" * 32)
    composer = Composer(store, policy)
    composed: list[ComposedDigest] = []
    now = NOON + timedelta(hours=2)
    with measured(f"compose for {SUBSCRIBERS:,} × {PAPERS:,} papers", SUBSCRIBERS, "digests"):
        done = composer.compose(Who(), now, each=composed.append)
    assert done.composed == SUBSCRIBERS

    mailroom, orders = _mailroom(), []
    for one in composed[:MAILS]:
        assert isinstance(one.content, Digest)
        day = local_date(one.subscriber.preferences.schedule, now)
        orders.append(
            Order(
                kind=MailKind.DIGEST,
                subscriber=one.subscriber,
                message_id=composer.message_id(one.subscriber.id, day),
                queued_at=now,
                digest=one.content,
            )
        )
    with reading(store) as session:
        papers = [papers_of(session, order) for order in orders]
    with measured(f"render and assemble {MAILS} mails", MAILS, "mails"):
        mails = [mailroom.mail(o, p) for o, p in zip(orders, papers, strict=True)]
    with measured("  the same bytes through EmailMessage alone", MAILS, "mails"):
        sizes = [_as_most_would(m.content, o) for m, o in zip(mails, orders, strict=True)]
    print(f"\nmean size {sum(len(m.content) for m in mails) / MAILS / 1024:.1f} KB")
    assert min(sizes) > 0
