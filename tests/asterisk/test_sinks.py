"""A real Asterisk, a real PostgreSQL, a real nats-server and a file: whatever ends in between, each has what the journal has, by key, once."""
import collections
import json
import os
import signal
import time

from real_servers import Nats, Postgres
from tap import TapHouse

SINKS = """
[sink warehouse]
driver = postgres
carry = both
url = {postgres}
user = test
[sink stream]
driver = nats
carry = both
url = {nats}
[sink log]
driver = jsonl
carry = both
file = {file}
"""
OPEN = "SELECT count(*) FROM call WHERE outcome = 'open'"
FACTS = "SELECT o.name || '/' || s.began_us || '/' || f.seq || '/' || f.n FROM fact f JOIN session s ON s.id = f.session JOIN node o ON o.id = s.node"
EVENTS = "SELECT o.name || '/' || s.began_us || '/' || e.seq || '/e' FROM event e JOIN session s ON s.id = e.session JOIN node o ON o.id = s.node"


def calls(house, ami, count=4):
    """Begins some; each lives for a moment, all of them until `until_over`."""
    for _ in range(count):
        ami.originate("Local/quiet@test", "test", "short")
    house.wait_query(OPEN, until=lambda rows: rows[0][0] > 0)


def until_over(house):
    house.wait_query(OPEN, until=lambda rows: rows == [(0,)])


def ended(house):
    return house.query("SELECT count(*) FROM call WHERE outcome != 'open'")[0][0]


def until_delivered(house, names=("warehouse", "stream", "log"), seconds=90):
    """Back-off has a say in this: up to a minute after a long outage."""
    limit = time.monotonic() + seconds
    while True:
        standing = {s["sink"]: s for s in house.verb("sinks")}
        if all(standing[name]["depth"] == 0 for name in names):
            assert all(s["dead_letters"] == 0 for s in standing.values()), standing
            return
        assert time.monotonic() < limit, (standing, house.daemon.text()[-3000:])
        time.sleep(0.1)


def once(keys, expected, what):
    counts = collections.Counter(keys)
    twice = [k for k, n in counts.items() if n > 1]
    missing, made_up = set(expected) - set(counts), set(counts) - set(expected)
    assert not twice and not missing and not made_up, (what, len(expected), "twice", twice[:5], "missing", sorted(missing)[:5], "made up", sorted(made_up)[:5])


def test_every_sink_has_the_journal_once_whatever_is_stopped(context):
    postgres, nats, lines = Postgres(context), Nats(context), context.path("out.jsonl")
    postgres.start()
    nats.start()
    house = TapHouse(context, extra=SINKS.format(postgres=postgres.url, nats=nats.url, file=lines))
    house.start()
    house.daemon.wait_log("event=resynchronised")
    ami = house.pbxs[0].ami("off")
    calls(house, ami)
    until_over(house)
    until_delivered(house)

    calls(house, ami)                       # PostgreSQL goes away while calls run; the others go on
    postgres.stop()
    calls(house, ami)
    until_over(house)
    house.daemon.wait_log("PostgreSQL")
    until_delivered(house, ("stream", "log"))
    assert {s["sink"]: s["depth"] > 0 for s in house.verb("sinks")} == {"warehouse": True, "stream": False, "log": False}
    postgres.start()
    calls(house, ami)

    nats.kill()                             # while PostgreSQL catches up
    calls(house, ami)
    until_over(house)
    house.daemon.wait_log("NATS")
    until_delivered(house, ("warehouse", "log"))
    nats.start()

    calls(house, ami)                       # and the daemon itself, while NATS catches up
    house.daemon.process.send_signal(signal.SIGKILL)
    house.daemon.process.wait(10)
    house.start()
    house.daemon.wait_log("event=resynchronised")
    calls(house, ami)
    until_over(house)
    until_delivered(house)
    count = ended(house)
    assert house.daemon.stop() == 0, house.daemon.text()[-3000:]

    facts = [key for key, in house.query(FACTS)]
    events = [key for key, in house.query(EVENTS)]
    assert count >= 20 and len(facts) >= 2 * count and len(events) > 10 * count, (count, len(facts), len(events))
    assert len(set(facts)) == len(facts) and len(set(events)) == len(events)
    once([key for key, in postgres.rows("SELECT node || '/' || session || '/' || seq || '/' || n FROM sidetone_facts")], facts, "facts in PostgreSQL")
    once([key for key, in postgres.rows("SELECT node || '/' || session || '/' || seq || '/e' FROM sidetone_events")], events, "events in PostgreSQL")
    messages = nats.messages()
    assert all(ident == body["key"] for ident, body in messages)
    once([ident for ident, _ in messages], facts + events, "NATS")
    with open(lines, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    once([row["key"] for row in rows], facts + events, "the file")
    assert not os.path.exists(lines + ".1")

    def told(some):
        return {row["key"]: row["detail"] for row in some if row["type"] == "fact"}

    assert told(rows) == told(body for _, body in messages)
    kept = {key: json.loads(detail) for key, detail in
            postgres.rows("SELECT node || '/' || session || '/' || seq || '/' || n, detail FROM sidetone_facts")}
    assert told(rows) == kept
    print(f"    {count} calls, {len(facts)} facts, {len(events)} events")
