"""Colours chosen by the operator: accepted only where every text stays readable."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from digest.errors import ConfigError
from digest.mail.render import Renderer
from digest.mail.theme import (
    INK,
    WHITE,
    Theme,
    contrast,
    filled,
    luminance,
    mixed,
    readable,
    tinted,
    values,
)
from tests.mail.mails import a_digest_view

COLOURS = st.integers(0, 0xFFFFFF).map("#{:06x}".format)
ON = (
    ("ink", "card"),
    ("quiet", "card"),
    ("accent", "card"),
    ("on_accent", "accent"),
    ("quiet_on_ground", "ground"),
    ("on_rise", "rise"),
    ("on_fact", "fact"),
    ("on_mark", "mark"),
)


def assert_readable(theme: Theme) -> None:
    colours = values(theme)
    for text, ground in ON:
        for time in ("", "_dark"):
            pair = colours[text + time], colours[ground + time]
            assert contrast(*pair) >= 4.5, (text + time, *pair)


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [
        ("#000000", "#ffffff", 21.0),
        ("#ffffff", "#ffffff", 1.0),
        ("#777777", "#ffffff", 4.48),  # the grey that just fails
        ("#767676", "#ffffff", 4.54),
        ("#ff0000", "#ffffff", 4.0),
        ("#0000ff", "#ffffff", 8.59),
    ],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert contrast(one, other) == pytest.approx(ratio, abs=0.006)
    assert contrast(other, one) == contrast(one, other)


def test_luminance_goes_from_black_to_white() -> None:
    assert luminance("#000000") == 0
    assert luminance("#ffffff") == pytest.approx(1)
    assert luminance("#808080") == pytest.approx(0.2159, abs=0.0001)


def test_colours_mix_by_their_share() -> None:
    assert mixed("#000000", "#ffffff", 0.5) == "#808080"
    assert mixed("#102030", "#ffffff", 0) == "#102030"
    assert mixed("#102030", "#ffffff", 1) == WHITE


def test_a_tint_keeps_the_hue_and_grey_stays_grey() -> None:
    assert tinted("#ff0000", lightness=0.75, saturation=1) == "#ff8080"
    assert tinted("#777777", lightness=0.5, saturation=1) == "#808080"


@given(COLOURS, COLOURS)
def test_a_colour_changes_only_as_far_as_it_must(colour: str, ground: str) -> None:
    assume(contrast(WHITE, ground) >= 4.5)
    found = readable(colour, on=ground, towards=WHITE)
    assert contrast(found, ground) >= 4.5
    assert (found == colour) == (contrast(colour, ground) >= 4.5)


def test_the_default_theme_is_readable() -> None:
    assert_readable(Theme())


@given(COLOURS, COLOURS, COLOURS, COLOURS)
def test_every_theme_that_is_accepted_is_readable(
    accent: str, accent_dark: str, ground: str, ground_dark: str
) -> None:
    try:
        theme = Theme(
            accent=mixed(accent, INK, 0.4),
            accent_dark=mixed(accent_dark, WHITE, 0.6),
            ground=mixed(ground, WHITE, 0.7),
            ground_dark=mixed(ground_dark, "#000000", 0.8),
        )
    except ConfigError:
        assume(False)  # refused: see below
    assert_readable(theme)


@pytest.mark.parametrize(
    ("key", "colour", "reached"),
    [
        ("accent", "#ffcc00", "1.5:1"),
        ("accent_dark", "#333333", "1.3:1"),
        ("ground", "#4a4a4a", "1.7:1"),
        ("ground_dark", "#f4f1ea", "1.1:1"),
    ],
)
def test_a_colour_that_hides_text_is_refused_with_the_contrast_reached(
    key: str, colour: str, reached: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        Theme(**{key: colour})  # type: ignore[arg-type]
    assert f"theme.{key} {colour} reaches a contrast of {reached}" in str(caught.value)
    assert "4.5:1: choose a " in str(caught.value)


@pytest.mark.parametrize("value", ["red", "#fff", "#ffffff; } body { x", "", "#gggggg"])
def test_what_is_no_colour_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"theme\.ground must be #"):
        Theme(ground=value)


def test_an_unknown_face_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"theme\.font"):
        Theme(font="comic")  # type: ignore[arg-type]


def test_placeholders_are_filled_and_rules_of_css_left_alone() -> None:
    css = "@media (x) { a { color: @accent@; font: 16px @text@; } } /* me@example.com @nobody@ */"
    done = filled(css, Theme(accent="#123456"))
    assert "color: #123456" in done
    assert done.startswith("@media (x) {")
    assert "me@example.com @nobody@" in done


def test_sans_leaves_no_serif_and_each_value_is_safe_inside_css() -> None:
    plain = values(Theme(font="sans"))
    assert "Georgia" not in "".join(plain.values())
    assert "Georgia" in values(Theme())["display"]
    for value in plain.values():
        assert re.fullmatch(r"#[0-9a-f]{6}|[\w ,'-]+", value)


def test_the_guides_examples_of_theme_and_template_work(tmp_path: Path) -> None:
    guide = (Path(__file__).parents[2] / "docs" / "templates.md").read_text("utf-8")
    settings, html = (guide.split(f"```{kind}\n")[1].split("```")[0] for kind in ("toml", "html"))
    (tmp_path / "mail/digest").mkdir(parents=True)
    (tmp_path / "mail/digest/body.html").write_text(html, "utf-8")
    renderer = Renderer(tmp_path, Theme(**tomllib.loads(settings)["theme"]))
    renderer.check()
    told = renderer.render(a_digest_view()).html or ""
    assert "Good morning! 1 papers for the vision group." in told
    assert "#005f8a" in told
    with pytest.raises(ConfigError) as caught:
        Theme(accent="#ffcc00")
    assert str(caught.value) in " ".join(guide.split())
