"""Every setting, its default and its check, as pydantic models: one class a section."""

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from digest.domain.papers import SourceKind
from digest.domain.schedule import Frequency, zone
from digest.domain.subscribers import MOST_PAPERS
from digest.domain.tiers import Tier
from digest.errors import InvalidInput
from digest.settings.alerts import AlertsSettings
from digest.settings.base import Section, one_line, web_url
from digest.settings.mailing import (
    BouncesSettings,
    DeliverySettings,
    DkimSettings,
    LimitsSettings,
    SenderSettings,
    SmtpSettings,
    TemplatesSettings,
    ThemeSettings,
)
from digest.settings.retention import RetentionSettings
from digest.settings.web import Registration, WebhookSettings, WebSettings
from digest.sources.destinations import Allowed

PREFIX = "DIGEST_"


class StoreSettings(Section):
    """Where everything is kept."""

    url: str = Field(default="sqlite:///digest.sqlite3", repr=False)


class SiteSettings(Section):
    """The public address of the web pages; links in mails lead there."""

    url: str = ""

    @field_validator("url")
    @classmethod
    def _checked(cls, value: str) -> str:
        return web_url(value.strip()).rstrip("/")


class DefaultsSettings(Section):
    """What a new subscriber gets who chose nothing else."""

    timezone: str = "UTC"
    hour: int = Field(default=8, ge=0, le=23)
    frequency: Frequency = Frequency.DAILY
    max_papers: int = Field(default=10, ge=1, le=MOST_PAPERS)

    @field_validator("timezone")
    @classmethod
    def _known(cls, value: str) -> str:
        try:
            zone(value)
        except InvalidInput as exc:
            raise ValueError(str(exc)) from exc
        return value


class RankingSettings(Section):
    """How papers are chosen."""

    lookback_days: int = Field(default=7, ge=1, le=90)
    threshold: float = Field(default=0.25, ge=0, le=1)
    beyond: int = Field(default=1, ge=0, le=3)
    tier: Tier = Tier.AUTO


class HttpSettings(Section):
    """How sources are asked; `contact` stands in the User-Agent."""

    contact: str = ""
    deadline_s: float = Field(default=60.0, gt=0, le=3600)
    allow_private: tuple[str, ...] = ()

    _lines = field_validator("contact")(one_line)

    @field_validator("allow_private")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            Allowed.of(value)
        except InvalidInput as exc:
            raise ValueError(str(exc)) from exc
        return value


class DaemonSettings(Section):
    """How often the daemon looks at what is due, and how long it may take to stop."""

    tick_s: float = Field(default=20.0, ge=1, le=30)
    drain_s: float = Field(default=60.0, ge=0, le=3600)


class LogSettings(Section):
    """What the daemon logs, and how."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["console", "json"] = "console"


class SourceSettings(Section):
    """One place where papers come from: `url` of a live source, or `path` of a file or folder."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")
    kind: SourceKind
    url: str = Field(default="", repr=False)
    path: str = ""
    every_minutes: int = Field(default=0, ge=0, le=10_080)

    _checked = field_validator("url")(web_url)

    @field_validator("every_minutes")
    @classmethod
    def _not_too_often(cls, value: int) -> int:
        if 0 < value < 5:
            raise ValueError("give at least 5, or 0 for the rhythm of its kind")
        return value

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if self.url and self.path:
            raise ValueError("has both url and path: keep one")
        needs_place = (SourceKind.FEED, SourceKind.PAGE, SourceKind.JSONL)
        if self.kind in needs_place and not (self.url or self.path):
            raise ValueError(f"of kind {self.kind.value!r} needs a url or a path")
        return self


def _default_sources() -> tuple[SourceSettings, ...]:
    return (
        SourceSettings(name="huggingface", kind=SourceKind.HUGGINGFACE),
        SourceSettings(
            name="arxiv",
            kind=SourceKind.ARXIV_RSS,
            url="https://rss.arxiv.org/atom/cs.AI+cs.CL+cs.CV+cs.LG",
        ),
    )


class Settings(BaseSettings):
    """All settings. Built by `load`, which adds the TOML and the secrets file."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,  # `${VAR:-}` in a compose file means: not set
        extra="forbid",
        frozen=True,
        validate_default=True,
    )

    secret_keys: Annotated[tuple[str, ...], NoDecode] = Field(default=(), repr=False)
    pepper: str = Field(default="", repr=False)
    secrets_file: str = "secrets.toml"
    store: StoreSettings = StoreSettings()
    smtp: SmtpSettings = SmtpSettings()
    sender: SenderSettings = SenderSettings()
    site: SiteSettings = SiteSettings()
    registration: Registration = Registration.OPEN
    web: WebSettings = WebSettings()
    webhooks: WebhookSettings = WebhookSettings()
    defaults: DefaultsSettings = DefaultsSettings()
    ranking: RankingSettings = RankingSettings()
    dkim: DkimSettings = DkimSettings()
    delivery: DeliverySettings = DeliverySettings()
    limits: LimitsSettings = LimitsSettings()
    bounces: BouncesSettings = BouncesSettings()
    http: HttpSettings = HttpSettings()
    daemon: DaemonSettings = DaemonSettings()
    alerts: AlertsSettings = AlertsSettings()
    retention: RetentionSettings = RetentionSettings()
    log: LogSettings = LogSettings()
    templates: TemplatesSettings = TemplatesSettings()
    theme: ThemeSettings = ThemeSettings()
    sources: tuple[SourceSettings, ...] = Field(default_factory=_default_sources)

    @field_validator("secret_keys", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """In the environment: a JSON list, or keys with commas between them."""
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            return json.loads(value)
        return [part.strip() for part in value.split(",") if part.strip()]

    @field_validator("secret_keys")
    @classmethod
    def _long_enough(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(len(key) < 16 for key in value):
            raise ValueError("holds a key of fewer than 16 characters: use 32 random ones")
        return value

    @model_validator(mode="after")
    def _somebody_may_join(self) -> Self:
        if self.registration is Registration.DOMAINS and not self.web.registration_domains:
            raise ValueError("registration is 'domains': name some in web.registration_domains")
        return self

    @field_validator("sources")
    @classmethod
    def _distinct(cls, value: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
        names = [source.name for source in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"name {name!r} stands twice: give each source its own")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the files, which `load` hands to the constructor."""
        return env_settings, init_settings


def all_keys(model: type[BaseModel] = Settings, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every setting as (dotted key, default), sections opened, in the order of declaration."""
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from all_keys(kind, f"{prefix}{name}.")
        else:
            yield prefix + name, field.get_default(call_default_factory=True, validated_data={})


def variable(key: str) -> str:
    """The environment's name of a dotted key."""
    return PREFIX + key.replace(".", "__").upper()
