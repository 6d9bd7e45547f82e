"""A reader of pages: the fields as a browser would send them, and what marks them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"input", "meta", "link", "br", "hr", "img"}


@dataclass
class Page(HTMLParser):
    """What a page holds: values by field name, attributes by id, its text and its addresses."""

    html: str
    values: dict[str, str] = field(default_factory=dict)
    by_id: dict[str, dict[str, str]] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    addresses: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._open: list[tuple[str, dict[str, str]]] = []
        self._select: str | None = None
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag not in _VOID:
            self._open.append((tag, found))
        if "id" in found:
            self.by_id[found["id"]] = found
        self.addresses += [found[name] for name in ("href", "src", "action") if name in found]
        if tag == "input":
            self.values[found["name"]] = found.get("value", "")
        if tag == "textarea":
            self.values[found["name"]] = ""
        if tag == "select":
            self._select = found["name"]
        if tag == "option" and "selected" in found and "value" in found and self._select:
            self.values[self._select] = found["value"]

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for _, attributes in self._open:
            if "id" in attributes:
                self.words[attributes["id"]] = self.words.get(attributes["id"], "") + data
        tag, attributes = self._open[-1] if self._open else ("", {})
        if tag == "textarea":  # the line end right after <textarea> is no part of it
            self.values[attributes["name"]] += data.removeprefix("\n")
        if tag == "option" and "selected" in attributes and "value" not in attributes:
            self.values[self._select or ""] = data
