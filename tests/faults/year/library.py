"""Simulated works, and the sources that list them: late, half, twice, in new versions, broken.

A work bears its number in its title (`wk00042`), however that is spelled: by that the oracle knows
two papers as one, and shares nothing with the code that finds out.
"""

import json
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from digest.errors import SourceUnreachable
from digest.settings import SourceSettings
from digest.sources.http import Fetched
from tests.faults.year.clock import Process, World

TOPICS = ("zorvex lattices", "quillat flows", "brumic tensors", "fendrel graphs", "mirdaw logic")
NOISE = "ordinary matters"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LISTED_FOR = 2 * DAY
LINES_HOST = "https://mirror.example/papers.jsonl"
DAILY_HOST = "https://daily.example/api"
JOURNAL_HOST = "https://journal.example/toc.jsonl"


@dataclass(frozen=True)
class Face:
    """One listing of a work: in which source, from when on, and how it calls itself there."""

    source: str
    work: int
    from_at: datetime
    title: str
    abstract: str
    arxiv: str = ""
    doi: str = ""
    half: bool = False


@dataclass(frozen=True)
class Work:
    number: int
    topic: str


@dataclass
class Library:
    """All works that there will be, and who lists which of them at an instant."""

    rng: Random
    works: dict[int, Work] = field(default_factory=dict)
    faces: dict[str, list[Face]] = field(
        default_factory=lambda: {"daily": [], "mirror": [], "journal": []}
    )
    spoiled: dict[str, str] = field(default_factory=dict)
    seen_at: dict[int, datetime] = field(default_factory=dict)
    newest_at: dict[int, datetime] = field(default_factory=dict)
    perhaps_at: dict[int, datetime] = field(default_factory=dict)
    served: dict[int, float] = field(default_factory=dict)
    kept: dict[int, float] = field(default_factory=dict)
    apart: dict[int, int] = field(default_factory=dict)
    handed: dict[tuple[str, str], Sequence[Face]] = field(default_factory=dict)
    _names: dict[int, list[set[str]]] = field(default_factory=dict)

    def publish(self, day: datetime) -> None:
        """A UTC day's works: none, some, or a burst; at times the whole day comes late."""
        number = self.rng.choices((0, self.rng.randint(2, 4), 14), (2, 12, 1))[0]
        late = self.rng.choices((timedelta(0), 20 * HOUR), (8, 1))[0]
        for _ in range(number):
            self._publish(day + late + self.rng.random() * DAY)

    def listed(self, source: str, at: datetime) -> list[Face]:
        """What a source shows at an instant: the listings of the last days, some half-filled."""
        faces = self.faces[source]
        while faces and faces[0].from_at + LISTED_FOR < at:
            faces.pop(0)
        return [face for face in faces if face.from_at <= at]

    def _publish(self, at: datetime) -> None:
        rng, number = self.rng, len(self.works) + 1
        topic = rng.choice((*TOPICS, NOISE))
        self.works[number] = Work(number, topic)
        title = f"{topic.title()} and their uses, study wk{number:05d}"
        abstract = f"We study {topic}. What {topic} are good for is shown in {number} ways."
        width = 5 if at.year >= 2015 else 4
        arxiv = f"{at:%y%m}.{number % 10**width:0{width}d}"
        first = {"work": number, "arxiv": arxiv, "abstract": abstract}
        self._add(Face(source="daily", from_at=at, title=title, half=rng.random() < 0.2, **first))
        if rng.random() < 0.3:
            spelled = _spelled(rng, title)
            later = at + rng.random() * 9 * DAY
            self._add(Face(source="mirror", from_at=later, title=spelled, **first))
        if rng.random() < 0.25:
            revised = f"Revisited wk{number:05d}: {topic}, in another light"
            first["arxiv"] += "v2"
            later = at + rng.random() * 6 * DAY
            self._add(Face(source="mirror", from_at=later, title=revised, **first))
        if rng.random() < 0.25:
            spelled, doi = _spelled(rng, title), f"10.5555/jrnl.{number}"
            later = at + (1 + rng.random() * 8) * DAY
            self._add(Face("journal", number, later, spelled, abstract, doi=doi))

    def _add(self, face: Face) -> None:
        faces = self.faces[face.source]
        faces.append(face)
        faces.sort(key=lambda one: one.from_at)

    # What the oracle is told

    def asked(self, faces: Iterable[Face], steady: float) -> None:
        """These were handed out: from now on a digest may hold them."""
        for face in faces:
            self.served.setdefault(face.work, steady)

    def merged(self, faces: Iterable[Face], shown: datetime, steady: float) -> None:
        """These are in the store for certain, dated by the host's clock."""
        for face in faces:
            self.kept.setdefault(face.work, steady)
            self.seen_at.setdefault(face.work, shown)
            self._name(face, shown)

    def perhaps_merged(self, faces: Iterable[Face], shown: datetime) -> None:
        """These may be in the store: who merged them died, perhaps after the commit."""
        for face in faces:
            if face.work not in self.seen_at:
                self.perhaps_at.setdefault(face.work, shown)

    def first_seen(self, work: int) -> datetime:
        """The earliest instant by which a work that is in the store may be dated there."""
        return self.perhaps_at.get(work, self.seen_at[work])

    def papers_of(self, work: int) -> int:
        """For how many papers a work could be taken by who knew but what had been listed."""
        return self.apart.get(work, 1)

    def _name(self, face: Face, shown: datetime) -> None:
        title = "B" if face.title.startswith("Revisited") else "A"
        names = {title, face.arxiv.partition("v")[0], face.doi} - {""}
        parts = self._names.setdefault(face.work, [])
        same = [part for part in parts if part & names]
        if not same:  # it came in as a paper of its own, which is as new as that
            self.newest_at[face.work] = max(shown, self.newest_at.get(face.work, shown))
        self._names[face.work] = [part for part in parts if not part & names]
        self._names[face.work].append(names.union(*same))
        self.apart[face.work] = max(self.papers_of(face.work), len(self._names[face.work]))


