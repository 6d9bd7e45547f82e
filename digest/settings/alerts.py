"""The settings of alerts: whom they go to, and from when on something is worth one."""

from pydantic import Field, field_validator

from digest.settings.base import Section, mail_address


class AlertsSettings(Section):
    """Mails to the operator; `to` empty: the log alone says it."""

    to: str = ""
    source_days: int = Field(default=3, ge=1, le=365)
    late_hours: float = Field(default=2.0, gt=0, le=168)
    failure_rate: float = Field(default=0.2, gt=0, le=1)

    _checked = field_validator("to")(mail_address)
