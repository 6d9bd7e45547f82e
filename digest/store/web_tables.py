"""The tables behind the web pages: sign-ups that wait, invitations, changes of address, limits."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Column, Text
from sqlmodel import Field

from digest.store.base import NEVER_REUSED, Table, count, parent


class SignUpRow(Table, table=True):
    """A form that was sent in and not looked at yet. Taken in and answered alike whoever asks; what
    follows is decided later, so that neither answer nor time tells who is known here.

    `choices` is JSON: interests and preferences; `consent` is what was agreed to, and from where.
    """

    __tablename__ = "sign_ups"
    __table_args__ = (NEVER_REUSED,)

    id: int | None = Field(default=None, primary_key=True)
    email: str
    choices: str = Field(sa_column=Column(Text, nullable=False))
    consent: str = ""
    invitation_id: int | None = Field(
        sa_column=parent("invitations.id", on_delete="SET NULL", nullable=True)
    )
    received_at: datetime


class InvitationRow(Table, table=True):
    """A link that lets somebody in where registration is by invitation; `uses` times at most."""

    __tablename__ = "invitations"
    __table_args__ = (
        count("used"),
        CheckConstraint("uses BETWEEN 1 AND 1000000", name="uses"),
        NEVER_REUSED,
    )

    id: int | None = Field(default=None, primary_key=True)
    note: str = ""
    uses: int = 1
    used: int = 0
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


class AddressChangeRow(Table, table=True):
    """The new address that a subscriber asked for and has not confirmed yet: the latest one."""

    __tablename__ = "address_changes"

    subscriber_id: int = Field(sa_column=parent("subscribers.id", primary_key=True, index=False))
    email: str
    token: str
    asked_at: datetime


class AskedMailRow(Table, table=True):
    """When an address last got a mail because somebody typed it into a form: by its keyed hash."""

    __tablename__ = "asked_mails"

    address_hash: str = Field(primary_key=True)
    asked_at: datetime = Field(index=True)


class VisitRow(Table, table=True):
    """How often a scope (a network, or all of them) did something within one window of time.

    `opens_at` is the window's begin in seconds from the Unix epoch.
    """

    __tablename__ = "visits"
    __table_args__ = (count("used"),)

    scope: str = Field(primary_key=True)
    opens_at: int = Field(
        sa_column=Column(
            BigInteger, primary_key=True, nullable=False, autoincrement=False, index=True
        )
    )
    used: int = 0
