"""Pages and phrases for the tests of ranking."""

from digest.ranking.compounds import Compounds
from digest.ranking.evidence import Page, Phrase
from digest.ranking.statistics import Statistics
from digest.ranking.vocabulary import tokens

NOTHING_KNOWN = Statistics.of(())


def a_page(title: str, abstract: str = "") -> Page:
    return Page(tokens(title), tokens(abstract))


def a_phrase(text: str, statistics: Statistics = NOTHING_KNOWN) -> Phrase:
    return Phrase.of(text, tokens(text), statistics)


def compounds_of(*texts: str) -> Compounds:
    compounds = Compounds()
    compounds.learn(map(tokens, texts))
    return compounds
