"""Every page and state of a page that somebody can meet, and how they come to it."""

import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from digest.domain.subscribers import Status, SuppressionReason
from digest.mail.tokens import Purpose
from tests.browser.visiting import Stand

Where = Callable[[Stand], str]
Form = Mapping[str, str]

# Sends a form from one of our pages, as a button there does.
POSTING = """([path, fields]) => {
  const form = document.createElement('form');
  Object.assign(form, {method: 'post', action: path});
  for (const [name, value] of Object.entries(fields)) {
    const field = document.createElement('textarea');
    Object.assign(field, {name, value});
    form.append(field);
  }
  document.body.append(form);
  form.submit();
}"""


@dataclass(frozen=True, kw_only=True)
class Look:
    """A page at a path, or what follows on the form that is sent there; in which of the houses."""

    path: Where
    form: Form | None = None
    house: str = "open"

    def fetched(self, stand: Stand) -> bytes:
        """What is sent for it, whatever its status."""
        fields = None if self.form is None else urllib.parse.urlencode(self.form).encode()
        own = {"sec-fetch-site": "same-origin"}
        request = urllib.request.Request(stand.url + self.path(stand), fields, own)
        try:
            with urllib.request.urlopen(request) as reply:
                return reply.read()
        except urllib.error.HTTPError as exc:
            with exc:
                return exc.read()

    def opened(self, tab: Any, stand: Stand) -> None:
        """Bring a tab there."""
        path = self.path(stand)
        if self.form is None:
            tab.goto(stand.url + path, wait_until="networkidle")
            return
        tab.goto(stand.url + "/access")
        with tab.expect_navigation(wait_until="networkidle"):
            tab.evaluate(POSTING, [path, dict(self.form)])


def at(path: str, form: Form | None = None, house: str = "open") -> Look:
    """A page whose address holds no token."""
    return Look(path=lambda stand: path, form=form, house=house)


def held(
    kind: str,
    purpose: Purpose,
    whose: Callable[[Stand], object] = lambda stand: stand.active,
    rest: str = "",
    form: Form | None = None,
) -> Look:
    """A page behind a link of somebody's."""
    return Look(path=lambda stand: stand.link(kind, purpose, whose(stand), rest), form=form)


def settings(
    rest: str = "",
    form: Form | None = None,
    whose: Callable[[Stand], object] = lambda stand: stand.active,
) -> Look:
    """A page of somebody's settings."""
    return held("preferences", Purpose.PREFERENCES, whose, rest, form)


def vote(end: str, form: Form | None = None) -> Look:
    """A page about a paper."""
    return Look(
        path=lambda stand: stand.link(
            "feedback", Purpose.FEEDBACK, stand.active, f"/{stand.paper}/{end}"
        ),
        form=form,
    )


def suppressed(reason: SuppressionReason) -> Callable[[Stand], object]:
    return lambda stand: stand.somebody(status=Status.SUPPRESSED, reason=reason)


def old(stand: Stand) -> str:
    """A link that was right once."""
    past = stand.desk.clock() - timedelta(days=400)
    return f"/preferences/{stand.desk.tokens.sign(Purpose.PREFERENCES, str(stand.active), past)}"


def moving(stand: Stand) -> object:
    return f"{stand.active}:0123456789"


_ALL_WRONG = {
    "interests": "x" * 200,
    "email": "nobody" * 30,
    "timezone": "Mars/Olympus" * 5,
    "hour": "25",
    "frequency": "sometimes",
}
_ALL_WRONG_HERE = _ALL_WRONG | {
    "weekday": "someday",
    "max_papers": "0",
    "min_matches": "99",
    "threshold": "close",
    "empty_day": "?",
    "text_only": "?",
    "categories": "x" * 200,
}
_JOINS = {"email": "eve@lab.example", "interests": "continual learning"}
_LONG = "continual learning, " + "y" * 64
_PRESSED: Form = {"page": "1"}
_FULL = "/preview?interests=" + ",".join(f"keyword+number+{n}" for n in range(48)) + ",lichen"
_DAY = "/archive/2026-03-12"

