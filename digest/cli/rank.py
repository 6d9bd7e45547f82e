"""`digest rank`: ranking as a filter, without config or store."""


def rank() -> None:
    """Rank papers for interests."""
