"""What a request brought: its form, and which network it came from. Nothing here is trusted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from starlette.requests import Request

from digest.errors import InvalidInput

MOST_BODY = 16 * 1024
MOST_FIELDS = 200
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """The fields of a form as they were typed, without white space around them.

    Line ends inside are LF; NUL and other control characters, and lone surrogates, are gone.
    """

    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def one(self, name: str, default: str = "") -> str:
        """The first value of a field, or `default` where it was not sent."""
        return self.fields.get(name, (default,))[0]

    def all(self, name: str) -> list[str]:
        """All values of a field in their order, empty ones left out."""
        return [value for value in self.fields.get(name, ()) if value]

    def has(self, name: str) -> bool:
        """Whether a field was sent with anything in it, as a ticked box is."""
        return bool(self.one(name))


def form_of(request: Request) -> Form:
    """The form a POST brought (application/x-www-form-urlencoded, UTF-8).

    Raises InvalidInput for more than 200 fields or another kind of body: read as a form it would
    have no field at all, and what is not sent means something.
    """
    body = body_of(request)
    kind = request.headers.get("content-type", _FORM).partition(";")[0].strip().lower()
    if body and kind != _FORM:
        raise InvalidInput(f"a form is sent as {_FORM}")
    return read_form(body.decode("utf-8", "replace"))


def query_of(request: Request) -> Form:
    """The query of a GET, read in the same way."""
    return read_form(request.url.query)


def read_form(text: str) -> Form:
    """Fields of `a=1&b=2`. Raises InvalidInput for more than 200 of them."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError as exc:
        raise InvalidInput("the form has too many fields") from exc
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(_clean(value))
    return Form(fields=fields)


def body_of(request: Request) -> bytes:
    """The whole body of a POST, as the guards let it pass."""
    body: bytes = request.scope.get("digest.body", b"")
    return body


def network_of(request: Request) -> str:
    """The network the request came from, coarsened: an IPv4 /24 or an IPv6 /48; empty if unknown.

    Set by the guards, which know the trusted proxies.
    """
    network: str = request.scope.get("digest.network", "")
    return network


def _clean(value: str) -> str:
    lines = value.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(
        c for c in lines if c == "\n" or (c.isprintable() or c in "\t\u200c\u200d\u00a0\u3000")
    ).strip()