PAGES: dict[str, Look] = {
    "home": at("/"),
    "home-filled": at("/?interests=lichen,+moss"),
    "home-empty-invited": at("/", house="invited"),
    "home-stale-invitation": at("/?invitation=nonsense", house="invited"),
    "home-early-domains": at("/", house="domains"),
    "preview": at("/preview?interests=continual+learning,+moss"),
    "preview-posted": at("/preview", _JOINS),
    "preview-many": at("/preview?interests=lichen"),
    "preview-nothing": at("/preview?interests=volcanoes"),
    "preview-full": at(_FULL),
    "too-much": at("/subscribe", {"interests": "x" * 20_000}),
    "preview-trending": at("/preview"),
    "preview-mistake": at("/preview?interests=%22never+closed"),
    "preview-empty": at("/preview?interests=moss", house="invited"),
    "preview-early": at("/preview?interests=moss", house="domains"),
    "subscribed": at("/subscribe", _JOINS),
    "subscribe-mistakes": at("/subscribe", _ALL_WRONG),
    "subscribe-domains": at("/subscribe", _JOINS, house="domains"),
    "subscribe-uninvited": at("/subscribe", _JOINS, house="invited"),
    "too-many": at("/access", {"email": "eve@lab.example"}, house="domains"),
    "nowhere": at("/nowhere"),
    "bad-link": at("/confirm/nonsense"),
    "old-link": Look(path=old),
    "confirm": held("confirm", Purpose.CONFIRM, lambda stand: f"{stand.pending}:x"),
    "confirm-many": held(
        "confirm",
        Purpose.CONFIRM,
        lambda stand: f"{stand.somebody(*_LONG.split(', '), status=Status.PENDING)}:x",
    ),
    "confirmed": held("confirm", Purpose.CONFIRM, lambda stand: f"{stand.active}:x"),
    "confirmed-now": held(
        "confirm",
        Purpose.CONFIRM,
        lambda stand: f"{stand.somebody(status=Status.PENDING)}:x",
        "",
        {},
    ),
    "used-up": held("confirm", Purpose.CONFIRM, lambda stand: f"{stand.left}:x"),
    "access": at("/access"),
    "access-mistake": at("/access", {"email": "nobody"}),
    "access-asked": at("/access", {"email": "ada@lab.example"}),
    "preferences": settings(),
    "preferences-full": settings(whose=lambda stand: stand.rich),
    "preferences-pending": settings(whose=lambda stand: stand.pending),
    "preferences-left": settings(whose=lambda stand: stand.left),
    "preferences-bounced": settings(whose=suppressed(SuppressionReason.BOUNCE)),
    "preferences-complained": settings(whose=suppressed(SuppressionReason.COMPLAINT)),
    "preferences-saved": settings(form={"hour": "7"}),
    "preferences-mistakes": settings(form=_ALL_WRONG_HERE),
    "preferences-tried": settings("/preview", {"interests": "lichen", "max_papers": "50"}),
    "preferences-tried-nothing": settings("/preview", {"interests": "volcanoes"}),
    "preferences-paused": settings(
        "/pause", {"until": "2026-04-01"}, lambda stand: stand.somebody()
    ),
    "preferences-pause-mistake": settings("/pause", {"until": "2019-01-01"}),
    "preferences-resumed": settings(
        "/resume", {}, lambda stand: stand.somebody(status=Status.PAUSED)
    ),
    "preferences-address-asked": settings(
        "/address", {"email": "other@lab.example"}, lambda stand: stand.somebody()
    ),
    "preferences-address-mistake": settings("/address", {"email": "nobody"}),
    "change-address": held("change-address", Purpose.CHANGE_ADDRESS, moving),
    "change-address-over": held("change-address", Purpose.CHANGE_ADDRESS, moving, form={}),
    "erase": settings("/erase"),
    "erased": settings("/erase", {}, lambda stand: stand.somebody()),
    "gone": settings(whose=lambda stand: 999_999),
    "unsubscribe": held("unsubscribe", Purpose.UNSUBSCRIBE),
    "unsubscribed": held(
        "unsubscribe", Purpose.UNSUBSCRIBE, lambda stand: stand.somebody(), form=_PRESSED
    ),
    "unsubscribed-suppressed": held(
        "unsubscribe", Purpose.UNSUBSCRIBE, suppressed(SuppressionReason.BOUNCE)
    ),
    "unsubscribed-told": held(
        "unsubscribe",
        Purpose.UNSUBSCRIBE,
        lambda stand: stand.left,
        "/reason",
        {"reason": "Too many mails", "words": "far too many"},
    ),
    "unsubscribed-mistake": held(
        "unsubscribe",
        Purpose.UNSUBSCRIBE,
        lambda stand: stand.left,
        "/reason",
        {"words": "x" * 400},
    ),
    "undo": held("undo", Purpose.UNDO, lambda stand: stand.left),
    "undone": held(
        "undo", Purpose.UNDO, lambda stand: stand.somebody(status=Status.UNSUBSCRIBED), form={}
    ),
    "undo-refused": held("undo", Purpose.UNDO, suppressed(SuppressionReason.COMPLAINT), form={}),
    "feedback": vote("more"),
    "feedback-less": vote("less"),
    "feedback-given": vote("less", {}),
    "feedback-undone": vote("undo", {}),
    "feedback-gone": Look(
        path=lambda stand: stand.link("feedback", Purpose.FEEDBACK, stand.active, "/999999/more")
    ),
    "digests": held("digests", Purpose.READING),
    "digests-none": held("digests", Purpose.READING, lambda stand: stand.pending),
    "digest-text": held("digests", Purpose.READING, lambda stand: stand.plain, "/2026-03-12"),
    "digest-none": held("digests", Purpose.READING, rest="/2026-03-01"),
    "archive": at("/archive"),
    "archive-empty": at("/archive", house="invited"),
    "archive-day": at(_DAY),
    "archive-day-two": at(f"{_DAY}?page=2"),
    "archive-quiet-day": at("/archive/2026-03-07"),
    "archive-day-to-come": at("/archive/2031-01-01"),
    "archive-search": at("/archive?q=moss"),
    "archive-search-nothing": at("/archive?q=" + "volcanoes+" * 12),
    "archive-search-mistake": at("/archive?q="),
    "paper": Look(path=lambda stand: f"/papers/{stand.paper}"),
    "paper-rich": Look(path=lambda stand: f"/papers/{stand.paper + 8}"),
    "paper-rtl": Look(path=lambda stand: f"/papers/{stand.paper + 26}"),
    "paper-none": at("/papers/999999"),
}
