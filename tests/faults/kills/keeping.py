"""The operator's commands, which mail nobody: killed and given again, they leave the store as if
nothing had happened.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Engine

from digest.mail.tokens import Purpose, Tokens
from digest.store.database import transaction
from digest.store.merge import merge_batch
from tests.builders import NOON, a_batch, a_listing
from tests.faults.kills.places import Place, Stock
from tests.faults.kills.points import MIGRATION
from tests.faults.kills.program import KILLED, Program
from tests.faults.kills.sweep import Death, Figures
from tests.faults.kills.ways import KEYS, LATE, READERS, town
from tests.mail.returned import an_opt_out

OLDEST = 3
PAPERS = 1_000 + OLDEST  # so many more than are kept in any case
OTHER = {"DIGEST_STORE__URL": "sqlite:///other.sqlite3"}
CONFIG = """
[bounces]
maildir = "returned"
[retention]
least_papers = 1000
"""
PEOPLE = "email,interests,status\nnew@example.org,waiting,active\nada@example.com,waiting;queues,\n"
NEVER = "email,reason\nspam@example.org,complaint\nwrong@example.org,request\n"


@dataclass(frozen=True, kw_only=True)
class Order:
    """One command. One that `looks_first` is given again only where it has not been carried out:
    done twice it would rightly do so twice.
    """

    arguments: tuple[str, ...]
    settings: dict[str, str] = field(default_factory=dict)
    looks_first: bool = False


def _of(*arguments: str) -> Order:
    return Order(arguments=arguments)


ORDERS = (
    _of("subscribers", "add", "late@example.com", "-i", "waiting"),
    _of("subscribers", "edit", READERS[0], "--hour", "9"),
    _of("subscribers", "import", "people.csv"),
    _of("subscribers", "erase", READERS[3]),
    _of("suppressions", "add", "stop@example.com"),
    _of("suppressions", "import", "never.csv"),
    _of("suppressions", "remove", "stop@example.com"),
    _of("compose", "--now", LATE),
    _of("feedback", "add", READERS[0], "1", "more"),
    _of("feedback", "reset", READERS[0]),
    _of("bounces", "read", "--now", LATE),
    _of("db", "settle", "--until", "2026-03-13T00:00Z"),
    _of("deliveries", "retry", "--state", "held"),
    Order(arguments=("invitations", "add", "--note", "friends"), looks_first=True),
    _of("invitations", "revoke", "1"),
    _of("export", "store.zip"),
    Order(arguments=("db", "upgrade"), settings=OTHER),
    Order(arguments=("import", "store.zip"), settings=OTHER),
    _of("prune", "--now", "2028-01-01T00:00Z", "--vacuum"),
)


def household(folder: Path, engine: Engine) -> None:
    """The town, more papers than are kept, and files that the commands read."""
    town(*READERS)(folder, engine)
    with (folder / "config.toml").open("a") as config:
        config.write(CONFIG)
    (folder / "people.csv").write_text(PEOPLE)
    (folder / "never.csv").write_text(NEVER)
    for name in ("new", "cur", "tmp"):
        (folder / "returned" / name).mkdir(parents=True)
    token = Tokens([KEYS.secret]).sign(Purpose.UNSUBSCRIBE, "2", NOON)
    (folder / "returned" / "new" / "1.wish").write_bytes(an_opt_out(token))
    papers = [a_listing(f"Waiting for {n}", arxiv=f"2603.{n:05d}") for n in range(PAPERS)]
    for listed, at in ((papers[:OLDEST], NOON - timedelta(days=1)), (papers[OLDEST:], NOON)):
        with transaction(engine) as session:
            merge_batch(session, a_batch(*listed, fetched_at=at), at)


Content = dict[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class Step:
    """How the store stood before and after an order, and which points it reached how often."""

    stock: Stock
    before: Content
    after: Content
    points: Counter[str]


@dataclass(kw_only=True)
class Keeping:
    """The orders on one store."""

    stock: Stock
    program: Program
    steps: list[Step] = field(default_factory=list)
    figures: Figures = field(default_factory=Figures)

    def trace(self) -> None:
        """Carry all orders out undisturbed."""
        with self.stock.copy() as place:
            trace = place.folder.with_suffix(".trace")
            for order in ORDERS:
                stock, before = place.kept(), _content(place)
                trace.write_text("")
                code = self._give(place, order, {"DIGEST_FAULT_TRACE": str(trace)})
                assert code == 0, f"{order}: {code} {_said(place)}"
                points = Counter(trace.read_text().splitlines())
                after = _content(place)
                self.steps.append(Step(stock=stock, before=before, after=after, points=points))

    def deaths(self) -> list[Death]:
        """At each point of each order, the first time."""
        return [
            Death(command=number, point=point, nth=1)
            for number, step in enumerate(self.steps)
            for point in sorted(step.points)
            if not point.startswith(MIGRATION)
        ]

    def die(self, death: Death) -> None:
        """Die there, give the order again, and compare all rows."""
        order, step = ORDERS[death.command], self.steps[death.command]
        said = f"{order.arguments} {death}"
        with step.stock.copy() as place:
            assert self._give(place, order, death.settings) == KILLED, f"{said} {_said(place)}"
            left = _content(place)
            if sum(times for name, times in step.points.items() if name.endswith(".commit")) == 1:
                assert left in (step.before, step.after), (
                    f"{said}: {_differences(left, step.after)}"
                )
            if not (order.looks_first and left == step.after):
                code = self._give(place, order, {})
                assert code in (0, 1, 2, 3), f"{said}: {code} {_said(place)}"
            now = _content(place)
            assert now == step.after, f"{said}: {_differences(now, step.after)} {_said(place)}"
        self.figures.kills += 1
        self.figures.points.add(death.point)

    def _give(self, place: Place, order: Order, settings: dict[str, str]) -> int:
        own = place.settings | order.settings | settings
        return self.program.start(order.arguments, place.folder, own).wait()


def _content(place: Place) -> Content:
    """Of the store, and of the other one that the last orders make."""
    found = place.content()
    other = place.folder / "other.sqlite3"
    if other.exists():
        beside = Place(folder=place.folder, url=f"sqlite:///{other}", server="", name="")
        found |= {f"other {name}": rows for name, rows in beside.content().items()}
    return found


def _differences(one: Content, other: Content) -> Sequence[str]:
    names = sorted(one.keys() | other.keys())
    return [
        f"{n}: {one.get(n)} / {other.get(n)}"[:600] for n in names if one.get(n) != other.get(n)
    ]


def _said(place: Place) -> str:
    return (place.folder / "log").read_text(errors="replace")[-3000:]
