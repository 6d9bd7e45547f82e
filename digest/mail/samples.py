"""Sample views of every kind of mail, by which templates are checked before the first mail."""

from datetime import UTC, date, datetime

from digest.mail.entries import LinkView, PaperView
from digest.mail.excerpts import Segment
from digest.mail.fragments import RANK, VOTING
from digest.mail.views import (
    AccessView,
    AlarmView,
    AlertView,
    ChangeAddressView,
    ConfirmView,
    DigestView,
    Frame,
    Identity,
    MailView,
    Manage,
    WelcomeView,
)


def _bare_frame() -> Frame:
    return Frame(identity=Identity(), recipient="reader@example.com")


def _full_frame() -> Frame:
    manage = Manage(
        preferences_url="https://example.com/preferences/t",
        unsubscribe_url="https://example.com/unsubscribe/t",
        unsubscribe_mailto="mailto:news@example.com?subject=unsubscribe",
    )
    identity = Identity(
        address="news@example.com",
        imprint="Example, 1 Main Street",
        reply_to="answers@example.com",
        contact="owner@example.com",
        tagline="Papers, once a day",
    )
    return Frame(
        identity=identity,
        recipient="reader@example.com",
        manage=manage,
        interests=("continual learning",),
        excluded=("survey",),
        schedule="every day at 08:00 (UTC)",
    )


def samples() -> tuple[MailView, ...]:
    """Every kind of mail with all that it can show, and with as little as it may."""
    return (*_within(_bare_frame()), *_within(_full_frame()))


def _papers() -> tuple[PaperView, PaperView]:
    """A paper with all that it can show, and one with a title alone."""
    told = (Segment(text="A "), Segment(text="sample", marked=True))
    full = PaperView(
        rank=RANK,
        title=told,
        url="https://example.com/1",
        authors="Ada Lovelace",
        facts="cs.LG",
        badge="63 upvotes · rising",
        rising=True,
        reason=told,
        summary=told,
        links=(LinkView(label="PDF", url="https://example.com/1.pdf"),),
        has_feedback=True,
        more_url=f"{VOTING}1/more",
        less_url=f"{VOTING}1/less",
    )
    bare = PaperView(
        rank=RANK,
        title=told,
        url=None,
        authors="",
        facts="",
        badge="",
        rising=False,
        reason=(),
        summary=(),
        links=(),
    )
    return full, bare


def _within(frame: Frame) -> tuple[MailView, ...]:
    full, bare = _papers()
    day = f"{date(2026, 3, 12):%A %d %B %Y}"
    at = f"{datetime(2026, 3, 13, 8, tzinfo=UTC):%A %d %B at %H:%M}"
    return (
        DigestView(
            frame=frame,
            day=day,
            papers=(full, bare),
            considered=212,
            voting="https://example.com/v/",
            reading_url="https://example.com/digests/t/2026-03-12",
        ),
        DigestView(frame=frame, day=day, papers=(bare,), trending_only=True),
        ConfirmView(frame=frame, confirm_url="https://example.com/confirm/t", valid_days=7),
        ConfirmView(frame=frame, confirm_url=None),
        WelcomeView(frame=frame, first_at=at),
        AccessView(frame=frame),
        AccessView(frame=frame, paused=True),
        ChangeAddressView(frame=frame, change_url="https://example.com/c/t", valid_days=2),
        ChangeAddressView(frame=frame, change_url=None),
        *_alerts(frame, at),
    )


def _alerts(frame: Frame, at: str) -> tuple[MailView, ...]:
    full = AlarmView(text="the relay takes no mail", mend="run 'digest doctor'", since=at)
    bare = AlarmView(text="a source is dead")
    return (
        AlertView(frame=frame, begun=(full, bare), again=(full,), over=(full,), host="h", at=at),
        AlertView(frame=frame, over=(bare,), host="h", at=at),
    )
