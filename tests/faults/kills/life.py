"""The daemon with its pages, and somebody who signs up, reads, asks, and leaves, however often the
daemon dies meanwhile.
"""

import quopri
import re
import signal
import socket
import time
import urllib.error
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine

from digest.domain.schedule import Schedule
from digest.domain.subscribers import Channel, Preferences, SubscriberId
from digest.services.subscribe import pause, subscribe
from digest.store.database import transaction
from tests.builders import NOON, some_interests
from tests.faults.kills.places import Place, Stock
from tests.faults.kills.program import KILLED, Nursery, Running
from tests.faults.kills.relay import Taker
from tests.faults.kills.sweep import Death, Figures
from tests.faults.kills.ways import KEYS, town
from tests.faults.waiting import until

ADA = "ada@lab.example"
PAUSING = "grace@example.net"
BACK = "kurt@example.com"
MAILS = {
    (BACK, "digest"): 1,
    (ADA, "confirm"): 1,
    (ADA, "welcome"): 1,
    (ADA, "digest"): 1,
    (PAUSING, "access"): 1,
}
SETTINGS = {"DIGEST_DAEMON__TICK_S": "1", "DIGEST_SMTP__SECURITY": "none"}
SITE = "https://papers.example"
PATIENCE_S = 60.0


def quiet(folder: Path, engine: Engine) -> None:
    """The town with two readers who are pausing: one for good, and one until long ago."""
    town(PAUSING)(folder, engine)
    schedule = Schedule(timezone=noon_somewhere(), hour=0)
    with transaction(engine) as session:
        pause(session, SubscriberId(1), channel=Channel.CLI, now=NOON)
        back = subscribe(
            session,
            BACK,
            interests=some_interests("waiting"),
            preferences=Preferences(schedule=schedule),
            confirmed=True,
            channel=Channel.CLI,
            now=NOON,
            keys=KEYS,
        )
        soon = NOON.date() + timedelta(days=2)
        pause(session, back.id, channel=Channel.CLI, now=NOON, until=soon)


