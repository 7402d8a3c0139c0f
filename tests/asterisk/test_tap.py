"""The tap on a real Asterisk: order, gaps, resynchronising, clocks, filters, forgers."""
import os
import re
import signal
import sqlite3
import time

from pbx import Pbx
from sipcall import SipCall
from tap import PLAN, USERS, ShiftedPbx, TapHouse

CHANNELS = "SELECT count(*) FROM call WHERE outcome = 'open'"


def names_of(house, where="1"):
    return [row[0].decode() if isinstance(row[0], bytes) else row[0]
            for row in house.query(f"SELECT n.text FROM event e JOIN name n ON n.id = e.name WHERE {where} ORDER BY e.id")]


def test_tap_keeps_every_event_of_a_call(context):
    house = TapHouse(context)
    house.start()
    ami = house.pbxs[0].ami("call,user,dialplan")
    ami.originate("Local/quiet@test", "test", "short")
    for _ in (";1", ";2"):
        ami.wait("Hangup")
    house.wait_query("SELECT 1 FROM call WHERE outcome = 'answered'")
    house.wait_query(CHANNELS, until=lambda rows: rows == [(0,)])
    seen = [e["Event"] for e in ami.seen if e.get("Event") in ("Newchannel", "Hangup", "BridgeEnter", "BridgeLeave", "UserEvent", "DialBegin", "DialEnd")]
    kept = [n for n in names_of(house) if n in ("Newchannel", "Hangup", "BridgeEnter", "BridgeLeave", "UserEvent", "DialBegin", "DialEnd")]
    assert seen == kept[-len(seen):] and len(seen) == 7, (seen, kept)
    assert house.query("SELECT count(*), count(DISTINCT seq), max(seq) - min(seq) FROM event")[0][0] > 20
    assert house.daemon.stop() == 0, house.daemon.text()
    text = house.daemon.text()
    assert "secret" not in text.replace("ami_secret", ""), text


def test_tap_survives_a_restart_of_asterisk_in_the_middle_of_a_call(context):
    house = TapHouse(context)
    house.start()
    ami = house.pbxs[0].ami("call")
    ami.originate("Local/quiet@test", "test", "long")
    house.wait_query(CHANNELS, until=lambda rows: rows[0][0] >= 1)
    house.daemon.wait_log("event=resynchronised")
    os.kill(house.pbxs[0].pid, signal.SIGKILL)
    house.daemon.wait_log("event=gap_begins")
    port = house.pbxs[0].ami_port
    ami.close()
    house.pbxs[0].kill()
    again = Pbx(context, PLAN, name="a", configs={"manager": USERS}, arguments=("--ami-port", str(port)))
    house.daemon.wait_log("event=resynchronised", count=2)
    rows = house.wait_query("SELECT cause, to_us - from_us FROM gap WHERE to_us > 0 AND cause != 'restart'")
    assert rows[0][0] == "connection" and rows[0][1] > 0, rows
    house.wait_query("SELECT outcome FROM call", until=lambda rows: rows and all(r[0] == "unobserved" for r in rows))
    ami = again.ami("call,user")
    ami.originate("Local/quiet@test", "test", "short")
    house.wait_query("SELECT 1 FROM call WHERE outcome = 'answered'")
    assert house.daemon.stop() == 0


def test_tap_finds_calls_that_went_on_through_a_gap(context):
    house = TapHouse(context)
    house.start()
    ami = house.pbxs[0].ami("call,system")
    ami.originate("Local/quiet@test", "test", "long")
    house.wait_query(CHANNELS, until=lambda rows: rows[0][0] == 1)
    house.daemon.wait_log("event=resynchronised")
    sessions = ami.command("manager show connected")
    fd = next(line.split()[4] for line in sessions.splitlines() if line.split()[:1] == ["tapuser"])
    ami.command(f"manager kick session {fd}")
    house.daemon.wait_log("event=resynchronised", count=2)
    rows = house.wait_query("SELECT g.cause, g.calls_affected FROM gap g WHERE to_us > 0 AND cause = 'connection'")
    assert rows == [("connection", 1)], rows
    assert house.query("SELECT outcome, partial FROM call") == [("open", 1)], house.query("SELECT outcome, partial FROM call")
    ami.action("Hangup", Channel="/^Local/")
    house.wait_query(CHANNELS, until=lambda rows: rows == [(0,)])
    assert house.query("SELECT outcome FROM call")[0][0] != "unobserved"


