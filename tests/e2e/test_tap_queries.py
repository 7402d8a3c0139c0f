"""The queries that docs/tap.md offers run on a journal, and give what the recorded calls were."""
import os
import re
import sqlite3

from daemon import run


def queries(context):
    with open(os.path.join(context.root, "docs", "tap.md"), encoding="utf-8") as f:
        text = "\n".join(re.findall(r"```sql\n(.*?)```", f.read(), re.S))
    return [q.strip() for q in text.split(";") if q.strip()]


def journal_of(context, *streams):
    both = context.path("both.txt")
    with open(both, "wb") as out:
        for name in streams:
            with open(os.path.join(context.root, "tests", "ami", f"{name}.txt"), "rb") as f:
                out.write(f.read())
    db = context.path("tap.db")
    code, _, err = run(context, "tap", "replay", both, "--db", db)
    assert code == 0, err
    return db


def test_queries_of_the_documentation_run(context):
    db = sqlite3.connect(journal_of(context, "queue-two-agents", "queue-abandon"))
    # The streams are some years from now or ago: "the last 7 days" is about now.
    db.execute("UPDATE call SET started_us = (strftime('%s', 'now') - 3600) * 1000000")
    found = queries(context)
    assert len(found) >= 4, found
    rows = {q.split("\n")[0]: db.execute(q).fetchall() for q in found}
    rates = next(r for head, r in rows.items() if "answer rate" in head)
    assert rates == [("deaf", 1, 0.0, 100.0), ("support", 2, 100.0, 0.0)], rates
    level = next(r for head, r in rows.items() if "service level" in head)
    assert level == [("deaf", 0.0), ("support", 100.0)], level
    share = next(r for head, r in rows.items() if "AGI" in head)
    assert [row[1] for row in share] == [0.0], share
