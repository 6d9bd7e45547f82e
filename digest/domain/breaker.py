"""The circuit breaker: a relay that refuses everything must burn nothing.

A refusal for good is believed in proportion to the evidence that the relay works, and mail that it
takes is the evidence:

* It took mail in this run or within the last hour, and refused fewer than `DOUBT` in a row since:
  every refusal for good is final at once.
* It took none yet: a refusal is recorded as one to try again, and is made final at the run's end
  where the run proved the relay (`Breaker.proven`): it took mail, or all that was met was fewer
  than `DOUBT` dead recipients, so that one dead address alone in the queue ends as well. One about
  us waits for evidence, or for the ledger's give-up time.
* It refused `DOUBT` or more in a row, or has taken nothing since a pause: it is in doubt, for all
  processes, until it takes a mail. Nothing is final then.

So a relay that refuses everything from the start burns nothing, one that goes bad within a run at
most `DOUBT` - 1 deliveries, which nobody could tell from dead recipients.

The breaker opens, and everybody holds still until a pause in the store is over, where the relay
refuses us or drops us `BLAMED_MOST` times in a row, or where `REFUSED_MOST` recipients of several
domains are dead in a row, which no list is. After the pause one message goes ahead as a probe.
"""

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from digest.domain.bounce_words import ABOUT_US
from digest.domain.bounces import BounceKind, classify, status_of
from digest.domain.deliveries import Deferred, Failed, InDoubt, NotTried, Result, Sent
from digest.domain.limits import AHEAD_MOST

# Where one in five messages is refused by a content filter, five in a row come once in 3,000 by
# chance, and then cost a minute; a relay that is down costs five tries instead of thousands.
BLAMED_MOST = 5
# Where one in ten is dead, five in a row come once in 100,000, and are then tried once more.
DOUBT = 5
# Even where half of a list is dead, twenty in a row come once in a million. From one or two domains
# they may well come: a company that is gone, whose people subscribed together.
REFUSED_MOST = 20
REFUSED_DOMAINS = 5
PAUSE_FIRST = timedelta(minutes=1)
PAUSE_LOST = timedelta(seconds=15)  # to knock at a door that is closed annoys nobody
PAUSE_MOST = timedelta(minutes=30)
EVIDENCE_LASTS = timedelta(hours=1)
EVIDENCE_RENEWED = timedelta(minutes=10)
UNPROVED = "[to be confirmed: the relay has taken no other mail lately]"

_GREYLISTED = re.compile(r"\bgr[ae]y ?-?list")
# What says nothing but "later" is how receivers greylist who do not say so, such as rspamd and
# OpenBSD's spamd. Taken for a refusal of us it would open the breaker at every stranger, and no
# probe, which is another stranger, would ever close it.
_LATER = re.compile(
    r"(?:\W|\b(?:please|try|again|later|retry|come|back|in|a|few|minutes|temporar(?:y|ily)|failure"
    r"|problem|error|rejected|deferred|delivery|message|mail|gl|recipient|address)\b)*"
)
_NOT_WORDS = re.compile(r"<[^>]*>|\S+@\S+|\b\d\.\d{1,3}\.\d{1,3}\b")
# Basic codes that speak of the relay itself where no enhanced code says more (RFC 5321 §4.2.3).
_RELAYS_OWN = frozenset({421, 451, 452, 454})


class Answer(StrEnum):
    """What one try says about the relay.

    TAKEN: it works. RECIPIENT: it refused the recipient for good. US: it refused us, our content or
    everybody, for now or for good. LOST: it could not be reached, or dropped us. NOTHING: a
    recipient that may be tried later, greylisting, or a message that never got there.
    """

    TAKEN = "taken"
    RECIPIENT = "recipient"
    US = "us"
    LOST = "lost"
    NOTHING = "nothing"


def answer(result: Result) -> Answer:
    """What a try's result says about the relay."""
    match result:
        case Sent():
            return Answer.TAKEN
        case InDoubt() | NotTried():
            return Answer.LOST
        case Failed(code=0) | Deferred(code=0):
            return Answer.NOTHING
        case Failed():
            about_us = classify(result.code, result.reply, stage=result.stage) is BounceKind.POLICY
            return Answer.US if about_us else Answer.RECIPIENT
        case Deferred():
            return Answer.US if _defers_us(result.code, result.reply) else Answer.NOTHING


def _defers_us(code: int, reply: str) -> bool:
    """Whether a 4xx is about the relay or about us: x.3.z and x.7.z (RFC 3463 §3.4, §3.8), words of
    limits and reputation, or a bare code of the relay's own.
    """
    said = " ".join(reply.lower().split())
    if _GREYLISTED.search(said):  # is so to every stranger once, and passes by waiting
        return False
    status = status_of(said)
    if code == 421 or ABOUT_US.search(said):
        return True
    if code in (450, 451) and (not status or status[1] == 7) and _says_only_later(said):
        return False
    return status[1] in (3, 7) if status else code in _RELAYS_OWN


def _says_only_later(said: str) -> bool:
    words = _NOT_WORDS.sub(" ", said)
    return ("later" in words or "again" in words) and bool(_LATER.fullmatch(words))


