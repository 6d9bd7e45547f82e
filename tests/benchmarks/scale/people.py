"""A crowd of subscribers with wishes as people have them, drawn from the words of papers.

Each has five interests of some two thousand phrases, the common ones much more often than the rare
(Zipf); one in twenty has a phrase beside them that hardly anybody else has. One in ten excludes
something, one in ten follows an author, one in ten a category.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate

from digest.domain.interests import Interest, InterestKind, interest
from digest.domain.papers import Listing
from tests.benchmarks.scale.bulk import write

EACH = 5
SHARED = 2_000
AUTHORS = 400
ZONES = ("UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "America/Los_Angeles")
PLAIN = frozenset(
    (
        "a",
        "an",
        "the",
        "of",
        "for",
        "and",
        "to",
        "in",
        "on",
        "with",
        "via",
        "from",
        "by",
        "at",
        "as",
        "is",
    )
)

_PERSON = (
    "id", "email", "email_key", "status", "timezone", "hour", "frequency", "weekday", "max_papers",
    "empty_day", "min_matches", "text_only", "next_digest_at", "created_at", "updated_at",
)  # fmt: skip
_HELD = ("subscriber_id", "position", "interest_id", "text", "weight", "excluded")


@dataclass(frozen=True)
class Wishes:
    """What people of this field ask for, the commonest first, and titles to draw rare ones from."""

    phrases: tuple[str, ...]
    authors: tuple[str, ...]
    categories: tuple[str, ...]
    titles: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, listings: Sequence[Listing]) -> "Wishes":
        """From titles: their pairs and triples of telling words."""
        titles = tuple(tuple(_words(listing.title)) for listing in listings)
        counted = Counter(
            " ".join(words[at : at + size])
            for words in titles
            for size in (2, 3)
            for at in range(len(words) - size + 1)
            if words[at] not in PLAIN and words[at + size - 1] not in PLAIN
        )
        names = Counter(name for listing in listings for name in listing.authors[:3])
        fields = Counter(field for listing in listings for field in listing.categories)
        return cls(
            phrases=tuple(phrase for phrase, _ in counted.most_common(SHARED)),
            authors=tuple(name for name, _ in names.most_common(AUTHORS)),
            categories=tuple(field for field, _ in fields.most_common(10)),
            titles=tuple(words for words in titles if len(words) > 3),
        )

    def drawn(self, readers: int) -> Iterator[tuple[Interest, ...]]:
        """What each of so many readers wants."""
        dice = random.Random(7)
        shared = [interest(phrase) for phrase in self.phrases]
        chances = list(accumulate(1 / (rank + 10) for rank in range(len(shared))))
        barred = [interest(f"-{phrase}") for phrase in self.phrases[50:250]]
        authors = [interest(name, InterestKind.AUTHOR) for name in self.authors]
        fields = [interest(name, InterestKind.CATEGORY) for name in self.categories]
        for _ in range(readers):
            mine = dice.choices(shared, cum_weights=chances, k=EACH)
            if dice.random() < 0.05:
                mine.append(self._own(dice))
            for chance, more in ((0.1, barred), (0.1, authors), (0.1, fields)):
                if more and dice.random() < chance:
                    mine.append(dice.choice(more))
            yield tuple(dict.fromkeys(mine))

    def _own(self, dice: random.Random) -> Interest:
        """A wish of two words from one title and one from another: hardly any paper has it."""
        one, other = dice.choice(self.titles), dice.choice(self.titles)
        at = dice.randrange(len(one) - 1)
        return interest(f"{one[at]} {one[at + 1]} {dice.choice(other)}"[:60])


def add_people(url: str, wishes: Wishes, readers: int, due_at: datetime) -> None:
    """So many active subscribers, all of them due at `due_at`."""
    write(
        url, "subscribers", _PERSON, (_person(number, due_at) for number in range(1, readers + 1))
    )
    ids: dict[tuple[str, str], int] = {}
    write(url, "subscriber_interests", _HELD, _held(wishes, readers, ids))
    rows = ((number, kind, key) for (kind, key), number in ids.items())
    write(url, "interests", ("id", "kind", "key"), rows)


def _person(number: int, due_at: datetime) -> tuple[object, ...]:
    email = f"reader{number}@example{number % 40}.com"
    many = 20 if number % 10 == 0 else 10
    zone = ZONES[number % len(ZONES)]
    return (
        number, email, email, "active", zone, 6, "daily", 0, many, "trending", 1, False,
        due_at, due_at, due_at,
    )  # fmt: skip


def _held(
    wishes: Wishes, readers: int, ids: dict[tuple[str, str], int]
) -> Iterator[tuple[object, ...]]:
    """The rows of all; `ids` are given out as interests come up."""
    known: dict[Interest, int] = {}
    for owner, mine in enumerate(wishes.drawn(readers), start=1):
        for position, one in enumerate(mine):
            if one not in known:
                known[one] = ids.setdefault((one.kind.value, one.key), len(ids) + 1)
            weight = 2.0 if position == 0 and owner % 4 == 0 else one.weight
            yield owner, position, known[one], one.text, weight, one.excluded


def _words(title: str) -> list[str]:
    words = ("".join(c for c in word if c.isalnum() or c == "-") for word in title.lower().split())
    return [word.strip("-") for word in words if word.strip("-").replace("-", "").isalpha()]
