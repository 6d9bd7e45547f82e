"""Which parts of the mails which mail programs know, by the tables of caniemail.com.

Needs node and the modules caniemail, doiuse-email and html-validate in the folder that
DIGEST_TEST_NODE names (`.venv/node` without it).
"""

import json
import os
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest

from digest.domain.schedule import Schedule
from digest.domain.subscribers import Status
from digest.mail.render import Renderer
from digest.mail.views import (
    access_view,
    change_address_view,
    confirm_view,
    frame_for_stranger,
    frame_of,
    welcome_view,
)
from tests.builders import a_paper, a_subscriber
from tests.mail.mails import IDENTITY, MANAGE, SITE, a_digest_view, a_reason, a_rich_paper

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
CLIENTS = ["gmail.*", "outlook.*", "apple-mail.*", "yahoo.*"]
KINDS = ("digest", "confirm", "welcome", "access", "change_address")

# What some of these programs do not know, or know in part, and why the mail stays good without it.
# A feature that is not here fails the test, and so does an entry that is no longer needed.
KNOWN = {
    # no support at all in some program
    "@media": "no narrow or dark layout: the inline one is fluid, and light colours are inline",
    "<style> element": "holds only @media and color-scheme; all else is inline",
    "display:none": "only the preheader: 1 px high there, and mso-hide in Outlook",
    "overflow": "only the preheader, which is 1 px text of the ground's colour",
    "float": "the votes follow the links on the left instead of standing on the right",
    "border-radius": "corners are square",
    "word-break": "an address longer than the line is cut by the program or widens the column",
    "aria-hidden attribute": "a screen reader reads the preheader, which is a sentence",
    "role attribute": "a screen reader may announce a layout table",
    "<body> element": "becomes a div: the table inside carries the ground's colour too",
    # support in part: the part that is missing is not used, or costs nothing but looks
    "padding": "Outlook for Windows pads cells only: links lose room for a thumb, and are clicked",
    "margin": "none is negative",
    "background": "colours only, no images",
    "display": "none and block only",
    "text-align": "left and center only",
    "text-decoration": "none alone: links of action are bold where they are underlined instead",
    "font-size": "px only",
    "font-weight": "600 and 700, which count as bold everywhere, and 400",
    "line-height": "Outlook for Windows sets lines a little further apart",
    "letter-spacing": "under half a pixel",
    "max-width": "of a table, as Outlook wants it; phones are narrower anyway",
    "width attribute": "100% of tables only",
    "width property": "of tables and cells only",
    "height property": "not used: the tables take max-height for it",
    "border": "1 px and 4 px; a rule above the last line may be missing in Outlook for Windows",
    "align attribute": "of cells only",
    "lang attribute": "on <html> only",
    "dir attribute": "on <html> only, ltr",
    "mailto: links": "no bcc in them",
}

# What html-validate wants of web pages and a mail cannot give.
NOT_FOR_MAIL = {
    "no-inline-style": "off",  # mail programs drop or rewrite <style>
    "no-deprecated-attr": "off",  # Outlook for Windows wants width, align, cellpadding, cellspacing
    "no-conditional-comment": "off",  # its only way to a fixed width
}

SUPPORT = """
import { caniemail } from "caniemail";
import { doIUseEmail } from "doiuse-email";
import fs from "fs";
const { html, clients } = JSON.parse(fs.readFileSync(0, "utf8"));
const found = new Set();
const { issues } = caniemail({ clients, html });
for (const kind of ["errors", "warnings"])
  for (const [, list] of issues[kind]) for (const issue of list) found.add(issue.title);
const told = doIUseEmail(html, { emailClients: clients });
for (const kind of ["errors", "warnings"])
  for (const line of told[kind] ?? []) found.add(line.match(/`(.*?)`/)[1]);
console.log(JSON.stringify([...found]));
"""

VALID = """
import { HtmlValidate } from "html-validate";
import fs from "fs";
const { html, rules } = JSON.parse(fs.readFileSync(0, "utf8"));
const validator = new HtmlValidate({ extends: ["html-validate:recommended"], rules });
const report = await validator.validateString(html);
console.log(JSON.stringify(report.results.flatMap(
  result => result.messages.map(m => `${m.ruleId}, line ${m.line}: ${m.message}`))));
"""


def asked(script: str, module: str, **values: object) -> list[str]:
    """The script's answer; skips where node or the module is missing."""
    node = shutil.which("node")
    folder = Path(os.environ.get("DIGEST_TEST_NODE", ROOT / ".venv" / "node"))
    if node is None:
        pytest.skip("node is absent")
    if not (folder / "node_modules" / module).is_dir():
        pytest.skip(f"the node module {module} is absent from {folder}")
    done = subprocess.run(
        [node, "--input-type=module", "-e", script],
        input=json.dumps(values).encode(),
        cwd=folder,
        capture_output=True,
        check=True,
        timeout=120,
    )
    answer: list[str] = json.loads(done.stdout)
    return answer


@cache
def mails() -> dict[str, str]:
    subscriber = a_subscriber("ada@example.com", "continual learning")
    frame = frame_of(subscriber, replace(IDENTITY, contact="owner@example.org"), MANAGE)
    papers = (
        a_rich_paper(1),
        a_rich_paper(2, tldr="Forgetting helps."),
        a_paper("Tides", number=3),
    )
    views = {
        "digest": replace(
            a_digest_view(*papers, voting=f"{SITE}/feedback/f.t.s/"),
            reading_url=f"{SITE}/digests/r.t.s/2026-03-12",
        ),
        "confirm": confirm_view(frame, confirm_url=f"{SITE}/confirm/c.t.s", valid_days=7),
        "welcome": welcome_view(frame, Schedule(), datetime(2026, 3, 13, 8, tzinfo=UTC)),
        "access": access_view(frame, Status.ACTIVE),
        "change_address": change_address_view(
            frame_for_stranger("ada@example.net", IDENTITY),
            change_url=f"{SITE}/change-address/c.t.s",
            valid_days=2,
        ),
    }
    return {name: Renderer().render(view).html or "" for name, view in views.items()}


def support_of(html: str) -> set[str]:
    asked(SUPPORT, "doiuse-email", html="<p>-</p>", clients=CLIENTS)
    return set(asked(SUPPORT, "caniemail", html=html, clients=CLIENTS))


@pytest.mark.parametrize("kind", KINDS)
def test_mail_programs_know_all_that_matters(kind: str) -> None:
    assert support_of(mails()[kind]) - set(KNOWN) == set()


def test_each_explained_feature_is_still_in_use() -> None:
    calm = a_digest_view(reason=a_reason(rising=False))
    seen = set().union(*map(support_of, [*mails().values(), Renderer().render(calm).html or ""]))
    assert set(KNOWN) - seen == set()


def test_the_tables_would_tell_of_what_mail_programs_do_not_know() -> None:
    html = '<div style="position:fixed;filter:blur(1px)">Tides</div>'
    assert {"position", "filter"} <= support_of(html)


@pytest.mark.parametrize("kind", KINDS)
def test_the_html_is_valid(kind: str) -> None:
    assert asked(VALID, "html-validate", html=mails()[kind], rules=NOT_FOR_MAIL) == []


def test_invalid_html_would_be_told() -> None:
    assert asked(VALID, "html-validate", html="<p><div></p>", rules=NOT_FOR_MAIL) != []
