"""A town of readers with their digests, invented from a seed, and ledgers that hold them.

Digests are chosen once, by the real composer for `CHOSEN` readers; a ledger for more repeats the
interests and picks of these, so that five thousand rows take seconds.
"""

import shutil
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from itertools import count
from pathlib import Path

from digest.domain.deliveries import MailKind, State, message_id
from digest.domain.digests import Digest
from digest.domain.interests import interest
from digest.domain.papers import Attention, Links, Listing
from digest.domain.subscribers import Preferences, Status, SubscriberId
from digest.services.collect import keep
from digest.services.compose import ComposedDigest, Composer, Policy, Who
from digest.store import editions, outbox, schema
from digest.store.database import open_engine, reading, transaction
from digest.store.ledger_read import counts
from digest.store.sources import last_change
from digest.store.subscribers import NewSubscriber, add_many
from tests.benchmarks.test_pipeline import Language
from tests.builders import NOON, a_batch, a_listing
from tests.postgres import create_database

PAPERS = 1_000
PHRASES = 1_000
CHOSEN = 5_000
CHUNK = 1_000
PICKS = 10
DOMAIN = "papers.example"
SENDER = f"digest@{DOMAIN}"
SITE = f"https://{DOMAIN}"
SECRET = "k" * 32
PEPPER = "p" * 32
DUE = NOON + timedelta(hours=2)


@dataclass(frozen=True)
class World:
    """What is listed, who reads, and what was chosen for the first `CHOSEN` of them."""

    listings: tuple[Listing, ...]
    interests: tuple[tuple[str, ...], ...]
    digests: tuple[Digest, ...] = field(default=(), repr=False)

    def reader(self, number: int) -> NewSubscriber:
        phrases = self.interests[number % CHOSEN]
        return NewSubscriber(
            email=f"reader{number}@example{number % 40}.com",
            status=Status.ACTIVE,
            interests=tuple(interest(phrase) for phrase in phrases),
            preferences=Preferences(max_papers=PICKS),
            next_digest_at=NOON,
        )


def invented(folder: Path) -> World:
    """The world; its digests are composed over a store in `folder`."""
    language = Language.invented()
    phrases = list(dict.fromkeys(language.phrase() for _ in range(2 * PHRASES)))[:PHRASES]
    listings = tuple(_listing(language, phrases, number) for number in range(PAPERS))
    weights = [1 / (rank + 10) for rank in range(len(phrases))]
    interests = tuple(
        tuple(dict.fromkeys(language.dice.choices(phrases, weights, k=5))) for _ in range(CHOSEN)
    )
    world = World(listings, interests)
    engine = open_engine(f"sqlite:///{folder / 'chosen.sqlite'}")
    schema.upgrade(engine)
    keep(engine, a_batch(*listings), NOON)
    with transaction(engine) as session:
        add_many(session, [world.reader(n) for n in range(CHOSEN)], NOON)
    policy = Policy(lookback_days=7, threshold=0.25, domain=DOMAIN, secret=SECRET, beyond=1)
    composed: list[ComposedDigest] = []
    Composer(engine, policy).compose(Who(), DUE, each=composed.append)
    engine.dispose()
    found = {one.subscriber.email: one.content for one in composed}
    digests = [found[world.reader(number).email] for number in range(CHOSEN)]
    kept = [digest for digest in digests if isinstance(digest, Digest)]
    assert len(kept) == CHOSEN, "every reader of the invented town must get a digest"
    return World(listings, interests, tuple(kept))


def _listing(language: Language, phrases: list[str], number: int) -> Listing:
    dice = language.dice
    sentences = (
        f"{language.text(12).capitalize()} {dice.choice(phrases)} {language.text(6)}"
        for _ in range(9)
    )
    names = [language.text(2).title() for _ in range(dice.randint(1, 9))]
    arxiv = f"2603.{number:05d}"
    return a_listing(
        f"{language.text(7).title()}: {dice.choice(phrases)} {number}",
        arxiv=arxiv,
        abstract=". ".join(sentences) + ".",
        authors=tuple(dict.fromkeys(names)),
        categories=tuple(dice.sample(["cs.LG", "cs.CL", "cs.CV", "stat.ML", "cs.RO"], k=2)),
        attention=Attention(upvotes=dice.randint(0, 80)),
        links=Links(pdf=f"https://arxiv.org/pdf/{arxiv}", code=f"https://github.com/a/{number}"),
    )


def fill(url: str, world: World, readers: int) -> None:
    """Migrate an empty store, and queue a digest for every one of so many readers."""
    engine = open_engine(url)
    schema.upgrade(engine)
    keep(engine, a_batch(*world.listings), NOON)
    with transaction(engine) as session:
        edition = editions.edition_for(session, DUE, 7, last_change(session, DUE))
    for first in range(0, readers, CHUNK):
        numbers = range(first, min(first + CHUNK, readers))
        with transaction(engine) as session:
            people = add_many(session, [world.reader(n) for n in numbers], NOON)
            outcomes = [
                outbox.Outcome(
                    subscriber_id=person.id,
                    content=(digest := world.digests[number % CHOSEN]),
                    edition_id=edition.id,
                    message_id=_message_id(person.id, digest),
                )
                for number, person in zip(numbers, people, strict=True)
            ]
            outbox.write_outcomes(session, outcomes, DUE)
    engine.dispose()


def _message_id(subscriber_id: SubscriberId, digest: Digest) -> str:
    mark = digest.digest_on.isoformat()
    return message_id(MailKind.DIGEST, subscriber_id, mark, secret=SECRET, domain=DOMAIN)


def sent(url: str) -> int:
    """How many messages the ledger says were taken."""
    engine = open_engine(url)
    with reading(engine) as session:
        found = counts(session)[State.SENT]
    engine.dispose()
    return found


class Ledgers:
    """Ledgers of any size on either engine, each filled once and then copied."""

    def __init__(self, folder: Path) -> None:
        """`folder` is ours alone."""
        self._folder = folder
        self._numbers = count(1)
        self._filled: set[str] = set()

    @cached_property
    def world(self) -> World:
        return invented(self._folder)

    def sqlite(self, readers: int) -> str:
        """A ledger with so many queued digests, in a file of its own."""
        template = self._folder / f"filled-{readers}.sqlite"
        if not template.exists():
            fill(f"sqlite:///{template}", self.world, readers)
        path = self._folder / f"ledger-{next(self._numbers)}.sqlite"
        shutil.copy(template, path)
        return f"sqlite:///{path}"

    def postgres(self, server: str, readers: int) -> str:
        """The same in a database of its own on that server, a URL without a database's name."""
        template = f"filled_{readers}"
        if template not in self._filled:
            fill(create_database(server, template), self.world, readers)
            self._filled.add(template)
        return create_database(server, f"ledger_{next(self._numbers)}", template)