@dataclass(frozen=True, kw_only=True, slots=True)
class RelayState:
    """What the store remembers of the relay, for all processes.

    `strikes` counts pauses in a row, `blamed` refusals of us and lost connections, `refused` dead
    recipients: all since mail was last taken, which was at `taken_at`.
    """

    paused_until: datetime | None = None
    strikes: int = 0
    blamed: int = 0
    refused: int = 0
    taken_at: datetime | None = None

    @property
    def clean(self) -> bool:
        """Whether nothing has been held against the relay since mail was last taken."""
        return not (self.strikes or self.blamed or self.refused)

    def pause(self, now: datetime) -> datetime | None:
        """Until when everybody holds still; None where nobody need. An end that lies further ahead
        than any pause is a clock's fault.
        """
        until = self.paused_until if self.strikes else None
        return until if until and now < until <= now + AHEAD_MOST else None

    def taken_lately(self, now: datetime) -> bool:
        """Whether mail was taken within the last hour, by any process."""
        return self.taken_at is not None and abs(now - self.taken_at) <= EVIDENCE_LASTS


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """What one process has heard: mail was taken, then so much was held against the relay, then the
    breaker opened; `lost` where it did so because the relay could not be reached or dropped us.
    """

    taken: bool = False
    blamed: int = 0
    refused: int = 0
    opened: bool = False
    lost: bool = False

    def __bool__(self) -> bool:
        return self.taken or self.opened or bool(self.blamed or self.refused)


def pause_length(strikes: int, jitter: float, *, lost: bool = False) -> timedelta:
    """The pause after so many before it: 1 min × 2ⁿ, at most 30 min; `jitter` in 0 to 1 shortens it
    by up to a quarter. For a relay that is `lost` it begins at 15 s: it may only be starting again.
    """
    doubled = (PAUSE_LOST if lost else PAUSE_FIRST) * int(2 ** min(max(strikes, 0), 16))
    return min(doubled, PAUSE_MOST) * (1 - 0.25 * jitter)


@dataclass(kw_only=True)
class Breaker:
    """One process's view of the relay while it sends; any number of its connections feed it.

    `strikes`, `blamed` and `refused` as in `RelayState`; `taken` where mail was, in this run or
    lately. `why` says what opened it, and is empty while it is closed. `probing` until the first
    mail of a probe is taken.
    """

    strikes: int = 0
    blamed: int = 0
    refused: int = 0
    taken: bool = False
    probing: bool = False
    why: str = ""
    _news: News = field(default_factory=News)
    _domains: set[str] = field(default_factory=set)
    _state: RelayState = field(default_factory=RelayState)

    @property
    def is_open(self) -> bool:
        """Whether no further message may begin."""
        return bool(self.why)

    @property
    def proven(self) -> bool:
        """Whether refusals that were recorded as ones to try again are final at the run's end."""
        return not self._in_doubt and (self.taken or not self.blamed)

    def learn(self, state: RelayState, now: datetime, *, probing: bool = False) -> None:
        """Take over what all processes know by now; at the start, and whenever it is read anew."""
        self._state = state
        self.strikes, self.blamed, self.refused = state.strikes, state.blamed, state.refused
        self.taken = self.taken or state.taken_lately(now)
        self.probing = probing

    def judged(self, result: Result, *, domain: str) -> Result:
        """Hear a try's result and say what to record: a refusal for good without enough evidence
        becomes one to try again. `domain` is the recipient's.
        """
        heard = answer(result)
        self._hear(heard, domain, result)
        if not isinstance(result, Failed) or heard is Answer.NOTHING:
            return result
        if self.taken and not self._in_doubt:
            return result
        reply = f"{result.reply} {UNPROVED}"
        return Deferred(code=result.code, reply=reply, stage=result.stage)

    def lost(self, detail: str) -> None:
        """Hear that a connection could not be made, before any message's turn."""
        self._hear(Answer.LOST, "", NotTried(detail=detail))

    def take_news(self, now: datetime) -> News:
        """What the store should hear of, once; that a good relay took mail is told every ten
        minutes only.
        """
        news, self._news = self._news, News()
        renewed = self._state.taken_at and abs(now - self._state.taken_at) < EVIDENCE_RENEWED
        if news == News(taken=True) and self._state.clean and renewed:
            return News()
        return news

    def told(self, state: RelayState) -> None:
        """The store has heard the news, and is in this state."""
        self._state = state

    def _hear(self, heard: Answer, domain: str, result: Result) -> None:
        match heard:
            case Answer.TAKEN:
                self.strikes = self.blamed = self.refused = 0
                self.taken, self.probing, self.why = True, False, ""
                self._domains.clear()
                self._news = News(taken=True)
            case Answer.RECIPIENT:
                self.refused += 1
                self._domains.add(domain)
                self._remember(refused=1)
            case Answer.US | Answer.LOST:
                self.blamed += 1
                self._remember(blamed=1)
        if not self.why and (why := self._reason(heard)):
            self.why = f"{why}; the last said: {_words(result)}"
            self._remember(opened=True, lost=heard is Answer.LOST)

    def _remember(
        self, *, blamed: int = 0, refused: int = 0, opened: bool = False, lost: bool = False
    ) -> None:
        old = self._news
        self._news = News(
            taken=old.taken,
            blamed=old.blamed + blamed,
            refused=old.refused + refused,
            opened=old.opened or opened,
            lost=lost if opened else old.lost,
        )

    def _reason(self, heard: Answer) -> str:
        """Why to open now, empty where there is no reason."""
        if heard in (Answer.TAKEN, Answer.NOTHING):
            return ""
        if self.probing:
            return "the relay still takes no mail"
        if self.blamed >= BLAMED_MOST:
            return f"the relay refused or dropped us {self.blamed} times in a row"
        if self.refused >= REFUSED_MOST and len(self._domains) >= REFUSED_DOMAINS:
            return (
                f"the relay called {self.refused} recipients in a row dead, of "
                f"{len(self._domains)} domains or more: that is more likely its own fault"
            )
        return ""

    @property
    def _in_doubt(self) -> bool:
        return self.is_open or self.strikes > 0 or self.blamed + self.refused >= DOUBT


def _words(result: Result) -> str:
    if isinstance(result, InDoubt | NotTried):
        return result.detail
    return f"{result.code} {result.reply}".strip()
