"""Hostile strings: those of others' collections where they lie, and our own everywhere."""

import json
import os
from pathlib import Path

# make soak leaves none out; read once: tests take the project's variables out of the environment
IS_SOAK = int(os.environ.get("DIGEST_FUZZ_SECONDS", "0")) >= 60

OWN = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</title></h2></a></td><iframe src=javascript:alert(1)>",
    "<svg/onload=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt; &amp;lt;b&amp;gt;",
    "]]><!-- --><![CDATA[<x>",
    "<style>*{background:url(//evil.example)}</style>",
    "expression(alert(1)) -moz-binding:url(x)",
    "{{ 7 * 7 }}{% raw %}{# x #} ${7*7} %(x)s %s {0}",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "a\r\nBcc: victim@example.com\r\n\r\nbody",
    "a\nX-Injected: yes",
    "a\u2028X-Injected: yes\u2029b\x85c\x0bd\x0ce",
    "=?utf-8?q?=0D=0ABcc=3A_victim=40example=2Ecom?=",
    "\x1b[31mred\x1b[0m \x1b]0;title\x07 \x1b]8;;http://evil.example\x1b\\link",
    "\x9b31m C1 \x90payload\x9c \x7f\x08\x08\x08",
    "\u202egnitca\u202c \u2066over\u2069 \u200fright \u061c",
    "zero\u200bwidth\ufeff and \u00adsoft \u2060joined",
    "\x00nul \x1a eof",
    "\ud800 half \udfff and \ufffe\uffff",
    "=cmd|' /C calc'!A0",
    "+1+1;=HYPERLINK(\"http://evil.example\",\"x\")",
    "-1+1", "@SUM(1)", "\t=1+1", "'=1+1", "a;=1+1", "a\\;=1+1", 'a","=1+1', "a; =1+1",
    "'; DROP TABLE subscribers; --",
    "' OR '1'='1", "%_\\*", "$(reboot) `reboot` ; rm -rf / | cat & ",
    "../../../etc/passwd", "..\\..\\boot.ini", "/etc/passwd\x00.html", "CON", "~root", "-rf", ".",
    "a" * 3_000, "\u0301" * 200 + "a" + "\u0320" * 200,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "田中さんにあげて下さい", "الشبكات العصبية", "İstanbul ǅ ß ﬁ Å", "½ ② Ⅷ ٣",
    "$\\frac{1}{0}$ \\href{javascript:alert(1)}{x} \\input{/etc/passwd} \\write18{reboot}",
    "a@b.example, c@d.example", "Name <a@b.example>", "(comment)a@b.example",
)  # fmt: skip


def strings(shared: Path | None, every: int = 1) -> list[str]:
    """Our own, and each `every`-th of the Big List of Naughty Strings and of DOMPurify's payloads,
    counted by a fixed rule; all of them in `make soak`.
    """
    every = 1 if IS_SOAK else every
    if shared is None:
        return list(OWN)
    folder = shared / "hostile"
    naughty: list[str] = json.loads((folder / "blns" / "blns.json").read_text("utf-8"))
    payloads: list[str] = json.loads((folder / "dompurify" / "payloads.json").read_text("utf-8"))
    return [*OWN, *naughty[::every], *payloads[::every]]


def is_plain(text: str) -> bool:
    """Whether it is a text without markup, LaTeX, entities and what cannot be seen: such a text
    comes out as it came in.
    """
    return text.isprintable() and not set(text) & set("<>&\\${}^_~") and len(text) < 200


def sendable(text: str) -> str:
    """What can be sent as UTF-8."""
    return text.encode("utf-8", "replace").decode()
