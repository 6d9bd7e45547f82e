"""The colours and faces of the mails: what the operator chose, and all that follows from it.

Nothing here is taste alone: every colour of text keeps the contrast that WCAG 2.2 asks for (success
criterion 1.4.3), by day and by night, for every theme that is accepted.
"""

import colorsys
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from digest.errors import ConfigError

TEXT_CONTRAST = 4.5  # WCAG 2.2, 1.4.3: all text of a mail, large or not

WHITE = "#ffffff"
INK, INK_DARK = "#22252a", "#ebe8e2"
QUIET, QUIET_DARK = "#5b616b", "#a9afb9"
MARKER, MARKER_DARK = "#fbf0cd", "#ffcf4a"

_SERIF = "Georgia, serif"
_SANS = "-apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
_PLACEHOLDER = re.compile(r"@([a-z_]+)@")


@dataclass(frozen=True, kw_only=True, slots=True)
class Theme:
    """What `[theme]` of the config holds: colours as `#rrggbb`, and the face of the headings.

    Raises ConfigError, naming the key and the contrast reached, for colours that would leave text
    below 4.5:1.
    """

    accent: str = "#8f3a14"
    accent_dark: str = "#f2ab80"
    ground: str = "#f4f1ea"
    ground_dark: str = "#121418"
    font: Literal["serif", "sans"] = "serif"

    def __post_init__(self) -> None:
        for key in ("accent", "accent_dark", "ground", "ground_dark"):
            if not re.fullmatch(r"#[0-9a-fA-F]{6}", getattr(self, key)):
                raise ConfigError(f"theme.{key} must be # and six hexadecimal digits")
        if self.font not in ("serif", "sans"):
            raise ConfigError('theme.font must be "serif" or "sans"')
        card = card_dark(self.ground_dark)
        _require("ground", self.ground, (INK, self.ground), mend="lighter")
        _require("ground_dark", self.ground_dark, (INK_DARK, card), mend="darker")
        _require("accent", self.accent, (self.accent, WHITE), mend="darker")
        _require("accent_dark", self.accent_dark, (self.accent_dark, card), mend="lighter")


def values(theme: Theme) -> Mapping[str, str]:
    """What stands for each `@name@` in mail.css and in the <style> of layout.html."""
    night = {f"{name}_dark": colour for name, colour in _night(theme).items()}
    display = _SERIF if theme.font == "serif" else _SANS
    return {**_day(theme), **night, "display": display, "text": _SANS}


def filled(source: str, theme: Theme) -> str:
    """The CSS with each `@name@` replaced; other words between at-signs stay as they are."""
    known = values(theme)
    return _PLACEHOLDER.sub(lambda match: known.get(match[1], match[0]), source)


def luminance(colour: str) -> float:
    """Relative luminance, 0 (black) to 1 (white), as WCAG 2.2 defines it."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    """Contrast ratio, 1 to 21, as WCAG 2.2 defines it; the order does not matter."""
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def mixed(colour: str, other: str, share: float) -> str:
    """`colour` with a share, 0 to 1, of `other` in it."""
    pairs = zip(_channels(colour), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def tinted(colour: str, *, lightness: float, saturation: float) -> str:
    """The colour's hue at a lightness, 0 to 1, and at most a saturation (HSL)."""
    red, green, blue = (channel / 255 for channel in _channels(colour))
    hue, _, own = colorsys.rgb_to_hls(red, green, blue)
    channels = colorsys.hls_to_rgb(hue, lightness, min(own, saturation))
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in channels)


def readable(colour: str, *, on: str, towards: str) -> str:
    """The colour, mixed with as little of `towards` as brings it to 4.5:1 on `on`."""
    for step in range(20):
        tried = mixed(colour, towards, step / 20)
        if contrast(tried, on) >= TEXT_CONTRAST:
            return tried
    return towards


def card_dark(ground_dark: str) -> str:
    """The sheet on which the text lies at night: a little lighter than the ground."""
    return mixed(ground_dark, WHITE, 0.04)


def _day(theme: Theme) -> dict[str, str]:
    rise = tinted(theme.accent, lightness=0.93, saturation=0.8)
    return {
        "ground": theme.ground,
        "card": WHITE,
        "line": mixed(theme.ground, INK, 0.1),
        "ink": INK,
        "quiet": QUIET,
        "quiet_on_ground": readable(QUIET, on=theme.ground, towards=INK),
        "accent": theme.accent,
        "on_accent": WHITE,  # the accent keeps 4.5:1 on white, so white keeps it on the accent
        "rise": rise,
        "on_rise": readable(theme.accent, on=rise, towards=INK),
        "fact": theme.ground,
        "on_fact": readable(QUIET, on=theme.ground, towards=INK),
        "mark": MARKER,
        "on_mark": INK,
    }


def _night(theme: Theme) -> dict[str, str]:
    card = card_dark(theme.ground_dark)
    rise = tinted(theme.accent_dark, lightness=0.18, saturation=0.38)
    fact = mixed(card, WHITE, 0.09)
    mark = mixed(card, MARKER_DARK, 0.22)
    return {
        "ground": theme.ground_dark,
        "card": card,
        "line": mixed(card, WHITE, 0.13),
        "ink": INK_DARK,
        "quiet": readable(QUIET_DARK, on=card, towards=WHITE),
        "quiet_on_ground": readable(QUIET_DARK, on=theme.ground_dark, towards=WHITE),
        "accent": theme.accent_dark,
        "on_accent": card,
        "rise": rise,
        "on_rise": readable(theme.accent_dark, on=rise, towards=WHITE),
        "fact": fact,
        "on_fact": readable(QUIET_DARK, on=fact, towards=WHITE),
        "mark": mark,
        "on_mark": readable(INK_DARK, on=mark, towards=WHITE),
    }


def _require(key: str, value: str, pair: tuple[str, str], *, mend: str) -> None:
    reached = contrast(*pair)
    if reached < TEXT_CONTRAST:
        raise ConfigError(
            f"theme.{key} {value} reaches a contrast of {reached:.1f}:1 ({pair[0]} on {pair[1]}), "
            f"and text needs {TEXT_CONTRAST}:1: choose a {mend} colour"
        )


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
