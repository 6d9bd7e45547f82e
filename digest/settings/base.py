"""What all sections of the settings share: their base, and checks of single values."""

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, field_validator

from digest.domain.subscribers import address
from digest.errors import InvalidInput


class Section(BaseModel):
    """Base of all sections: a key that is not declared is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @field_validator("*")
    @classmethod
    def _whole(cls, value: object) -> object:
        """No value may end a line, or a C string, of what it is handed to."""
        if isinstance(value, str) and any(char in value for char in "\0\r\n"):
            raise ValueError("holds a control character: write one plain line")
        return value


def web_url(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError(f"{value!r} is no web address: write https://host/path")
    return value


def mail_address(value: str) -> str:
    """An address of our own: each mail bears it, so that no relay may need SMTPUTF8 for it."""
    try:
        checked = address(value) if value else value
    except InvalidInput as exc:
        raise ValueError(str(exc)) from exc
    if not checked.rpartition("@")[0].isascii():
        raise ValueError(
            f"{checked!r} has letters outside ASCII before the @-sign, and most relays would take "
            "no mail with it: give another address of that mailbox"
        )
    return checked


def host_name(value: str) -> str:
    value = value.strip()
    if not value.isascii() or any(char <= " " or char == "\x7f" for char in value):
        raise ValueError(f"{value!r} is no host name: write it in ASCII, without white space")
    return value


def one_line(value: str) -> str:
    if any(ord(c) < 32 or ord(c) == 127 for c in value):
        raise ValueError("holds a control character: write one plain line")
    return value.strip()