def test_tap_estimates_a_shifted_clock_and_keeps_the_order(context):
    house = TapHouse(context, nodes=2)
    shifted = ShiftedPbx(context, house.pbxs[1], 0.5)
    house.start()
    limit = time.monotonic() + 30
    while True:
        m = house.metrics()
        offsets = [m.get(f'sidetone_ami_clock_offset_seconds{{node="{n}"}}') for n in "ab"]
        if all(o is not None for o in offsets) and abs(offsets[1] - 0.5) < 0.02:
            break
        assert time.monotonic() < limit, offsets
        time.sleep(0.1)
    assert abs(offsets[0]) < 0.02, offsets
    amis = [p.ami("user") for p in house.pbxs]
    for i in range(10):
        for ami in amis:
            ami.originate("Local/quiet@test", "test", "short")
        time.sleep(0.1)
    house.wait_query("SELECT count(*) FROM call WHERE outcome != 'open'", until=lambda rows: rows[0][0] >= 20, seconds=30)
    rows = house.query("SELECT e.id, e.session, e.seq, e.at_us, e.recv_us FROM event e ORDER BY e.id")
    # recv_us is kept as its distance from at_us: by our clock both nodes' events are fresh
    assert all(abs(recv) < 200000 for _, _, _, _, recv in rows[50:]), [r for r in rows[50:] if abs(r[4]) >= 200000][:5]
    last = {}
    for ident, session, seq, _, _ in rows:      # within a node nothing is reordered, so each Linkedid's events stand in the order of their causes
        assert seq > last.get(session, 0), (ident, session, seq, last)
        last[session] = seq
    assert house.metrics()['sidetone_ami_late_total{node="a"}'] <= len(rows) / 10
    assert house.daemon.stop() == 0
    shifted.kill()


def test_tap_filters_are_installed_and_hold(context):
    house = TapHouse(context, user="tapwriter", node_lines="ami_filter = !Event: CEL\nami_filter = eventfilter(action(exclude),name(Newexten)) =\n")
    house.start()
    ami = house.pbxs[0].ami("call,user,dialplan")
    ami.originate("Local/quiet@test", "test", "short")
    house.wait_query("SELECT 1 FROM call WHERE outcome = 'answered'")
    ami.wait("CEL")
    assert not {"CEL", "Newexten"} & set(names_of(house)), names_of(house)
    assert house.metrics()['sidetone_ami_filters_hold{node="a"}'] == 1
    assert "filter_refused" not in house.daemon.text() and "filters_do_not_hold" not in house.daemon.text()


def test_tap_filters_that_do_not_hold_are_reported(context):
    house = TapHouse(context, node_lines="ami_filter = !Event: Newexten\n")
    house.start()
    house.daemon.wait_log("event=filter_refused")
    ami = house.pbxs[0].ami("call,user,dialplan")
    ami.originate("Local/quiet@test", "test", "short")
    house.daemon.wait_log("event=filters_do_not_hold")
    line = next(l for l in house.daemon.text().splitlines() if "event=filters_do_not_hold" in l)
    assert re.search(r"event=Newexten", line), line
    assert house.metrics()['sidetone_ami_filters_hold{node="a"}'] == 0


def test_tap_filters_of_manager_conf_hold_without_any_write(context):
    house = TapHouse(context, user="filtered", node_lines="ami_filter = !Event: Newexten\n",
                     manager="[filtered]\nsecret = tap-secret\nread = system,call,user,dialplan\neventfilter = !Event: Newexten\n")
    house.start()
    house.daemon.wait_log("event=filter_refused")
    ami = house.pbxs[0].ami("call,user,dialplan")
    ami.originate("Local/quiet@test", "test", "short")
    house.wait_query("SELECT 1 FROM call WHERE outcome = 'answered'")
    assert "Newexten" not in names_of(house) and "filters_do_not_hold" not in house.daemon.text()


