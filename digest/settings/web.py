"""The settings of the web pages: where they are served, who may join, what calls in."""

import ipaddress
from enum import StrEnum

from pydantic import Field, field_validator

from digest.domain.subscribers import ascii_domain
from digest.errors import InvalidInput
from digest.settings.base import Section, one_line

CONSENT = "Send me the digest at this address. I can stop it at any time by a link in every mail."


class Registration(StrEnum):
    """Who may join: everybody, whose address is of certain domains, or who was invited."""

    OPEN = "open"
    DOMAINS = "domains"
    INVITE = "invite"


class WebSettings(Section):
    """Where the pages are served, and how much one network may ask for.

    `port` 0: `digest run` serves none; `metrics_port` 0: /metrics stands beside the pages.
    """

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    metrics_port: int = Field(default=0, ge=0, le=65535)
    trusted_proxies: tuple[str, ...] = ()
    per_network_per_hour: int = Field(default=60, ge=0)
    per_hour: int = Field(default=0, ge=0)
    concurrency: int = Field(default=200, ge=1, le=10_000)
    consent: str = CONSENT
    registration_domains: tuple[str, ...] = ()

    _lines = field_validator("host", "consent")(one_line)

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            try:
                ipaddress.ip_network(network)
            except ValueError as exc:
                raise ValueError(
                    f"{network!r} is no network: write one such as 127.0.0.1/32 or 10.0.0.0/8"
                ) from exc
        return value

    @field_validator("registration_domains")
    @classmethod
    def _domains(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(ascii_domain(domain.strip().lstrip("@")) for domain in value)
        except InvalidInput as exc:
            raise ValueError(str(exc)) from exc


class WebhookSettings(Section):
    """What proves that a report of bounces and complaints is the mail provider's own."""

    ses_topics: tuple[str, ...] = ()
    sendgrid_public_key: str = ""
    postmark_username: str = ""
    postmark_password: str = Field(default="", repr=False)