def noon_somewhere() -> str:
    """A zone where it is about noon: no midnight will come while this runs."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}"


@dataclass(kw_only=True)
class Visitor:
    """Does one thing after the other, each as often as it takes until it is answered."""

    port: int
    relay: Taker

    def story(self) -> Iterator[Callable[[], bool]]:
        """What is done in turn; each step says whether it is over."""
        form = {"email": ADA, "interests": "waiting", "hour": "0", "timezone": noon_somewhere()}
        yield lambda: self._posts("/subscribe", form)
        yield lambda: self._opens("confirm", "confirm")
        yield lambda: bool(self._mail("welcome") and self._mail("digest"))
        yield lambda: self._posts("/access", {"email": PAUSING})
        yield lambda: bool(self._mail("access"))
        yield lambda: self._opens("digest", "feedback")
        yield lambda: self._opens("digest", "unsubscribe")
        yield lambda: self._opens("digest", "preferences", "/erase")

    def _posts(self, path: str, form: dict[str, str]) -> bool:
        url = f"http://127.0.0.1:{self.port}{path}"
        data = urllib.parse.urlencode(form).encode()
        try:
            with urllib.request.urlopen(url, data, timeout=5) as answer:
                return bool(answer.status == 200)
        except urllib.error.HTTPError as exc:
            exc.close()
            assert exc.code in (410, 503), f"{path}: {exc.code}"
            return exc.code == 410  # who was erased the first time, and got no answer
        except OSError:  # nobody is there, or not to the end
            time.sleep(0.02)
        return False

    def _opens(self, kind: str, page: str, below: str = "") -> bool:
        """Presses the button behind the first link to that page in the mail of that kind."""
        if not (mail := self._mail(kind)):
            return False
        found = re.search(rf"{SITE}(/{page}/[^\s\"'<>]+)", mail)
        assert found, f"no link to {page}: {mail[:2000]}"
        return self._posts(found[1] + below, {"List-Unsubscribe": "One-Click"})

    def _mail(self, kind: str) -> str:
        """The words of a mail; empty where none has come."""
        for one in list(self.relay.taken):
            if one.recipient != BACK and one.message_id.startswith(f"<{kind}."):
                return quopri.decodestring(one.content).decode()
        time.sleep(0.02)
        return ""


@dataclass(kw_only=True)
class Life:
    """That story on one store."""

    stock: Stock
    program: Nursery
    relay: Taker
    points: Counter[str] = field(default_factory=Counter)
    figures: Figures = field(default_factory=Figures)

    def trace(self) -> None:
        """Live undisturbed; which points are reached how often."""
        with self._place() as place:
            trace = place.folder.with_suffix(".trace")
            doubt = self._live(place, {"DIGEST_FAULT_TRACE": str(trace)})
            self.points = Counter(trace.read_text().splitlines())
            assert doubt is None
            self._judge(place, set(), "undisturbed")

    def deaths(self) -> list[Death]:
        """At each point the first time."""
        return [Death(command=0, point=point, nth=1) for point in sorted(self.points)]

    def die(self, death: Death) -> None:
        """Die there in the middle of that life, be started again, and live on."""
        with self._place() as place:
            doubt = self._live(place, death.settings)
            if doubt is None:  # as after another order of the threads
                self.figures.missed += 1
                return
            self._judge(place, doubt, str(death))
        self.figures.kills += 1
        self.figures.points.add(death.point)

    def _live(self, place: Place, fault: dict[str, str]) -> set[str] | None:
        """Until the story is over; what was in doubt at the death, None where none came."""
        port = _free_port()
        own = place.settings | SETTINGS | {"DIGEST_WEB__PORT": str(port)}
        own["DIGEST_SMTP__PORT"] = str(self.relay.port)
        running = self.program.start(["run"], place.folder, own | fault)
        doubt, died_at = None, 0.0
        for step in Visitor(port=port, relay=self.relay).story():
            over = time.monotonic() + PATIENCE_S
            while not step():
                assert time.monotonic() < over, f"{fault}: {_said(place)}"
                if doubt is None and running.has_ended():
                    doubt, died_at = self._died(running, place), time.monotonic()
                    running = self.program.start(["run"], place.folder, own)
        if doubt is None and running.has_ended():
            doubt, died_at = self._died(running, place), time.monotonic()
            running = self.program.start(["run"], place.folder, own)
            until(lambda: _answers(port), "the daemon is back", look_s=0.02)
        if died_at:
            self.figures.slowest_s = max(self.figures.slowest_s, time.monotonic() - died_at)
        running.signal(signal.SIGTERM)
        code = running.wait()
        if code == KILLED and doubt is None:  # while it was ending
            doubt = self._in_doubt(place)
            place.leases_run_out()
        else:
            assert code == 0, f"{code}: {_said(place)}"
        return doubt

    def _died(self, running: Running, place: Place) -> set[str]:
        assert running.wait() == KILLED, _said(place)
        doubt = self._in_doubt(place)
        place.leases_run_out()
        return doubt

    def _in_doubt(self, place: Place) -> set[str]:
        self.relay.is_left()
        sent = {row.message_id for row in place.ledger() if row.state == "sent"}
        taken = {one.message_id for one in self.relay.taken}
        assert sent <= taken, f"called sent, never taken: {sent - taken}"
        return taken - sent

    def _judge(self, place: Place, doubt: set[str], said: str) -> None:
        said = f"{said}\n{_said(place)}"
        taken = {(one.recipient, one.message_id) for one in self.relay.taken}
        kinds = Counter((who, one[1:].partition(".")[0]) for who, one in taken)
        assert kinds == MAILS, f"{kinds} {said}"
        again = Counter(one.message_id for one in self.relay.taken)
        again -= Counter(dict.fromkeys(again, 1))
        assert again.keys() <= doubt, f"{again} {doubt} {said}"
        assert set(again.values()) <= {1}, f"{again} {said}"
        unsent = doubt - again.keys()
        cancelled = {row.message_id for row in place.ledger() if row.state == "cancelled"}
        assert unsent <= cancelled, (
            f"in doubt, and neither sent again nor cancelled: {unsent} {said}"
        )
        self.figures.in_doubt += len(doubt)
        self.figures.duplicates += again.total()

    @contextmanager
    def _place(self) -> Iterator[Place]:
        self.relay.is_left()
        self.relay.taken.clear()
        with self.stock.copy() as place:
            yield place


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/access", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _said(place: Place) -> str:
    return (place.folder / "log").read_text(errors="replace")[-4000:]
