"""What may not come out of any exit, told by the structure of what came out."""

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

# What a browser or a mail program acts upon. `style`, `meta`, `form`, `input`, `button` and `link`
# are of our own templates: a foreign one is told by what `elements` has more than the template's.
_ACTIVE_NAMES = """
    script iframe frame frameset object embed applet base svg math img image audio video source
    marquee bgsound isindex keygen portal foreignobject animate set noscript template
"""
ACTIVE = frozenset(_ACTIVE_NAMES.split())
JOINERS = "\u200c\u200d"
SAFE = ("https://", "http://", "mailto:", "/", "#")
# the mail's own: no address in a style, no expression
_STYLE = re.compile(r"url\s*\(|expression|@import|behaviou?r\s*:|-moz-binding", re.IGNORECASE)
_FORMULA = re.compile(r"\s*[=+\-@\t\r]")


class Html(HTMLParser):
    """A page as a browser would see it: elements, attributes, styles, words."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: set[tuple[str, str]] = set()
        self.count: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self.styles: list[str] = []
        self.headings: list[str] = []
        self._inside: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] += 1
        self.elements |= {(tag, "")} | {(tag, name) for name, _ in attrs}
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag in ("style", "script", "title", "h1", "h2", "h3"):
            self._inside.append(tag)
        if tag.startswith("h") and tag[1:].isdigit():
            self.headings.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            self._inside.remove(tag)

    def handle_data(self, data: str) -> None:
        if "style" in self._inside:
            self.styles.append(data)
            return
        self.texts.append(data)
        if self.headings and any(tag.startswith("h") for tag in self._inside):
            self.headings[-1] += data

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def harm(self) -> Iterator[str]:
        """What in it could do anything."""
        yield from (f"<{tag}>" for tag, _ in self.elements if tag in ACTIVE)
        for tag, name, value in self.attributes:
            acts = name.startswith("on") or name in ("srcdoc", "xlink:href", "background")
            if acts or (name == "formaction" and not value.startswith("/")):
                yield f"{tag} {name}={value[:60]!r}"
            if name in ("href", "src", "action") and not value.startswith(SAFE):
                yield f"{tag} {name}={value[:60]!r}"
            if name == "style" and _STYLE.search(value):
                yield f"{tag} style={value[:60]!r}"
            if tag == "meta" and name == "http-equiv":
                yield f"meta http-equiv={value!r}"
        yield from (f"style {style[:60]!r}" for style in self.styles if _STYLE.search(style))


def in_html(html: str) -> list[str]:
    """What could do anything in a page or a mail that has no script of its own."""
    return [*Html(html).harm(), *in_text(html)]


def in_text(text: str) -> list[str]:
    """Characters that act upon a terminal or hide what is read: controls but line ends and
    tabulators, escapes, directions, surrogates; joiners belong to scripts and emoji.
    """
    return [
        f"{ord(c):04x}"
        for c in dict.fromkeys(text)
        if not c.isprintable()
        and c not in "\n\t" + JOINERS
        and unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
        and c != "\u00ad"
    ]


def on_terminal(text: str) -> list[str]:
    """Of what a command or the log wrote: the same, for a terminal shows all of it."""
    return in_text(text)


def in_csv(text: str) -> list[str]:
    """Cells that a spreadsheet would take for a formula, whichever separator it goes by."""
    rows = list(csv.reader(text.splitlines(keepends=True), strict=True))
    cells = [cell for row in rows[1:] for cell in row]
    # a spreadsheet in a country of decimal commas splits at semicolons and minds no quotes inside
    halves = [half for line in text.splitlines()[1:] for half in line.split(";")[1:]]
    found = [cell for cell in (*cells, *halves) if _FORMULA.match(cell)]
    return [repr(cell[:60]) for cell in found] + in_text(text)


def fields_of(mail: bytes) -> EmailMessage:
    """The mail as a program reads it."""
    found = message_from_bytes(mail, policy=policy.default)
    assert isinstance(found, EmailMessage)
    return found


_OURS = re.compile(
    r"From|To|Subject|Date|Message-ID|Reply-To|List-(?:Id|Unsubscribe|Unsubscribe-Post|Help|Owner"
    r"|Archive|Post)|Auto-Submitted|Feedback-ID|MIME-Version|Content-Type"
    r"|Content-Transfer-Encoding|DKIM-Signature"
)


def in_headers(mail: bytes) -> list[str]:
    """Fields that are not ours, stand twice, or are no fields; read from the bytes themselves."""
    head = mail.partition(b"\r\n\r\n")[0]
    lines = head.split(b"\r\n")
    found = [f"bare line end in {line[:60]!r}" for line in lines if b"\n" in line or b"\r" in line]
    names: list[str] = []
    for line in lines:
        if len(line) > 998:
            found.append(f"line of {len(line)}")
        if line[:1] in (b" ", b"\t"):
            continue
        name, colon, _ = line.partition(b":")
        word = name.decode("latin-1")
        if not colon or not _OURS.fullmatch(word):
            found.append(f"field {line[:60]!r}")
        if word in names and word != "DKIM-Signature":
            found.append(f"{word} twice")
        names.append(word)
    return found
