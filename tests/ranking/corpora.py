"""Small corpora for the tests of what ranks files."""

from collections.abc import Sequence

from digest.ranking.compounds import Compounds
from digest.ranking.corpus import WORDS_ALONE, Corpus, Understanding
from digest.ranking.statistics import Statistics, Text

DECODING: list[Text] = [
    ("Speculative decoding for transformers",
     "A small draft model proposes tokens that the large target model verifies in parallel."),
    ("Speculative decoding, faster",
     "We cut inference latency: a draft model proposes, the target model verifies many tokens."),
    ("On speculative decoding", "Draft tokens are accepted or rejected by the target model."),
    ("Speculative decoding with trees",
     "A tree of draft tokens raises the acceptance rate; inference latency falls."),
    ("Guess and check: generation in fewer steps",
     "A draft model proposes tokens, the target model verifies them; inference latency halves."),
    *[(f"On the {kind} of the north", f"Where {kind} nest, and what they eat: {n} summers.")
      for n, kind in enumerate(("owls", "geese", "herons", "ravens", "swans", "terns", "larks"))],
    ("Soil moisture of alpine meadows", "We measured rain and soil over four years."),
    ("Rivers and rain", "How much of the rain in a valley reaches its river."),
    ("Old bridges", "Stone and timber bridges, and the roads that they served."),
]  # fmt: skip
UNNAMED = 4
"""The paper that is about speculative decoding and shares no word with the phrase."""
FOREIGN = tuple(range(5, len(DECODING)))


def corpus_of(
    texts: Sequence[Text],
    *,
    earlier: Sequence[Text] = (),
    understanding: Understanding = WORDS_ALONE,
) -> Corpus:
    """A corpus whose statistics are of these papers, as `digest rank` makes it."""
    compounds = Compounds()
    for title, abstract in (*texts, *earlier):
        compounds.learn_hyphens(f"{title} {abstract}")
    statistics = Statistics.of((*texts, *earlier))
    return Corpus(texts, statistics, compounds, earlier=earlier, understanding=understanding)
