"""The daemon's tap against stand-ins of the manager port: TLS, refusals, floods, reconnects, sinks, and the end of the daemon."""
import json
import os
import re
import shutil
import signal
import sqlite3
import time

from ami_standin import AmiStandin, authority, event, pin_of
from daemon import Daemon, run
from runner import Skip


class TapPlace:
    def __init__(self, context, peer, node="", extra="", control=True, scheme="tcp"):
        self.context = context
        self.state = context.path("state")
        os.makedirs(self.state, exist_ok=True)
        users = "control_user = control\ncontrol_secret = @env:S\n" if control else ""
        self.conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {self.state}\nworkers = 1\nlog_level = debug\n"
                                                   f"[node pbx1]\nami = {scheme}://127.0.0.1:{peer.port}\nami_user = tap\nami_secret = @env:S\n{users}{node}\n{extra}")

    def start(self, wait="event=ready", secret="s3"):
        self.daemon = Daemon(self.context, self.conf, env={"S": secret}, wait=wait)
        return self.daemon

    def rows(self, sql):
        db = sqlite3.connect(f"file:{self.state}/tap.db?mode=ro", uri=True, timeout=10)
        try:
            return db.execute(sql).fetchall()
        finally:
            db.close()

    def wait_rows(self, sql, until=bool, seconds=20):
        limit = time.monotonic() + seconds
        while True:
            rows = self.rows(sql)
            if until(rows):
                return rows
            assert time.monotonic() < limit, (sql, rows[-10:], self.daemon.text()[-3000:])
            time.sleep(0.05)


EVENTS = "SELECT count(*), count(DISTINCT seq), min(seq), max(seq) FROM event"


def needs_openssl():
    if not shutil.which("openssl"):
        raise Skip("openssl is not installed")


def test_tap_stores_what_comes(context):
    peer = AmiStandin(context)
    place = TapPlace(context, peer)
    place.start()
    tap = peer.session("tap")
    tap.say(event("Newchannel", "1.1") + event("Hangup", "1.1", "Cause: 16\nCause-txt: Normal\n"))
    place.wait_rows(EVENTS, lambda r: r[0][0] == 2)
    assert ("tap", "CoreShowChannels") not in peer.actions and ("control", "CoreShowChannels") in peer.actions, peer.actions
    assert {a for u, a in peer.actions if u == "tap"} <= {"Ping"}, peer.actions
    assert peer.plain is False
    assert place.daemon.stop() == 0, place.daemon.text()
    assert "s3" not in place.daemon.text(), place.daemon.text()


def test_tap_plain_login(context):
    peer = AmiStandin(context)
    TapPlace(context, peer, node="ami_plain = yes\n").start()
    peer.session("tap")
    assert peer.plain is True and (None, "Challenge") not in peer.actions


def test_tap_over_tls_with_an_own_authority(context):
    needs_openssl()
    ca, certificate = authority(context, "ca")
    peer = AmiStandin(context, certificate=certificate)
    place = TapPlace(context, peer, node=f"ca = {ca}\nami_pin = {pin_of(certificate)}\n", scheme="tls")
    place.start()
    peer.session("tap").say(event("Newchannel", "1.1"))
    place.wait_rows(EVENTS, lambda r: r[0][0] == 1)
    assert "not verified" not in place.daemon.text()


def test_tap_refuses_a_certificate_of_somebody_else(context):
    needs_openssl()
    _, certificate = authority(context, "ca")
    other, _ = authority(context, "other")
    peer = AmiStandin(context, certificate=certificate)
    place = TapPlace(context, peer, node=f"ca = {other}\n", scheme="tls")
    place.start(wait="event=unreachable")
    time.sleep(0.5)
    assert not peer.actions and not peer.sessions, peer.actions


def test_tap_refuses_a_key_that_is_not_pinned(context):
    needs_openssl()
    ca, certificate = authority(context, "ca")
    _, other = authority(context, "other")
    peer = AmiStandin(context, certificate=certificate)
    place = TapPlace(context, peer, node=f"ca = {ca}\nami_pin = {pin_of(other)}\n", scheme="tls")
    place.start(wait="event=unreachable")
    time.sleep(0.5)
    assert not peer.actions and not peer.sessions, peer.actions


def test_tap_insecure_says_so_in_every_line_of_the_node(context):
    needs_openssl()
    _, certificate = authority(context, "ca")
    peer = AmiStandin(context, certificate=certificate)
    place = TapPlace(context, peer, node="insecure = yes\n", scheme="tls")
    place.start()
    peer.session("tap").say(event("Newchannel", "1.1"))
    place.wait_rows(EVENTS, lambda r: r[0][0] == 1)
    peer.lose()
    place.daemon.wait_log("event=gap_begins")
    lines = [l for l in place.daemon.text().splitlines() if ("mod=ami" in l or "mod=tap" in l) and "node=" in l and "gap_stored" not in l and "gap_closed" not in l]
    assert lines and all("certificate not verified" in l or "tls_not_verified" in l for l in lines), lines


def test_tap_refused_login_is_told_and_tried_again(context):
    peer = AmiStandin(context)
    place = TapPlace(context, peer)
    place.start(wait="event=login_refused", secret="wrong")
    assert "Authentication failed" in place.daemon.text() and "wrong" not in place.daemon.text()
    peer.secret = "wrong"
    peer.session("tap", seconds=30)
    rows = place.wait_rows("SELECT cause, to_us FROM gap", lambda r: not r or r[0][1] > 0)
    assert all(cause in ("refused", "restart") for cause, _ in rows), rows


