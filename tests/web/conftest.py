"""The fixtures of the web."""

from tests.web.building import clock, desk

__all__ = ["clock", "desk"]
