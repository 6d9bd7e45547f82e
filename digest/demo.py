"""The demo: the whole pipeline on a bundled sample, with a store and a mail server of its own.

Nothing of the operator's settings is used, so that a demo can touch no real store and no relay.
"""

import email
import email.policy
import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from importlib import resources
from pathlib import Path

from digest.app import App
from digest.domain.digests import Digest
from digest.domain.papers import Attention, Batch, Paper, PaperId
from digest.domain.relay import Security
from digest.errors import StoreError
from digest.mail.sink import Received, Sink
from digest.services.collect import Collected, keep
from digest.services.compose import ComposedDigest, Who
from digest.services.deliver import Delivered
from digest.services.preview import write_files
from digest.services.rowfiles import Format
from digest.services.transfer import import_subscribers
from digest.settings import Loaded, Settings
from digest.settings.mailing import DeliverySettings, SenderSettings, SmtpSettings
from digest.settings.sections import SiteSettings, StoreSettings
from digest.sources.formats import parse_bytes
from digest.store import schema
from digest.store.database import reading
from digest.store.papers import papers_by_id
from digest.store.subscribers import everyone

STORE_NAME = "demo.sqlite3"
EARLIER = timedelta(hours=6)
SAMPLE = (
    ("daily.json", "hf-json", "huggingface"),
    ("feed.xml", "arxiv-rss", "arxiv"),
    ("page.txt", "page", "page"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reader:
    """One of the sample's people: the digest they got, its papers, and the files of their mail."""

    composed: ComposedDigest
    papers: dict[PaperId, Paper]
    subject: str
    files: tuple[Path, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Demo:
    """What the demo did."""

    collected: tuple[Collected, ...]
    delivered: Delivered
    readers: tuple[Reader, ...]
    received: int


def run(out: Path, clock: Callable[[], datetime]) -> Demo:
    """Run the pipeline and write every mail that arrived into `out` as .eml, .txt and .html.

    A store that an earlier demo left in `out` is replaced. Raises StoreError when `out` cannot be
    written.
    """
    _prepare(out)
    with Sink() as sink:
        app = App(Loaded(settings=_settings(sink), base=out.resolve(), config_file=None), clock)
        schema.upgrade(app.raw_engine)
        collected = tuple(_collect(app))
        people = _subscribe(app)
        composed: list[ComposedDigest] = []
        app.composer.compose(Who(only=people), clock(), each=composed.append)
        delivered = app.deliver()
        received = list(sink.received)
        readers = tuple(_reader(app, out, one, received) for one in composed)
        app.raw_engine.dispose()
    return Demo(collected=collected, delivered=delivered, readers=readers, received=len(received))


def _prepare(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        for ending in ("", "-wal", "-shm"):
            (out / f"{STORE_NAME}{ending}").unlink(missing_ok=True)
    except OSError as exc:
        raise StoreError(f"{out} cannot be written: {exc}") from exc


def _settings(sink: Sink) -> Settings:
    """Settings of the demo alone: `model_construct` reads no environment."""
    return Settings.model_construct(
        secret_keys=("the demo signs links that nobody keeps",),
        pepper="the demo forgets whom it knew",
        store=StoreSettings(url=f"sqlite:///{STORE_NAME}"),
        smtp=SmtpSettings(host=sink.host, port=sink.port, security=Security.NONE),
        sender=SenderSettings(
            address="digest@papers.example.org", imprint="A demo of Trending papers"
        ),
        site=SiteSettings(url="https://papers.example.org"),
        delivery=DeliverySettings(),
    )


def _collect(app: App) -> list[Collected]:
    """The sample's batches; the daily list is read twice, so that some papers are seen rising."""
    now = app.clock()
    batches = []
    for name, form, source in SAMPLE:
        batch = parse_bytes(form, _sample(name), source=source, now=now)
        batches.append(_on_these_days(batch, now))
    earlier = now - EARLIER
    first = keep(app.engine, _as_of(batches[0], earlier), earlier)
    return [first, *(keep(app.engine, batch, now) for batch in (*batches[1:], batches[0]))]


def _sample(name: str) -> bytes:
    return resources.files("digest").joinpath("sample", name).read_bytes()


def _on_these_days(batch: Batch, now: datetime) -> Batch:
    """The batch with its days moved so that the last of them is today."""
    days = [listing.listed_on for listing in batch.listings if listing.listed_on]
    if not days:
        return batch
    late = now.date() - max(days)

    def moved(day: date | None) -> date | None:
        return day + late if day else None

    listings = (
        replace(one, listed_on=moved(one.listed_on), published_on=moved(one.published_on))
        for one in batch.listings
    )
    return replace(batch, listings=tuple(listings))


def _as_of(batch: Batch, then: datetime) -> Batch:
    """The batch as it may have stood hours ago: every third paper had half its upvotes."""
    listings = tuple(
        replace(one, attention=_halved(one.attention)) if number % 3 == 0 else one
        for number, one in enumerate(batch.listings)
    )
    return replace(batch, listings=listings, fetched_at=then)


def _halved(attention: Attention) -> Attention:
    upvotes = attention.upvotes
    return attention if upvotes is None else replace(attention, upvotes=upvotes // 2)


def _subscribe(app: App) -> tuple[str, ...]:
    """Import the sample's people; their addresses, in the order of the file."""
    people = io.BytesIO(_sample("subscribers.csv"))
    import_subscribers(
        app.engine,
        people,
        Format.CSV,
        defaults=app.new_preferences,
        now=app.clock(),
        keys=app.keys,
    )
    with reading(app.engine) as session:
        return tuple(person.email for person in everyone(session))


def _reader(app: App, out: Path, one: ComposedDigest, received: list[Received]) -> Reader:
    """Find the mail among those that arrived, and write it as it came."""
    picks = one.content.picks if isinstance(one.content, Digest) else ()
    with reading(app.engine) as session:
        papers = papers_by_id(session, [pick.paper_id for pick in picks])
    mail = next((m for m in received if m.recipient == one.subscriber.email), None)
    if mail is None:
        return Reader(composed=one, papers=papers, subject="", files=())
    parsed = email.message_from_bytes(mail.content, policy=email.policy.default)
    files = {"eml": mail.content}
    for kind, subtype in (("txt", "plain"), ("html", "html")):
        part = parsed.get_body((subtype,))
        if part is not None:
            files[kind] = part.get_content().encode()
    return Reader(
        composed=one,
        papers=papers,
        subject=str(parsed["Subject"]),
        files=tuple(write_files(out, one.subscriber.email, files)),
    )
