"""Papers on one topic: those that hold its name, those that talk alike, and strangers."""

from digest.ranking.statistics import Text

PHRASE = "speculative decoding"
_BIRDS = (
    "owls", "geese", "herons", "ravens", "swans", "terns", "larks", "finches", "storks", "cranes",
    "gulls", "ducks", "plovers", "kites", "harriers", "falcons", "buzzards", "eagles", "wrens",
    "tits", "swifts", "doves", "crows", "jays", "magpies", "rooks", "pipits", "robins", "thrushes",
    "starlings", "sparrows", "linnets", "siskins", "rails", "coots", "grebes", "petrels", "auks",
)  # fmt: skip


def holders(count: int, *, first: int = 0) -> list[Text]:
    """Papers that name the topic once, each with something of its own."""
    return [
        (
            " ".join(f"g{n}x{m}" for m in range(6)),
            "In speculative decoding a draft model proposes tokens and a target model verifies "
            f"these in parallel. With w{n}a we spare y{n}z.",
        )
        for n in range(first, first + count)
    ]


def relatives(count: int) -> list[Text]:
    """Papers that share the holders' words, the first the most, and never name the topic."""
    return [
        (
            "The draft proposes tokens, the target verifies",
            "A draft model proposes tokens in parallel, a target model verifies; latency falls."
            + f" And also v{n}w." * (n > 0),
        )
        for n in range(count)
    ]


def strangers(count: int) -> list[Text]:
    """Papers on birds, each on another."""
    birds = [_BIRDS[n % len(_BIRDS)] for n in range(count)]
    return [
        (f"On the {bird} of the north", f"Where {bird} nest: {n} summers.")
        for n, bird in enumerate(birds)
    ]