def test_tap_without_timestamps_says_so_and_guesses_nothing(context):
    house = TapHouse(context, manager="[general](+)\ntimestampevents = no\n")
    house.start()
    house.pbxs[0].ami("call").originate("Local/quiet@test", "test", "short")
    house.daemon.wait_log("event=no_timestamps")
    house.wait_query("SELECT 1 FROM call WHERE outcome = 'answered'")
    assert not [k for k in house.metrics() if k.startswith("sidetone_ami_event_lag_seconds")], house.metrics()


def test_tap_asks_for_some_classes_only(context):
    house = TapHouse(context, node_lines="ami_events = call,system\n")
    house.start()
    house.pbxs[0].ami("call").originate("Local/quiet@test", "test", "short")
    house.wait_query("SELECT 1 FROM call WHERE outcome = 'answered'")
    assert "Newchannel" in names_of(house) and not {"Newexten", "UserEvent"} & set(names_of(house)), names_of(house)


def test_tap_without_a_control_user_names_the_calls_unobserved(context):
    house = TapHouse(context, control=None)
    house.start()
    ami = house.pbxs[0].ami("call,system")
    ami.originate("Local/quiet@test", "test", "long")
    house.wait_query(CHANNELS, until=lambda rows: rows[0][0] == 1)
    sessions = ami.command("manager show connected")
    fd = next(line.split()[4] for line in sessions.splitlines() if line.split()[:1] == ["tapuser"])
    ami.command(f"manager kick session {fd}")
    house.daemon.wait_log("event=not_resynchronised", count=2)
    house.wait_query("SELECT outcome FROM call", until=lambda rows: rows[0] == ("unobserved",))


def test_tap_does_not_believe_a_hostile_sip_caller(context):
    house = TapHouse(context)
    house.start()
    ami = house.pbxs[0].ami("call")
    ami.originate("Local/quiet@test", "test", "long")
    born = ami.wait("Newchannel")
    house.wait_query(CHANNELS, until=lambda rows: rows[0][0] == 1)
    forged = f"20%0d%0a%0d%0aEvent%3a%20Hangup%0d%0aUniqueid%3a%20{born['Uniqueid']}%0d%0aCause%3a%2016%0d%0a"
    call = SipCall(context, house.pbxs[0].sip_port, "100", ending="bye", stay_ms=1000, number=forged)
    house.daemon.wait_log("event=break_in")
    assert call.finish() == 0, call.trace()
    time.sleep(1)
    assert house.metrics()['sidetone_ami_forged_total{node="a"}'] > 0
    rows = house.query("SELECT c.outcome FROM call c JOIN leg l ON l.call = c.key WHERE l.uniqueid = ?", born["Uniqueid"])
    assert rows == [("open",)], rows
    ami.action("Hangup", Channel="/^Local/")
    house.wait_query("SELECT c.outcome FROM call c JOIN leg l ON l.call = c.key WHERE l.uniqueid = ?", born["Uniqueid"],
                     until=lambda r: r and r[0][0] not in ("open", "unobserved"))


def test_tap_stalled_store_does_not_touch_the_calls(context):
    """The daemon's writer stands still (another process holds the file's lock); Asterisk's calls go on, and what was lost is named."""
    house = TapHouse(context, extra="[tap]\nqueue_events = 200\n")
    house.start()
    ami = house.pbxs[0].ami("user")
    house.daemon.wait_log("event=resynchronised")
    lock = sqlite3.connect(os.path.join(house.state, "tap.db"), timeout=10, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    began = time.monotonic()
    for i in range(40):
        ami.originate("Local/quiet@test", "test", "short")
    for i in range(40):
        ami.wait("UserEvent", seconds=20, UserEvent="Mark", What="short")
    took = time.monotonic() - began
    time.sleep(max(0, 3 - took))
    assert "event=unreachable" not in house.daemon.text(), house.daemon.text()[-2000:]
    lock.execute("ROLLBACK")
    lock.close()
    house.wait_query("SELECT events_lost FROM gap WHERE cause = 'overflow' AND to_us > 0", until=lambda r: r and r[0][0] > 0, seconds=30)
    house.wait_query(CHANNELS, until=lambda rows: rows == [(0,)], seconds=30)
    ami.originate("Local/quiet@test", "test", "short")
    house.wait_query("SELECT 1 FROM call WHERE outcome = 'answered' AND partial = 0", seconds=30)
