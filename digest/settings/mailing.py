"""The settings of everything about mail: relay, sender, signature, limits, returned mail, looks."""

import re
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from digest.domain.relay import Security, bares_password
from digest.settings.base import Section, host_name, mail_address, one_line

DEFAULT_PORTS = {Security.NONE: 25, Security.STARTTLS: 587, Security.TLS: 465}


class SmtpSettings(Section):
    """The relay that takes the mails; `port` 0 is the usual port of the chosen security."""

    host: str = "localhost"
    port: int = Field(default=0, ge=0, le=65535)
    security: Security = Security.STARTTLS
    username: str = ""
    password: str = Field(default="", repr=False)
    connections: int = Field(default=4, ge=1, le=100)
    messages_per_connection: int = Field(default=0, ge=0, le=1_000_000)
    ca_file: str = ""
    local_hostname: str = ""
    timeout_s: float = Field(default=60.0, gt=0)
    data_timeout_s: float = Field(default=600.0, ge=1)  # RFC 5321 §4.5.3.2.6: at least 10 minutes

    _names = field_validator("local_hostname")(host_name)

    @property
    def effective_port(self) -> int:
        """The port to connect to."""
        return self.port or DEFAULT_PORTS[self.security]

    @model_validator(mode="after")
    def _no_password_in_clear(self) -> Self:
        if bares_password(self.security, self.username, self.host):
            raise ValueError(
                "username with security 'none' would send the password in clear: "
                "set security to 'starttls' or 'tls'"
            )
        return self


class SenderSettings(Section):
    """Who the mails come from; `tagline` stands under the name, `imprint` under each mail."""

    address: str = ""
    name: str = "Trending papers"
    reply_to: str = ""
    contact: str = ""
    tagline: str = ""
    imprint: str = ""

    _checked = field_validator("address", "reply_to", "contact")(mail_address)
    _lines = field_validator("name", "tagline", "imprint")(one_line)


class DkimSettings(Section):
    """The signature under each mail; none where `key_file` and `ed25519_key_file` are empty."""

    domain: str = ""
    selector: str = "digest"
    key_file: str = ""
    ed25519_selector: str = ""
    ed25519_key_file: str = ""

    _lines = field_validator("domain", "selector", "ed25519_selector")(one_line)


class DeliverySettings(Section):
    """How the ledger is worked off."""

    lease_s: float = Field(default=30.0, ge=1, le=3600)
    claim: int = Field(default=200, ge=1, le=10_000)
    give_up_hours: float = Field(default=48.0, gt=0, le=240)


class RateSettings(Section):
    """How fast mail may go out; 0 means no limit."""

    per_second: float = Field(default=0.0, ge=0, le=100_000, allow_inf_nan=False)
    per_hour: int = Field(default=0, ge=0, le=1_000_000_000)


class LimitsSettings(RateSettings):
    """Limits that all senders on one store keep together; 0 means none.

    `domains` gives rates of recipient domains; "*" those of every other one, each by itself.
    """

    connections: int = Field(default=0, ge=0, le=10_000)
    domains: dict[str, RateSettings] = Field(default_factory=dict)


class BouncesSettings(Section):
    """Where undeliverable mail returns to, where it is read from, and when soft bounces are enough.

    `address` empty: the sender's. One of `maildir`, `mbox` and `imap_host` at most.
    """

    address: str = ""
    verp: bool = True
    maildir: str = ""
    mbox: str = ""
    imap_host: str = ""
    imap_port: int = Field(default=993, ge=1, le=65535)
    imap_username: str = ""
    imap_password: str = Field(default="", repr=False)
    imap_folder: str = "INBOX"
    every_minutes: int = Field(default=5, ge=1, le=1440)
    soft_limit: int = Field(default=5, ge=1, le=1000)
    soft_days: int = Field(default=30, ge=1, le=365)

    _checked = field_validator("address")(mail_address)
    _lines = field_validator("imap_host", "imap_username", "imap_folder")(one_line)

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(map(bool, (self.maildir, self.mbox, self.imap_host))) > 1:
            raise ValueError("has more than one of maildir, mbox and imap_host: keep one")
        return self


class TemplatesSettings(Section):
    """A folder of the operator's own templates, tried before the built-in ones."""

    folder: str = ""


class ThemeSettings(Section):
    """The colours of the mails, as #rrggbb, in light and in dark mode, and the face of headings."""

    accent: str = "#8f3a14"
    accent_dark: str = "#f2ab80"
    ground: str = "#f4f1ea"
    ground_dark: str = "#121418"
    font: Literal["serif", "sans"] = "serif"

    @field_validator("accent", "accent_dark", "ground", "ground_dark")
    @classmethod
    def _colour(cls, value: str) -> str:
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", value):
            raise ValueError(f"{value!r} is no colour: write # and six hexadecimal digits")
        return value.lower()
