"""A subscriber's whole life, by every way that an address comes in: and everybody repeats it.

She signs up by the form, is imported, mailed and put off, bounces by mail and by webhook, votes,
changes her address, asks for a third one, signs up again and complains. The relay quotes whom it
was told to mail in whatever it answers, as relays do.
"""

import email
import email.policy
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from aiosmtpd.smtp import SMTP, Envelope
from aiosmtpd.smtp import Session as Peer

from digest.app import App
from digest.mail.sink import Sink
from digest.mail.tokens import Purpose
from digest.mail.verp import Verp
from digest.services.signup import take_in
from digest.settings import load
from digest.web.desk import desk_over
from tests.builders import NOON
from tests.commands import SECRETS, Desk
from tests.mail.returned import a_complaint, a_dsn
from tests.web.building import SITE, Browser, Clock

OLD = "Quixotic.Zebra77@former.example"
NEW = "Marmalade.Ocelot42@lab.example"
THIRD = "Pangolin.Thimble9@next.example"
EVERY = (OLD, NEW, THIRD)
WISH = "zyxomma dragonflies"
PAPERS = (
    {"title": "Dragonflies, Zyxomma and dusk", "abstract": "Flight.", "arxiv": "2603.00001"},
    {"title": "Dragonflies of the genus Zyxomma", "abstract": "Wings.", "arxiv": "2603.00002"},
)
HOOK = ("postmark", "a password of the hook alone")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Echo(Sink):
    """A relay that quotes the recipient in each answer, in capitals too."""

    def __init__(self) -> None:
        super().__init__()
        self.says = "250 2.0.0"
        self.during: Callable[[], None] = lambda: None

    async def handle_DATA(  # noqa: N802
        self, server: SMTP, session: Peer, envelope: Envelope
    ) -> str:
        whom = envelope.rcpt_tos[0]
        self.during()
        if self.says.startswith("250"):
            await super().handle_DATA(server, session, envelope)
        return f"{self.says} <{whom}>: said of {whom.upper()} alias {whom.replace('@', '%')}"


@dataclass
class Life:
    """What it takes: the command line, the pages and the relay over one store, and a clock."""

    desk: Desk
    relay: Echo
    clock: Clock = field(default_factory=lambda: Clock(NOON))

    def __post_init__(self) -> None:
        self.app = App(load(), self.clock)
        self.browser = Browser(desk_over(self.app))
        self.said: list[str] = []

    def run(self, *arguments: object, code: int = 0) -> str:
        """A command now; all that it says."""
        words = [str(one) for one in arguments]
        ended = self.desk.run(*words)
        assert ended.code == code, f"{words}: {ended.code}\n{ended.out}\n{ended.err}"
        self.said.append(ended.out + ended.err)
        return ended.out

    def now(self) -> tuple[str, str]:
        return "--now", self.clock().isoformat()

    def later(self, by: timedelta) -> None:
        self.clock.now += by

    def deliver(self, says: str = "250 2.0.0") -> None:
        """Send what is due, to a relay that answers so."""
        self.relay.says = says
        done = self.app.deliver(insist=True)
        assert bool(done.sent) is says.startswith("250"), done
        self.later(MINUTE)

    def link(self, page: str) -> str:
        """The path of the latest mail's link to that page."""
        content = self.relay.received[-1].content
        mail = email.message_from_bytes(content, policy=email.policy.default)
        text = mail.get_body(("plain",)).get_content()
        (found,) = set(re.findall(rf"{SITE}(/{page}/[\w.~=-]+)", text))
        return found

    def click(self, path: str, form: dict[str, object] | None = None, code: int = 200) -> None:
        """Press the button of a page."""
        reply = self.browser.post(path, form)
        assert reply.status_code == code, f"{path}: {reply.status_code} {reply.text}"

    def home(self) -> str:
        """The page of her settings."""
        return "/preferences/" + self.browser.token(Purpose.PREFERENCES, self.number)

    @property
    def number(self) -> int:
        """Her id; the only subscriber has it."""
        return int(self.desk.ok("subscribers", "list", "--json").json[0]["id"])

    def ledger(self) -> list[dict[str, str]]:
        """The mails in the ledger, the latest first."""
        rows: list[dict[str, str]] = self.desk.ok("deliveries", "list", "--json").json
        return rows

    def returned(self, raw: bytes) -> None:
        """Read a mail that came back, which is not kept."""
        path = self.desk.write("returned.eml", raw)
        self.run("bounces", "read", path, *self.now())
        path.unlink()
        self.later(MINUTE)

    def hook(self, event: dict[str, object]) -> None:
        """A report of the provider."""
        content = json.dumps(event)
        reply = self.browser.client.post("/webhooks/postmark", content=content, auth=HOOK)
        assert reply.status_code == 200, reply.text


