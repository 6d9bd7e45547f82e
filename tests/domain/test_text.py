import json
import re
import time
import unicodedata
from pathlib import Path

import pytest

from digest.domain.text import (
    ABSTRACT_MOST,
    normalised_title,
    plain_text,
    plain_title,
    safe_url,
    surname,
)

HIDDEN = ("Cc", "Cf", "Cs", "Co")


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("Fast &amp; Small", "Fast & Small"),
        ("Fast &amp;amp; Small", "Fast & Small"),
        ("&lt;b&gt;Bold&lt;/b&gt; moves", "Bold moves"),
        ("&amp;lt;i&amp;gt;x&amp;lt;/i&amp;gt;", "x"),
        ("one<br>two<p>three</p>", "one two three"),
        ("H<sub>2</sub>O", "H2O"),
        ("<script>alert(1)</script>Title", "Title"),
        ("<img src=x onerror=alert(1)>Title", "Title"),
        ("<jats:p>Cells <jats:italic>divide</jats:italic></jats:p>", "Cells divide"),
        ("<!-- hidden --> seen", "seen"),
        ("<![CDATA[inside]]>", "inside"),
        ("a < b and c > d", "a < b and c > d"),
        ("a<b and c>d", "a<b and c>d"),
        ("p<0.05 or q>3", "p<0.05 or q>3"),
        ("the <think> token", "the <think> token"),
        ("List<int> of R&D", "List<int> of R&D"),
        ("two\nlines\r\n  and\ttab", "two lines and tab"),
        ("nul\0 and \x1b[31mred\x1b[0m", "nul and red"),
        ("\u202eright\u202c zero\u200bwidth soft\u00adhyphen", "right zerowidth softhyphen"),
        ("e\u0301", "é"),
        ("🎉 π 数", "🎉 π 数"),
    ],
)
def test_entities_markup_and_hidden_characters_go_and_words_stay(raw: str, plain: str) -> None:
    assert plain_text(raw) == plain


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        (r"a gain of >4\% on R\&D", "a gain of >4% on R&D"),
        (r"abbreviated as \method{}. Our", "abbreviated as method. Our"),
        (r"that \sysname outperforms", "that sysname outperforms"),
        ("+7.1% AP_{BEV} and +3.4% AP_{3D}", "+7.1% AP_BEV and +3.4% AP_3D"),
        ("in $n^2$ steps", "in n² steps"),
        ("$10^{-3}$ and CO$_2$", "10⁻³ and CO₂"),
        ("$O(n \\log n)$", "O(n log n)"),
        ("$\\mathcal{L}_{\\text{KL}}$ in $\\mathbb{R}^d$", "L_KL in ℝ^d"),
        ("2.5$\\times$ on 4$\\times$RTX", "2.5× on 4×RTX"),
        ("\\textbf{FLASH} (\\emph{fast $k$-means})", "FLASH (fast k-means)"),
        ("{\\bf TAM} and {BERT}", "TAM and BERT"),
        ('Andr\\\'e, Landauer-B\\"uttiker, na\\"{\\i}ve', "André, Landauer-Büttiker, naïve"),
        ("Ho\\v{r}ava, {\\o}, \\c{C}a", "Hořava, ø, Ça"),
        ("(\\eg, Indoors) \\etal", "(e.g., Indoors) et al."),
        ("at \\url{https://x.org/a_b}, \\href{https://y.org}{here}", "at https://x.org/a_b, here"),
        ("as shown \\cite{abc}.", "as shown ."),
        ("mathcal{O}(n)", "O(n)"),
        ("$5 and $10, or US $2-$4 billion", "$5 and $10, or US $2-$4 billion"),
        ("cost ($20,209 versus $27,587)", "cost ($20,209 versus $27,587)"),
        ("just 187 and \\800 each", "just 187 and 800 each"),
        ('{"a": 1} and {1,2}', '{"a": 1} and {1,2}'),
        ("C:\\Users\\bob", "C:\\Users\\bob"),
        ("100 % & more", "100 % & more"),
        ("\\input{/etc/passwd}", "/etc/passwd"),
        ("for $x \\in [0, 1)$", "for x ∈ [0, 1)"),
        ("by $17.5%$, $\\textbf{28.5\\%}$ and $\\textbf{77.51%}$", "by 17.5%, 28.5% and 77.51%"),
        ("$\\frac{a$ cut off", "a/ cut off"),
        ("$\\frac$ and \\frac{1}{2}", "/ and 1/2"),
    ],
)
def test_latex_becomes_unicode_and_loses_no_word(raw: str, plain: str) -> None:
    assert plain_text(raw) == plain


def test_long_text_is_cut_at_a_word() -> None:
    title = plain_title("word " * 1_000)
    assert len(title) <= 1_000
    assert title.endswith("word…")
    assert len(plain_text("x" * 50_000)) == ABSTRACT_MOST


