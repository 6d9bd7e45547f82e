"""Tiers of the ranker: how much it understands of what a phrase means."""

from enum import StrEnum


class Tier(StrEnum):
    """By words alone, with static vectors of words, or with a small transformer.

    `auto` is `semantic` where what it needs is installed, else `core`.
    """

    AUTO = "auto"
    CORE = "core"
    SEMANTIC = "semantic"
    TRANSFORMER = "transformer"