def test_tap_reconnects_and_names_the_gap(context):
    peer = AmiStandin(context)
    place = TapPlace(context, peer)
    place.start()
    place.daemon.wait_log("event=resynchronised")
    peer.session("tap").say(event("Newchannel", "1.1") + event("Newchannel", "2.2"))
    place.wait_rows("SELECT count(*) FROM call WHERE outcome = 'open'", lambda r: r == [(2,)])
    peer.channels = ["2.2"]
    peer.lose()
    place.daemon.wait_log("event=resynchronised", count=2)
    place.wait_rows("SELECT cause, calls_affected FROM gap WHERE to_us > from_us", lambda r: r == [("connection", 2)])
    place.wait_rows("SELECT id, outcome FROM call ORDER BY id", lambda r: r == [("1.1", "unobserved"), ("2.2", "open")])
    peer.session("tap").say(event("Hangup", "2.2", "Cause: 16\nCause-txt: Normal\n"))
    place.wait_rows("SELECT outcome FROM call WHERE id = '2.2'", lambda r: r[0][0] not in ("open", "unobserved"))
    assert len(place.rows("SELECT DISTINCT session FROM event")) == 2


def test_tap_flood_is_stored_whole(context):
    peer = AmiStandin(context)
    place = TapPlace(context, peer)
    place.start()
    tap = peer.session("tap")
    block = "".join(event("Newstate", f"{i}.1") for i in range(100))
    for _ in range(200):
        tap.say(block)
    rows = place.wait_rows(EVENTS, lambda r: r[0][0] >= 20000, seconds=60)
    assert rows[0][0] == 20000 and rows[0][1] == 20000, rows
    assert place.rows("SELECT * FROM gap") == []
    assert place.daemon.stop() == 0


def test_tap_killed_daemon_leaves_a_prefix_and_a_gap(context):
    peer = AmiStandin(context)
    place = TapPlace(context, peer)
    place.start()
    tap = peer.session("tap")
    for _ in range(50):
        tap.say("".join(event("Newstate", f"{i}.1") for i in range(20)))
        time.sleep(0.01)
    place.wait_rows(EVENTS, lambda r: r[0][0] > 100)
    place.daemon.process.send_signal(signal.SIGKILL)
    place.daemon.process.wait(10)
    count, distinct, least, most = place.rows(EVENTS)[0]
    told = re.findall(r"event=resynchronised node=pbx1 channels=(\d+)", place.daemon.text())
    notes = most - least + 1 - count      # the list of channels has numbers, too: one each, and its end
    assert count == distinct and notes in (0, int(told[0]) + 1 if told else 0), (count, distinct, least, most, told)
    peer.lose()
    place.start()
    place.daemon.wait_log("event=resynchronised")
    place.wait_rows("SELECT cause, to_us > from_us FROM gap", lambda r: r == [("restart", 1)])
    assert place.rows("SELECT count(*) FROM call WHERE outcome = 'open'") == [(0,)]


def test_tap_sink_gets_every_fact_once_more_or_less(context):
    peer = AmiStandin(context)
    out = context.path("facts.jsonl")
    place = TapPlace(context, peer, extra=f"[sink file]\ndriver = jsonl\nfile = {out}\ncarry = facts\nkinds = call.*\n")
    place.start()
    tap = peer.session("tap")
    for i in range(20):
        tap.say(event("Newchannel", f"{i}.1") + event("Hangup", f"{i}.1", "Cause: 16\nCause-txt: Normal\n"))
    place.wait_rows("SELECT count(*) FROM call WHERE outcome != 'open'", lambda r: r == [(20,)])
    assert place.daemon.stop() == 0     # at once: the sinks have their linger
    with open(out, encoding="utf-8") as f:
        lines = [json.loads(line) for line in f]
    assert len([l for l in lines if l["kind"] == "call.ended"]) == 20, lines[:3]
    assert all(l["kind"].startswith("call.") for l in lines)
    cursor = place.rows("SELECT fact_id FROM cursor WHERE sink = 'file'")
    assert cursor == place.rows("SELECT max(id) FROM fact"), cursor
    place.start()
    time.sleep(0.5)
    assert place.daemon.stop() == 0
    with open(out, encoding="utf-8") as f:
        assert len([l for l in map(json.loads, f) if l["kind"] == "call.ended"]) == 20


def test_tap_configuration_mistakes_have_one_line_each(context):
    text = ("[node a]\nami = tcp://127.0.0.1:5038\nami_user = tap\n[node b]\napp = x\n[node c]\nami = tcp://127.0.0.1:5038\nami_user = t\nami_secret = @env:S\n"
            "ami_filter = eventfilter(action(hide)) =\n[sink s]\ndriver = jsonl\n")
    conf = context.write("bad.conf", text)
    code, out, err = run(context, "config", "check", conf, env={"S": "x"})
    told = (out + err).strip().splitlines()
    assert code == 1, told
    for what in ("node a/ami_secret", "node b/ari", "node c/ami_filter", "sink s/file"):
        assert len([l for l in told if what in l]) == 1, (what, told)