@pytest.mark.parametrize(
    "unit",
    ["&lt;!--", "<", "<b>", "<a ", "$", "\\", "\\a{", "&amp;", "$a_{", "\x1b[", "<svg onload='",
     "\\frac{", "$x$", "\\'e", "\\(", "{{a}", "word ", "<!--", "$\\"],
)  # fmt: skip
def test_hostile_text_of_ten_megabytes_costs_little(unit: str) -> None:
    raw = unit * (10_000_000 // len(unit))
    started = time.process_time()
    plain_text(raw)
    assert time.process_time() - started < 1.0


@pytest.mark.parametrize(
    "unit",
    ["\\frac{", "\\sqrt[", "\\sqrt[{", "\\frac{\\sqrt[", "\\begin{a}{", "^{", "\\frac{\\}",
     "\\frac{\\(}", "\\frac{\\verb|}|", "\\frac{\\begin{verbatim}}\\end{verbatim}"],
)  # fmt: skip
@pytest.mark.parametrize("around", ["$…$ and on", "\\sqrt{…} and on", "\\sqrt[…]{x} and on"])
def test_formula_whose_arguments_never_end_costs_little(around: str, unit: str) -> None:
    started = time.process_time()
    plain_text(around.replace("…", unit * (590 // len(unit))))
    plain_text(around.replace("…", unit * (190 // len(unit))))
    assert time.process_time() - started < 1.0


def test_hostile_strings_come_out_visible_and_stable(shared: Path) -> None:
    strings = json.loads((shared / "hostile/blns/blns.json").read_text())
    payloads = json.loads((shared / "hostile/dompurify/payloads.json").read_text())
    strings += [case if isinstance(case, str) else case["payload"] for case in payloads]
    assert len(strings) > 700
    for raw in strings:
        plain = plain_text(raw)
        assert not [c for c in plain if unicodedata.category(c) in HIDDEN], raw
        assert plain_text(plain) == plain
        assert not re.search(r"<(script|img|iframe|svg)[\s/>]", plain.lower()), raw


def test_same_title_in_other_spellings_is_one() -> None:
    spellings = (
        "Few-Shot: Köln’s k-Means?",
        "few shot  köln's K means",
        "FEW‑SHOT KÖLN’S k—means!",
    )
    assert {normalised_title(title) for title in spellings} == {"few shot koln s k means"}


@pytest.mark.parametrize(
    "title", ["张三的论文", "امریکہ کے ساتھ", "Цитата", "हिन्दी", "???", "∞", "x"]
)
def test_normalised_title_is_never_empty(title: str) -> None:
    assert normalised_title(title)


def test_different_titles_stay_different() -> None:
    titles = ["Part 1", "Part 2", "张三", "张四", "???", "!!!"]
    assert len({normalised_title(title) for title in titles}) == len(titles)


@pytest.mark.parametrize(
    ("author", "family"),
    [
        ("Ada Lovelace", "lovelace"),
        ("Lovelace, Ada", "lovelace"),
        ("Lovelace, A. B.", "lovelace"),
        ("Aaron van den Oord", "oord"),
        ("van den Oord, Aaron", "oord"),
        ("André Müller (MIT)", "muller"),
        ("Søren Ørsted", "orsted"),
        ("Martin King, Jr.", "king"),
        ("Conan O’Neil", "oneil"),
        ("Jean-Luc Picard-Smith", "picardsmith"),
        ("张三", "张三"),
        ("Plato", "plato"),
        ("", ""),
        ("???", ""),
    ],
)
def test_surname_is_the_folded_family_name(author: str, family: str) -> None:
    assert surname(author) == family


@pytest.mark.parametrize(
    ("raw", "safe"),
    [
        ("https://x.org/a?b=c#d", "https://x.org/a?b=c#d"),
        ("HTTP://X.org/%41", "http://x.org/%41"),
        ("https://x.org/ä", "https://x.org/%C3%A4"),
        ("https://münchen.de", "https://xn--mnchen-3ya.de"),
        ('https://x.org/"><script>', "https://x.org/%22%3E%3Cscript%3E"),
        ("https://x.org/O'Neill?a='b'", "https://x.org/O%27Neill?a=%27b%27"),
        ("javascript:alert(1)", None),
        ("java\nscript:alert(1)", None),
        ("data:text/html,x", None),
        ("//x.org/a", None),
        ("https://user:pw@x.org", None),
        ("https://x.org/a b", None),
        ("https://x.org/\u202egpj", None),
        ("https://x.org:99999/", None),
        ("http://", None),
        ("https://x.org/" + "a" * 3_000, None),
        ("", None),
        (None, None),
    ],
)
def test_only_plain_web_addresses_pass(raw: str | None, safe: str | None) -> None:
    assert safe_url(raw) == safe
