"""What all sections of the settings share: their base, and checks of single values."""

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from digest.domain.subscribers import address
from digest.errors import InvalidInput


class Section(BaseModel):
    """Base of all sections: a key that is not declared is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def web_url(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError(f"{value!r} is no web address: write https://host/path")
    return value


def mail_address(value: str) -> str:
    try:
        return address(value) if value else value
    except InvalidInput as exc:
        raise ValueError(str(exc)) from exc


def one_line(value: str) -> str:
    if any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise ValueError("holds a control character: write one plain line")
    return value.strip()