def live(life: Life) -> None:
    """From the first form to the complaint."""
    _join(life)
    _be_mailed(life)
    _come_back(life)
    _move(life)
    _be_in_the_air(life)


def _join(life: Life) -> None:
    form = {"email": OLD, "interests": WISH, "timezone": "UTC", "hour": "7", "frequency": "daily"}
    life.click("/subscribe", form)
    life.click("/access", {"email": OLD.upper()})
    take_in(life.app.engine, life.app.keys, life.clock())
    life.deliver("451 4.7.1")
    life.later(HOUR)
    life.deliver()
    life.click(life.link("confirm"))
    life.deliver()
    rows = f"email,interests,status\n{OLD.lower()},{WISH};nocturnal insects,active\n"
    people = life.desk.write("people.csv", rows)
    life.run("subscribers", "import", people, *life.now())
    people.unlink()


def _be_mailed(life: Life) -> None:
    rows = "".join(json.dumps({"id": row["arxiv"]} | row) + "\n" for row in PAPERS)
    papers = life.desk.write("papers.jsonl", rows)
    life.run("fetch", "--file", papers, "--format", "jsonl", *life.now())
    life.run("compose", "--only", OLD, *life.now())
    life.deliver("452 4.2.2")
    life.later(HOUR)
    life.deliver()
    life.run("feedback", "add", OLD, "2603.00001", "more", *life.now())
    path = f"/feedback/{life.browser.token(Purpose.FEEDBACK, life.number)}"
    paper = life.desk.ok("papers", "list", "--json").json[-1]["id"]
    life.click(f"{path}/{paper}/less")


def _come_back(life: Life) -> None:
    mail = life.ledger()[0]
    sender = Verp("digest@papers.example", [SECRETS["DIGEST_SECRET_KEYS"]]).sender(int(mail["id"]))
    date = f"{life.clock():%a, %d %b %Y %H:%M:%S +0000}"
    life.returned(a_dsn(sender, OLD, "soft", message_id=mail["message_id"], date=date))
    event = {
        "RecordType": "Bounce",
        "ID": 4711,
        "Type": "SoftBounce",
        "TypeCode": 4096,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Details": f"smtp;452 4.2.2 {OLD} is over quota",
        "Email": OLD,
        "From": "papers@digest.example",
        "BouncedAt": f"{life.clock():%Y-%m-%dT%H:%M:%SZ}",
        "Metadata": {"message-id": mail["message_id"], "delivery": str(mail["id"])},
    }
    life.hook(event)


def _move(life: Life) -> None:
    life.click(life.home() + "/address", {"email": NEW})
    life.deliver("450 4.2.0")
    life.later(HOUR)
    life.deliver()
    life.click(life.link("change-address"))
    life.later(HOUR)
    life.click(life.home() + "/address", {"email": THIRD})
    life.deliver("421 4.3.2")


def _be_in_the_air(life: Life) -> None:
    """What waits when she is erased: a form, a mail; and a complaint that she is suppressed for."""
    life.later(30 * HOUR)
    life.run("compose", "--only", NEW, *life.now())
    life.deliver("554 5.7.1")
    life.click("/subscribe", {"email": NEW.upper(), "interests": WISH})
    sent = [row for row in life.ledger() if row["kind"] == "digest" and row["state"] == "sent"]
    life.returned(a_complaint(sent[0]["message_id"]))


@pytest.fixture
def life(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Life:
    """Over a SQLite store of its own, in the folder `store`."""
    with Echo() as relay:
        yield begun(desk, relay, monkeypatch, "sqlite:///store/digest.sqlite3")


def begun(desk: Desk, relay: Echo, monkeypatch: pytest.MonkeyPatch, url: str) -> Life:
    """A life over that store, which is made where there is none."""
    settings = {
        "STORE__URL": url,
        "SITE__URL": SITE,
        "RANKING__TIER": "core",
        "SMTP__HOST": relay.host,
        "SMTP__PORT": str(relay.port),
        "SMTP__SECURITY": "none",
        "WEBHOOKS__POSTMARK_USERNAME": HOOK[0],
        "WEBHOOKS__POSTMARK_PASSWORD": HOOK[1],
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"DIGEST_{name}", value)
    desk.ok("db", "upgrade")
    return Life(desk, relay)
