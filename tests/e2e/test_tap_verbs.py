"""The verbs that read the journal, on recorded streams of a real Asterisk: tap replay, calls, call, tap, tap gaps, tap advise."""
import json
import os

from daemon import run

EVER = ("--since", "2000-01-01")


def play(context, name):
    db = context.path(f"{name}.db")
    code, out, err = run(context, "tap", "replay", os.path.join(context.root, "tests", "ami", f"{name}.txt"), "--db", db)
    assert code == 0, out + err
    return db, err


def lines(context, *args):
    code, out, err = run(context, *args)
    assert code == 0, out + err
    return [json.loads(line) for line in out.splitlines()]


def test_calls_of_a_queue(context):
    db, _ = play(context, "queue-two-agents")
    calls = lines(context, "calls", "--db", db, "--json", *EVER)
    assert [c["caller"] for c in calls] == ["2002", "2001"], calls
    for call in calls:
        assert call["outcome"] == "answered" and call["queue"] == "support" and call["agent"] == "Alice", call
        assert call["queue_outcome"] == "answered" and call["details"]["queues"][0]["agent"] == "Alice", call
    assert calls[0]["queue_us"] > 4_000_000 > calls[1]["queue_us"] > 0, calls
    assert len(lines(context, "calls", "--db", db, "--json", "--queue", "support", *EVER)) == 2
    assert lines(context, "calls", "--db", db, "--json", "--queue", "sales", *EVER) == []
    assert [c["caller"] for c in lines(context, "calls", "--db", db, "--json", "--number", "2001", *EVER)] == ["2001"]
    assert lines(context, "calls", "--db", db, "--json", "--now") == []
    assert len(lines(context, "calls", "--db", db, "--json", "--max", "1", *EVER)) == 1
    code, out, _ = run(context, "calls", "--db", db, *EVER)
    assert code == 0 and "2002" in out and "support" in out and "not watched: node replay" in out, out


def test_one_call_has_a_story(context):
    db, _ = play(context, "blind-transfer-ami")
    call = lines(context, "calls", "--db", db, "--json", *EVER)[0]
    code, out, _ = run(context, "call", call["id"], "--db", db)
    assert code == 0 and "outcome   answered" in out, out
    order = [out.index(word) for word in ("call.started", "call.answered", "transfer.blind", "call.ended")]
    assert order == sorted(order), out
    told = lines(context, "call", call["id"], "--db", db, "--json", "--events")
    kinds = {k for line in told for k in line}
    assert kinds == {"call", "fact", "event"}, kinds
    leg = told[-1]["event"]["headers"]
    assert any(name == "Uniqueid" for name, _ in leg), leg
    by_leg = [value for name, value in leg if name == "Uniqueid"][0]
    assert run(context, "call", by_leg, "--db", db)[0] == 0
    code, out, err = run(context, "call", "no-such-call", "--db", db)
    assert code == 1 and out == "" and "no call no-such-call" in err, out + err


def test_events_come_back_as_they_were(context):
    db, _ = play(context, "many-varset")
    told = lines(context, "tap", "--events", "--once", "--json", "--db", db)
    with open(os.path.join(context.root, "tests", "ami", "many-varset.txt"), encoding="utf-8", errors="surrogateescape", newline="") as f:
        blocks = [b for b in f.read().split("\r\n\r\n") if b.startswith("Event: ")]
    assert len(told) == len(blocks), (len(told), len(blocks))
    for event, block in zip(told, blocks):
        wire = [tuple(line.split(": ", 1)) if ": " in line else (line.rstrip(":"), "") for line in block.split("\r\n")]
        back = [tuple(pair) for pair in event["headers"]]
        assert [name.lower() for name, _ in back] == [name.lower() for name, _ in wire], block
        assert [v for _, v in back] == [v.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for _, v in wire], block
    seqs = [e["seq"] for e in told]
    assert seqs == sorted(set(seqs)), seqs


def test_filters_of_tap(context):
    db, _ = play(context, "queue-abandon")
    all_facts = lines(context, "tap", "--once", "--json", "--db", db)
    queue = lines(context, "tap", "--once", "--json", "--db", db, "--kind", "queue.*")
    assert {f["kind"] for f in queue} == {"queue.joined", "queue.abandoned"}, queue
    assert queue == [f for f in all_facts if f["kind"].startswith("queue.")]
    assert lines(context, "tap", "--once", "--json", "--db", db, "--node", "other") == []
    gaps = lines(context, "tap", "gaps", "--json", "--db", db)
    assert len(gaps) == 1 and gaps[0]["node"] == "replay" and gaps[0]["cause"] == "connection", gaps


def test_forged_events_are_told_and_not_believed(context):
    db, err = play(context, "hostile-sip")
    assert " 0 forged" not in err, err
    calls = lines(context, "calls", "--db", db, "--json", *EVER)
    assert any(c["suspect"] for c in calls) and all(c["outcome"] != "open" for c in calls), calls
    assert any(f["kind"] == "break_in" for f in lines(context, "tap", "--once", "--json", "--db", db))
    code, out, _ = run(context, "calls", "--db", db, *EVER)
    assert code == 0 and "\r" not in out and all(ord(c) >= 32 or c == "\n" for c in out), out


def test_wrong_use_is_one_line(context):
    db, _ = play(context, "plain-call")
    here = os.path.join(context.root, "tests", "ami", "plain-call.txt")
    text = context.write("text.txt", "this is no AMI\n" * 100)
    for args, code, words in (
            (("calls", "--db", context.path("none.db")), 1, "there is none yet"),
            (("calls", "--db", here), 1, "not a journal of sidetone"),
            (("calls", "--db", db, "--since", "yesterday"), 2, "--since: expected a time"),
            (("calls", "--db", db, "--max", "0"), 2, "--max: expected 1 to"),
            (("tap", "gaps", "--db", context.path("none.db")), 1, "there is none yet"),
            (("tap", "replay", here), 2, "expected --db JOURNAL"),
            (("tap", "replay", here, "--db", db), 1, "is there already"),
            (("tap", "replay", context.path("no.txt"), "--db", context.path("x.db")), 1, "no such file"),
            (("tap", "replay", text, "--db", context.path("y.db")), 1, "expected AMI from its banner on"),
            (("tap", "advise", "--also", "Nonsense"), 2, "--also: expected names of events"),
            (("tap", "advise", "--check", "me"), 2, "expected --check and --secret together"),
            (("call",), 2, "call --help")):
        got, out, err = run(context, *args)
        assert got == code and words.lower() in err.lower() and out == "" and err.count("\n") <= 2, (args, got, out, err)


def test_advice_is_ready_to_paste(context):
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\n[node pbx1]\nari = http://127.0.0.1:8088\nari_user = u\n"
                         "ari_secret = @env:HOME\nami = tcp://127.0.0.1:5038\nami_user = watcher\nami_secret = @env:HOME\n")
    code, out, err = run(context, "tap", "advise", "--config", conf, "--also", "UserEvent")
    assert code == 0, err
    assert "[watcher]\n" in out and "read = system,call,agent,dtmf,dialplan,agi,user\n" in out and "write =\n" in out, out
    assert "eventfilter(name(Hangup)) =\n" in out and "eventfilter(name(UserEvent)) =\n" in out, out
    assert "eventfilter(name(VarSet),header(Variable),method(exact)) = QUEUESTATUS\n" in out and "RTCPSent" not in out, out
