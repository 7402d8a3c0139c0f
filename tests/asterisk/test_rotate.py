"""`sidetone rotate` on a real Asterisk while calls run: every user gets a new secret, and the journal has no gap."""
import json
import os
import threading

from clinic import console
from daemon import Daemon, run
from test_init import Fresh, not_fine


def test_rotate_under_calls_loses_no_event(context):
    fresh = Fresh(context)
    daemon = Daemon(context, fresh.conf, wait="event=ready")
    ami = fresh.pbx.ami("call")
    before = {name: fresh.text(f"pbx1.{name}") for name in ("tap", "control", "ari")}
    done = {}

    def rotate():
        done["result"] = run(context, "rotate", "pbx1", "--config", fresh.conf, "--asterisk-etc", fresh.etc, "--asterisk", console(context), timeout=60)

    thread = threading.Thread(target=rotate)
    thread.start()
    calls = 0
    while thread.is_alive() or calls < 20:
        ami.originate("Local/brief@test", "sidetone-test", "100")
        ami.wait("OriginateResponse")
        calls += 1
        thread.join(0.05)
    code, out, err = done["result"]
    assert code == 0 and not err and out.count("a login with it works") == 3, out + err
    after = {name: fresh.text(f"pbx1.{name}") for name in before}
    assert all(before[name] != after[name] for name in before)
    code, checks = fresh.doctor()
    assert code == 0 and not_fine(checks) == [], checks
    log = daemon.text()
    assert log.count("mod=ami event=up") == 2 and "event=down" not in log and "login_refused" not in log, log

    # cut off, the sessions come again with the new secrets, which nobody told them
    listed = ami.command("manager show connected")
    ours = [line.split() for line in listed.splitlines() if line.startswith("  sidetone-") and not line.startswith("  sidetone-pri")]
    assert len(ours) == 2, listed
    for line in ours:
        ami.command(f"manager kick session {line[4]}")
    daemon.wait_log("mod=ami event=up", count=4)

    code, gaps, err = run(context, "tap", "gaps", "--config", fresh.conf, "--json", "--since", "2000-01-01")
    kinds = [json.loads(line) for line in gaps.splitlines()]
    assert code == 0 and len(kinds) == 1, gaps + err + listed
    assert daemon.stop() == 0
    code, told, err = run(context, "calls", "--config", fresh.conf, "--json", "--since", "2000-01-01", "--max", "1000")
    stored = [json.loads(line) for line in told.splitlines()]
    assert code == 0 and len(stored) == calls, (calls, len(stored), told[-2000:])
    with open(os.path.join(context.path("state"), "rotation.json"), encoding="utf-8") as f:
        assert sorted(r["user"] for r in json.load(f)["rotations"]) == ["sidetone", "sidetone-control", "sidetone-tap"]


def test_rotate_on_asterisk_goes_back(context):
    """The program that should tell Asterisk does nothing: the old secrets stay in force, in the files, too."""
    fresh = Fresh(context)
    files = [os.path.join(fresh.etc, "manager.conf"), os.path.join(fresh.out, "pbx1.control")]
    before = [open(name, encoding="utf-8").read() for name in files]
    code, out, err = run(context, "rotate", "pbx1", "--control", "--config", fresh.conf, "--asterisk-etc", fresh.etc, "--asterisk", "/bin/true", timeout=60)
    assert code == 1 and out == "" and "everything is as it was" in err, out + err
    assert [open(name, encoding="utf-8").read() for name in files] == before


def test_rotate_on_asterisk_ends_what_was_cut_off(context):
    """Killed when Asterisk was to be told, and when it had been: the next run says so, and ends with the secret that our file had then."""
    fresh = Fresh(context)
    asterisk = console(context)
    args = ("rotate", "pbx1", "--control", "--config", fresh.conf, "--asterisk-etc", fresh.etc, "--asterisk")
    for script, words in (("kill -9 $PPID", "before Asterisk read manager.conf again; it goes on"),
                          (f"{asterisk} \"$@\"; kill -9 $PPID", "in force already; it ends now")):
        killer = context.write("killer", f"#!/bin/sh\n{script}\n")
        os.chmod(killer, 0o755)
        before = fresh.text("pbx1.control")
        code, out, err = run(context, *args, killer, timeout=60)
        assert code == -9 and out + err == "" and fresh.text("pbx1.control") != before, out + err
        under_way = fresh.text("pbx1.control")
        code, out, err = run(context, *args, asterisk, timeout=60)
        assert code == 0 and words in out and "a login with it works" in out and fresh.text("pbx1.control") == under_way, out + err
    code, checks = fresh.doctor()
    assert not [c for c in checks if c["check"] in ("rotation", "ami login") and c["verdict"] != "OK"], checks
