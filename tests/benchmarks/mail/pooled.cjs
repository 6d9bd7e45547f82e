// nodemailer as its manual says to send much: pooled, composing, with DKIM. Usage:
//   node pooled.cjs MODULES PLAN PORT COUNT CONNECTIONS
// Sends the mails of a plan (see plans.py), prints a line of JSON: messages, CPU-seconds, seconds, mean size.
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { createRequire } = require("node:module");

const [modules, planFile, port, total, connections] = process.argv.slice(2);
const from = createRequire(path.join(path.resolve(modules), "package.json"));
const nodemailer = from("nodemailer");
const composer = from("nodemailer/lib/mail-composer");
const MailComposer = composer.default ?? composer.MailComposer ?? composer;
const plan = JSON.parse(fs.readFileSync(planFile, "utf8"));

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&#34;", "'": "&#39;" };
const e = (text) => String(text).replace(/[&<>"']/g, (c) => ENTITIES[c]);

function html(mail, cut) {
  const papers = mail.papers.map((paper, n) => `
<tr><td style="padding:18px 28px;border-top:1px solid #e4e2da">
<p style="margin:0 0 6px;font-size:13px;line-height:18px;color:#6b6b66">${n + 1} &middot; ${e(paper.facts)} &middot; <span style="color:#9a3412;font-weight:bold">${e(paper.badge)}</span></p>
<h2 style="margin:0 0 6px;font-size:20px;line-height:26px"><a href="${e(paper.url)}" style="color:#1d1d1b;text-decoration:none">${e(paper.title)}</a></h2>
<p style="margin:0 0 8px;font-size:14px;line-height:20px;color:#6b6b66">${e(paper.authors)}</p>
<p style="margin:0 0 10px;font-size:16px;line-height:24px">${e(paper.summary.slice(0, cut))}</p>
<p style="margin:0 0 10px;font-size:14px;line-height:20px;color:#3f3f3a;background:#f4f3ef;padding:6px 10px">${e(paper.reason)}</p>
<p style="margin:0;font-size:14px;line-height:20px"><a href="${e(paper.url)}" style="color:#1f4e79">Abstract</a> &middot; <a href="${e(paper.pdf)}" style="color:#1f4e79">PDF</a> &middot; <a href="${e(paper.code)}" style="color:#1f4e79">Code</a></p>
</td></tr>`).join("\n");
  return `<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${e(mail.subject)}</title></head>
<body style="margin:0;padding:0;background:#f4f3ef;font-family:Georgia,'Times New Roman',serif;color:#1d1d1b">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="background:#f4f3ef"><tr><td align="center">
<table role="presentation" width="640" cellpadding="0" cellspacing="0" border="0" style="max-width:640px;background:#ffffff">
<tr><td style="padding:24px 28px 8px;font-size:13px;color:#6b6b66">${e(mail.day)} &middot; <a href="${e(mail.unsubscribe)}" style="color:#6b6b66">Unsubscribe</a></td></tr>
${papers}
<tr><td style="padding:20px 28px;border-top:1px solid #e4e2da;font-size:13px;line-height:19px;color:#6b6b66">
<p style="margin:0 0 8px"><b>Why you get this:</b> ${e(mail.recipient)} asked for a daily digest.</p>
<p style="margin:0 0 8px"><b>Your interests:</b> ${mail.interests.map(e).join(" &middot; ")}</p>
<p style="margin:0"><a href="${e(mail.preferences)}" style="color:#6b6b66">Preferences</a> &middot; <a href="${e(mail.unsubscribe)}" style="color:#6b6b66">Unsubscribe</a></p>
</td></tr></table></td></tr></table>
</body></html>
`;
}

function text(mail, cut) {
  const papers = mail.papers.map((paper, n) => `
${n + 1}. ${paper.title}
${paper.authors}
${paper.facts}
${paper.summary.slice(0, cut)}
Why: ${paper.reason}
Abstract: ${paper.url}
PDF: ${paper.pdf}
Code: ${paper.code}
`).join("\n");
  return `TRENDING PAPERS
${mail.day}

${papers}
Why you get this: ${mail.recipient} asked for a daily digest.
Your interests: ${mail.interests.join(", ")}
Preferences: ${mail.preferences}
Unsubscribe: ${mail.unsubscribe}
`;
}

function composed(mail, cut) {
  return {
    from: { name: "Trending papers", address: plan.sender },
    to: mail.recipient,
    subject: mail.subject,
    date: new Date(mail.date),
    messageId: mail.message_id,
    headers: {
      "List-Id": `<digest.${plan.domain}>`,
      "List-Unsubscribe": `<${mail.unsubscribe}>`,
      "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    },
    text: text(mail, cut),
    html: html(mail, cut),
  };
}

function size(mail, cut) {
  return new Promise((resolve, reject) => {
    new MailComposer(composed(mail, cut)).compile().build((error, message) => {
      if (error) reject(error);
      else resolve(message.length);
    });
  });
}

/** As much of each abstract as makes the mails as long as the plan asks. */
async function fitting() {
  const sizes = [];
  for (const cut of [50, 450]) {
    const sample = await Promise.all(plan.mails.slice(0, 5).map((mail) => size(mail, cut)));
    sizes.push(sample.reduce((a, b) => a + b) / sample.length);
  }
  const each = (sizes[1] - sizes[0]) / 400;
  return Math.max(0, Math.round(50 + (plan.size - sizes[0]) / each));
}

async function main() {
  const cut = await fitting();
  const transport = nodemailer.createTransport({
    pool: true,
    maxConnections: Number(connections),
    maxMessages: Infinity,
    host: "127.0.0.1",
    port: Number(port),
    secure: false,
    ignoreTLS: true,
    dkim: {
      domainName: plan.domain,
      keySelector: plan.selector,
      privateKey: fs.readFileSync(plan.key_file, "utf8"),
    },
  });
  const count = Number(total);
  let next = 0;
  let octets = 0;
  const work = async () => {
    while (next < count) {
      const mail = plan.mails[next++ % plan.mails.length];
      const info = await transport.sendMail(composed(mail, cut));
      octets += info.messageSize;
    }
  };
  const before = process.cpuUsage();
  const began = process.hrtime.bigint();
  // twice as many in hand as there are connections, so that none waits for work
  await Promise.all(Array.from({ length: 2 * connections }, work));
  const used = process.cpuUsage(before);
  const wall = Number(process.hrtime.bigint() - began) / 1e9;
  transport.close();
  const cpu = (used.user + used.system) / 1e6;
  console.log(JSON.stringify({ messages: count, size: octets / count, cpu_s: cpu, wall_s: wall }));
}

main();
