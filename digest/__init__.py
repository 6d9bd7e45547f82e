"""Trending papers in your inbox, once a day: the map of the house.

    domain/     the rules, pure: papers, trends, interests, schedule, digests, deliveries
    ranking/    pure, arrays in and out: vocabulary → lexical → match → select → explain
    sources/    outside → Batch: polite HTTP, Hugging Face, arXiv, feeds, listing pages, JSONL
    store/      rows ↔ domain: engine, tables, papers, subscribers, ledger; all SQL stands here
    mail/       digest → wire and back: render, message, dkim, transport; returns, mailboxes
    services/   the verbs: collect, compose, deliver, subscribe, bounce, suppress, preview, transfer
    cli/        one file per noun: command line ↔ services, no rules
    daemon.py   APScheduler ticks; the schedule itself is data in the store
    settings/   the only reader of TOML and environment
    app.py      where settings become an engine, sources, relay and clock; parts.py: those of mail

Imports point one way: cli, daemon → app → services → sources | store | mail | ranking → domain →
errors. Templates and migrations lie beside this package in a checkout, and inside it in a wheel.
"""

__version__ = "0.1.0"
