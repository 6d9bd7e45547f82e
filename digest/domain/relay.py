"""How the way to the relay is protected, and when a password may not take it."""

from enum import StrEnum

LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Security(StrEnum):
    """How the connection is protected: not, upgraded at once (RFC 3207), or from the first byte."""

    NONE = "none"
    STARTTLS = "starttls"
    TLS = "tls"


def bares_password(security: Security, username: str | None, host: str) -> bool:
    """Whether a login would cross a network in clear (RFC 4954 §4 wants TLS for passwords)."""
    return bool(username) and security is Security.NONE and host not in LOOPBACK
