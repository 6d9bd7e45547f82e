"""What all sections of the settings share: their base, and checks of single values."""

import re
import unicodedata
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
        """No value may end a line, or a C string, of what it is handed to; and each can be written
        as UTF-8, which of a variable with other bytes in it is not so.
        """
        if isinstance(value, str) and any(char in value for char in "\0\r\n"):
            raise ValueError("holds a control character: write one plain line")
        if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
            raise ValueError("is not UTF-8: write it in UTF-8")
        return value


def web_url(value: str) -> str:
    parts = urlsplit(value)
    if value and (parts.scheme not in ("http", "https") or not parts.hostname):
        raise ValueError(f"{masked(value)!r} is no web address: write https://host/path")
    return value


def masked(value: str) -> str:
    """A value for an error: of an address neither user and password nor what follows a `?`."""
    return re.sub(r"\?.*", "?…", re.sub(r"//.*@", "//…@", value)) if "//" in value else value


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
    if any(unicodedata.category(c) in ("Cc", "Zl", "Zp") for c in value):
        raise ValueError("holds a control character: write one plain line")
    return value.strip()
