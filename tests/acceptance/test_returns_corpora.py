"""Bounces of real mail systems: those of sisimai (labelled) and of Mailman's flufl.bounce."""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from digest.domain.bounces import BounceKind
from digest.mail.returns import ReturnKind, read


@dataclass(frozen=True)
class Labelled:
    name: str
    hard: bool
    reason: str
    recipients: int
    raw: bytes


@pytest.fixture(scope="module")
def labelled(shared: Path) -> list[Labelled]:
    folder = shared / "mail" / "sisimai"
    if not (folder / "labels.tsv").is_file():
        pytest.skip("the labelled bounces (mail/sisimai) are absent")
    rows = [line.split("\t") for line in (folder / "labels.tsv").read_text().splitlines()[1:]]
    return [
        Labelled(
            name=name,
            hard=kind == "hard",
            reason=reason,
            recipients=int(count or 1),
            raw=(folder / "bounces" / name).read_bytes(),
        )
        for name, kind, _, reason, count in rows
    ]


def _hard(raw: bytes) -> bool:
    returned = read(raw)
    dead = any(failure.kind is BounceKind.HARD for failure in returned.failures)
    return dead and returned.kind is ReturnKind.BOUNCE


def _share(found: list[bool]) -> float:
    return sum(found) / len(found)


def test_recipients_are_found(labelled: list[Labelled]) -> None:
    assert _share([bool(read(mail.raw).recipients) for mail in labelled]) >= 0.95
    exact = [len(read(mail.raw).recipients) == mail.recipients for mail in labelled]
    assert _share(exact) >= 0.95


def test_the_dead_are_called_dead(labelled: list[Labelled]) -> None:
    assert _share([_hard(mail.raw) for mail in labelled if mail.hard]) >= 0.97


def test_the_living_are_not_called_dead(labelled: list[Labelled]) -> None:
    assert _share([_hard(mail.raw) for mail in labelled if not mail.hard]) <= 0.03


def test_vacations_and_complaints_are_no_bounces(labelled: list[Labelled]) -> None:
    kinds = {mail.name: read(mail.raw).kind for mail in labelled if mail.reason == "vacation"}
    assert set(kinds.values()) <= {ReturnKind.AUTO_REPLY}
    feedback = [read(mail.raw).kind for mail in labelled if mail.reason == "feedback"]
    assert ReturnKind.BOUNCE not in feedback


def test_what_is_no_bounce_is_not_called_one(shared: Path) -> None:
    folder = shared / "mail" / "sisimai" / "not-bounces"
    kinds = {path.name: read(path.read_bytes()).kind for path in folder.iterdir()}

    assert ReturnKind.BOUNCE not in kinds.values(), kinds


def test_recipients_of_mailmans_collection_are_found(shared: Path) -> None:
    folder = shared / "mail" / "flufl_bounce" / "data"
    found = [bool(read(path.read_bytes()).recipients) for path in folder.glob("*.txt")]

    assert _share(found) >= 0.95


def test_a_mail_is_read_in_milliseconds(labelled: list[Labelled]) -> None:
    started = time.process_time()
    for mail in labelled:
        read(mail.raw)

    assert (time.process_time() - started) / len(labelled) < 0.010
