"""What most people would write: Jinja2, EmailMessage, dkimpy and aiosmtplib, reader by reader.

`python -m tests.benchmarks.mail.obvious PLAN PORT COUNT CONNECTIONS` sends the mails of a plan (see
`plans`) and prints a line of JSON: messages, CPU-seconds, seconds, mean size.
"""

import asyncio
import json
import sys
import time
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import aiosmtplib
import dkim
from jinja2 import Environment, FileSystemLoader, select_autoescape

TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).with_name("templates")),
    autoescape=select_autoescape(),
)
SIGNED = (
    "from to subject date message-id mime-version content-type list-id list-unsubscribe"
    " list-unsubscribe-post"
)

SAMPLED = (50, 450)


class Stack:
    """Renders, composes and signs the mails of a plan."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self._plan = plan
        self._key = Path(plan["key_file"]).read_bytes()
        self._cut = 0
        self._cut = self._fitting()

    def bytes_of(self, mail: dict[str, Any]) -> bytes:
        """One signed mail."""
        html = TEMPLATES.get_template("digest.html").render(mail=mail, cut=self._cut)
        text = TEMPLATES.get_template("digest.txt").render(mail=mail, cut=self._cut)
        message = EmailMessage()
        message["From"] = f"Trending papers <{self._plan['sender']}>"
        message["To"] = mail["recipient"]
        message["Subject"] = mail["subject"]
        message["Date"] = format_datetime(datetime.fromisoformat(mail["date"]))
        message["Message-ID"] = mail["message_id"]
        message["List-Id"] = f"<digest.{self._plan['domain']}>"
        message["List-Unsubscribe"] = f"<{mail['unsubscribe']}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(text)
        message.add_alternative(html, subtype="html")
        content = message.as_bytes()
        signature = dkim.sign(
            content,
            self._plan["selector"].encode(),
            self._plan["domain"].encode(),
            self._key,
            include_headers=[name.encode() for name in SIGNED.split()],
        )
        return bytes(signature) + content

    def _fitting(self) -> int:
        """As much of each abstract as makes the mails as long as the plan asks."""
        sizes = []
        for self._cut in SAMPLED:
            sample = [len(self.bytes_of(mail)) for mail in self._plan["mails"][:5]]
            sizes.append(sum(sample) / len(sample))
        each = (sizes[1] - sizes[0]) / (SAMPLED[1] - SAMPLED[0])
        return max(0, round(SAMPLED[0] + (self._plan["size"] - sizes[0]) / each))


async def send(stack: Stack, plan: dict[str, Any], port: int, total: int, connections: int) -> int:
    """Send so many messages over so many connections; their octets."""
    numbers = iter(range(total))
    mails = plan["mails"]

    async def work() -> int:
        octets = 0
        client = aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False)
        async with client:
            for number in numbers:
                mail = mails[number % len(mails)]
                content = stack.bytes_of(mail)
                await client.sendmail(plan["sender"], [mail["recipient"]], content)
                octets += len(content)
        return octets

    return sum(await asyncio.gather(*(work() for _ in range(connections))))


def main() -> None:
    plan = json.loads(Path(sys.argv[1]).read_text())
    port, total, connections = map(int, sys.argv[2:])
    stack = Stack(plan)
    cpu, began = time.process_time(), time.perf_counter()
    octets = asyncio.run(send(stack, plan, port, total, connections))
    spent = {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - began}
    print(json.dumps({"messages": total, "size": octets / total, **spent}))


if __name__ == "__main__":
    main()
