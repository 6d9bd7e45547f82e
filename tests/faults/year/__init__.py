"""A simulated year: the product's own daemons on a virtual clock, in one process, under faults.

    python -m tests.faults.year SEED [DAYS] [START]

clock    virtual time, and who goes on when: one seeded order of everything that happens
loop     asyncio on that clock
seams    where the product is put on that clock: the one list
trace    what happened, told in lines, and their hash
zones    the oracle's calendar: local dates, by asking a zone what its clocks show
library  simulated works and the sources that list them
post     a simulated relay: its moods, and what it was given
people   subscribers and what they do
hosts    the daemons: ticks, crashes, restarts
weather  what goes wrong, and when
looking  reading a mail as its reader does
oracle   what everybody should have got, judged by the mail that came
books    the ledger's sums, by SQL of our own
year     one run: seed and days in, verdict out
mutants  planted bugs that the oracle must find
"""
