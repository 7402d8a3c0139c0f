"""The tap on a real Asterisk: order, gaps, resynchronising, clocks, filters, forgers."""
import os
import re
import signal
import time

from pbx import Pbx
from tap import PLAN, USERS, TapHouse

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
