"""Every exception the service raises on purpose, as one tree.

The text of each says what is wrong and what to do about it, in one line: the command line prints it
as it is. Expected outcomes (nothing today, an empty feed) are values, not exceptions.
"""


class DigestError(Exception):
    """Base of all errors of this service; the command line ends with exit code 1."""


class ConfigError(DigestError):
    """A setting is wrong or missing; the text names the key and the mend. Exit code 2."""


class UsageError(DigestError):
    """The caller asked for something that cannot be; exit code 2."""


class InvalidInput(DigestError, ValueError):
    """A value from outside breaks its rule; the text names the value and the rule."""


class NotFound(DigestError, LookupError):
    """What was asked for is not in the store."""


class BadToken(InvalidInput):
    """A link's token was not signed here, or was signed for something else."""


class ExpiredToken(BadToken):
    """A link's token is genuine but too old."""


class Refused(DigestError):
    """A rule forbids the change, such as reviving an address that unsubscribed."""


class TooMany(Refused):
    """Too much was asked for within the hour; `retry_after_s` seconds from now it may be again."""

    def __init__(self, retry_after_s: int) -> None:
        minutes = -(-retry_after_s // 60)
        super().__init__(f"too many requests: try again in {minutes} min")
        self.retry_after_s = retry_after_s


class StoreError(DigestError):
    """The store cannot be used as it is."""


class SchemaMismatch(StoreError):
    """The store's schema is not the one this program knows; the text says what to run."""


class WeightsError(DigestError):
    """A model's weights are damaged or missing; the text names the package to install again."""


class SourceError(DigestError):
    """A source could not be read."""


class SourceUnreachable(SourceError):
    """The fetch failed: network, HTTP status, deadline or size cap (outcome `fault`)."""


class SourceUnreadable(SourceError):
    """Something came, but it is not what the source's kind promises (outcome `broken`)."""


class MailError(DigestError):
    """Base of what can go wrong between a rendered mail and the relay's final answer."""


class TemplateError(MailError):
    """A mail template is missing or wrong; the text names file and line."""


class RelayError(MailError):
    """The relay itself cannot be used now (connect, TLS, AUTH); no recipient is to blame."""


class RecipientError(MailError):
    """The relay answered about one message.

    `code` is the SMTP reply code (0 where no relay spoke), `reply` its text, `status` the enhanced
    code such as 5.1.1 (RFC 3463), `stage` the command that was refused, such as rcpt; both empty
    where there is none.
    """

    def __init__(self, code: int, reply: str, *, status: str = "", stage: str = "") -> None:
        super().__init__(f"{code} {reply}".strip())
        self.code = code
        self.reply = reply
        self.status = status
        self.stage = stage


class TransientMailError(RecipientError):
    """4xx: worth another try later."""


class PermanentMailError(RecipientError):
    """5xx, or an address the relay cannot take: no use in trying again."""


class InDoubtError(MailError):
    """The connection was lost after the final dot: sent or not, nobody here knows (RFC 1047)."""
