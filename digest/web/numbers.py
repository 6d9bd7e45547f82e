"""Numbers in addresses: `{paper_id:number}` is one of at most ten digits, in ASCII.

Starlette's own `int` takes any number of digits, of which Python reads 4,300 and no more.
"""

from starlette.convertors import Convertor, register_url_convertor


class Number(Convertor[int]):
    """A whole number without sign."""

    regex = "[0-9]{1,10}"

    def convert(self, value: str) -> int:
        """The number."""
        return int(value)

    def to_string(self, value: int) -> str:
        """Its digits."""
        return str(value)


def offer() -> None:
    """Let routes that are made from now on say `number`."""
    register_url_convertor("number", Number())
