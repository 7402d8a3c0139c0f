"""The tap's verbs on a real Asterisk: a recording gives the same calls as the daemon; the advised lines give the same facts."""
import json
import os
import subprocess
import threading

from daemon import run
from pbx import Pbx
from tap import PLAN, USERS, TapHouse

ENV = {"TAP": "tap-secret", "CONTROL": "control-secret", "SMALL": "small-secret"}
QUEUES = "[general]\n[support]\nstrategy = ringall\ntimeout = 3\nretry = 1\njoinempty = yes\nmember => Local/quiet@test/n,0,Alice\n"
MORE = PLAN.replace("[test]\n", "[test]\nexten => q,1,Queue(support,,,,5)\n same => n,Hangup()\n"
                    "exten => record,1,Answer()\n same => n,MixMonitor(x.wav)\n same => n,Wait(0.3)\n same => n,Hangup()\n", 1)


def facts(context, db):
    code, out, err = run(context, "tap", "--once", "--json", "--db", db)
    assert code == 0, err
    return [(f["kind"], f["call"], f["at_us"], json.dumps(f["detail"], sort_keys=True)) for f in map(json.loads, out.splitlines())]


def make_calls(ami, count):
    for i in range(count):
        ami.originate("Local/quiet@test", "test", ("short", "record", "q")[i % 3])


def test_recording_gives_what_the_daemon_stored(context):
    house = TapHouse(context)
    house.start()
    file = context.path("events.txt")
    recorder = subprocess.Popen([context.program, "tap", "record", file, "--config", house.conf, "--node", "a", "--seconds", "300"],
                                stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, env={**os.environ, **ENV})
    context.at_end(lambda: recorder.poll() is None and recorder.kill())
    assert b"recording a into" in recorder.stderr.readline()
    ami = house.pbxs[0].ami("call")
    ami.originate("Local/quiet@test", "test", "short")
    house.wait_query("SELECT count(*) FROM call WHERE outcome = 'answered'", until=lambda rows: rows == [(1,)])
    recorder.terminate()
    told = recorder.communicate(timeout=20)[1].decode()
    assert recorder.returncode == 0 and " events in " in told, told
    assert house.daemon.stop() == 0
    again = context.path("again.db")
    code, out, err = run(context, "tap", "replay", file, "--db", again, "--node", "a")
    assert code == 0, out + err
    live = [f for f in facts(context, os.path.join(house.state, "tap.db")) if f[0] != "node.up"]
    assert [(kind, call) for kind, call, _, _ in facts(context, again)] == [(kind, call) for kind, call, _, _ in live] and len(live) > 4, live
    code, out, err = run(context, "tap", "record", file, "--config", house.conf, env=ENV)
    assert code == 1 and "is there already" in err, err


def test_calls_and_call_while_the_daemon_runs(context):
    house = TapHouse(context)
    house.start()
    ami = house.pbxs[0].ami("call")
    ami.originate("Local/quiet@test", "test", "long")
    house.wait_query("SELECT count(*) FROM call WHERE outcome = 'open'", until=lambda rows: rows == [(1,)])
    code, out, err = run(context, "calls", "--now", "--json", "--config", house.conf)
    assert code == 0, err
    call = json.loads(out)
    assert call["outcome"] == "open" and call["node"] == "a", call
    code, out, err = run(context, "call", call["id"], "--config", house.conf)
    assert code == 0 and "call.started" in out and "outcome   open" in out, out + err


def test_advised_lines_give_the_same_facts(context):
    """The lines are pasted as they are printed, under another name, beside the user that reads everything."""
    plan = context.write("advise.conf", f"[sidetone]\nstate_dir = {context.path('none')}\n[node a]\nami = tcp://127.0.0.1:5038\nami_user = small\n"
                         "ami_secret = @env:TAP\n")
    code, out, err = run(context, "tap", "advise", "--config", plan)
    assert code == 0, err
    lines = out.replace("; secret, deny and permit as they are\n", "secret = small-secret\n")
    house = TapHouse(context, pbxs=[Pbx(context, MORE, configs={"manager": USERS + lines, "queues": QUEUES})])
    done = {}

    def check():
        done["result"] = run(context, "tap", "advise", "--config", house.conf, "--check", "small", "--secret", "@env:SMALL", "--seconds", "8",
                             timeout=60, env=ENV)

    ami = house.pbxs[0].ami("call")
    thread = threading.Thread(target=check)
    thread.start()
    while thread.is_alive():
        make_calls(ami, 3)
        thread.join(1.0)
    code, out, err = done["result"]
    assert code == 0 and out.endswith("the same facts\n"), out + err
    share = int(out.split("; ")[-1].split(" %")[0])
    assert share < 70, out


def test_lines_that_keep_too_much_away_are_found_out(context):
    users = USERS + "[small]\nsecret = small-secret\nread = call\nwritetimeout = 5000\neventfilter(name(Newchannel)) =\n"
    house = TapHouse(context, pbxs=[Pbx(context, MORE, configs={"manager": users, "queues": QUEUES})])
    ami = house.pbxs[0].ami("call")
    result = {}
    thread = threading.Thread(target=lambda: result.update(r=run(context, "tap", "advise", "--config", house.conf, "--check", "small", "--secret",
                                                                 "@env:SMALL", "--seconds", "4", timeout=60, env=ENV)))
    thread.start()
    while thread.is_alive():
        make_calls(ami, 1)
        thread.join(0.5)
    code, out, err = result["r"]
    assert code == 1 and "different" in out, out + err
    code, out, err = run(context, "tap", "advise", "--config", house.conf, "--check", "small", "--secret", "@env:CONTROL", "--seconds", "2", env=ENV)
    assert code == 1 and "small" in err, out + err