def _spelled(rng: Random, title: str) -> str:
    """The same title as another would write it."""
    return rng.choice(
        (title.upper(), title.lower(), title.replace(",", " —"), f"  {title}.", title.title())
    )


def settings() -> tuple[SourceSettings, ...]:
    """The sources as an operator would configure them."""
    seldom = {"kind": "jsonl", "every_minutes": 1_500}  # they list what is new for two days
    return (
        SourceSettings(name="daily", kind="huggingface", url=DAILY_HOST, every_minutes=650),
        SourceSettings(name="mirror", url=LINES_HOST, **seldom),
        SourceSettings(name="journal", url=JOURNAL_HOST, **seldom),
    )


@dataclass
class Http:
    """The sources' servers, as one process asks them; `handed` is what each source gave last."""

    world: World
    library: Library
    process: Process

    def get(self, url: str, *, etag: str | None = None, **_named: object) -> Fetched:
        """One reply. Raises SourceUnreachable where the server is down."""
        source = url.removeprefix("https://").partition(".")[0]
        self.world.pause(self.world.rng.random() * 3)
        self.library.handed[self.process.name, source] = ()
        fault = self.library.spoiled.get(source, "")
        if fault == "down":
            raise SourceUnreachable(f"{url}: 503")
        if fault:
            return Fetched(body=fault.encode(), url=url)
        faces = self.library.listed(source, self.world.true)
        body = (_daily if source == "daily" else _lines)(faces, self.world.true)
        tag = f'"{zlib.crc32(body):08x}"'
        if etag == tag:
            return Fetched(body=b"", url=url, etag=tag, not_modified=True)
        self.library.handed[self.process.name, source] = faces
        self.library.asked(faces, self.world.steady)
        return Fetched(body=body, url=url, etag=tag)


def _lines(faces: Sequence[Face], _at: datetime) -> bytes:
    lines = []
    for face in faces:
        values = {"title": face.title, "abstract": face.abstract, "authors": ["Ada Lovelace"]}
        values |= {key: getattr(face, key) for key in ("arxiv", "doi") if getattr(face, key)}
        values["date"] = f"{face.from_at:%Y-%m-%d}"
        lines.append(json.dumps(values) + "\n")
    return "".join(lines).encode()


def _daily(faces: Sequence[Face], at: datetime) -> bytes:
    """A list of daily papers; half-filled entries get their abstract after some hours."""
    entries = []
    for face in faces:
        bare = face.half and at < face.from_at + 8 * HOUR
        age = int((at - face.from_at) / (8 * HOUR))
        paper = {
            "id": face.arxiv,
            "title": face.title,
            "summary": "" if bare else face.abstract,
            "authors": [] if bare else [{"name": "Ada Lovelace"}],
            "upvotes": min(age, 3) * (face.work % 5),
            "publishedAt": f"{face.from_at:%Y-%m-%dT%H:%M:%S.000Z}",
        }
        entries.append({"paper": paper, "title": face.title, "numComments": 0})
    return json.dumps(entries).encode()


BROKEN: tuple[str, ...] = (
    "down",
    "<html><body>We are down for maintenance.</body></html>",
    '[{"paper": {"id": "28',
    "[]",
)
