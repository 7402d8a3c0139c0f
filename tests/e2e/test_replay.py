"""Record, replay, shadow: from a legacy handler to a new one with proof."""
import glob
import http.server
import json
import os
import socket
import sqlite3
import threading
import time

from agi_peer import AgiPeer
from daemon import Daemon, free_port, run
from runner import Skip

OLD = """function handle(call)
  local number = call:get('CALLERID(num)')
  call:set('X', number or 'none')
  call:exec('NoOp', 'old')
end
"""
SAME = """local function caller(call) return call:get('CALLERID(num)') end
function handle(call)
  local number = caller(call)
  call:set('X', number and number or 'none')
  call:exec('NoOp', 'old')
end
"""
OTHER = """function handle(call)
  call:set('Y', 'first')
  call:set('X', (call:get('CALLERID(num)') or 'none') .. '!')
end
"""
ASKS_NEW = "function handle(call)\n  call:get('NEVER_RECORDED')\n  call:set('Z', '1')\nend\n"
CRASHES = "function handle(call)\n  call:get('CALLERID(num)')\n  error('no')\nend\n"
LOOPS = "function handle(call)\n  while true do end\nend\n"
NUMBER = "4930123456"


def start(context, route="", more=""):
    port = free_port()
    for name, text in (("old", OLD), ("same", SAME), ("other", OTHER), ("asks_new", ASKS_NEW), ("crashes", CRASHES), ("loops", LOOPS)):
        context.write(f"handlers/{name}.lua", text)
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\nworkers = 2\n"
                         f"[fastagi]\nlisten = 127.0.0.1:{port}\n[route old]\nhandler = old.lua\ndeadline = 5s\n{route}\n{more}")
    return Daemon(context, conf), port, conf


def call(port, script="old", caller=NUMBER, **more):
    peer = AgiPeer(port, script, caller=caller, **more)
    peer.environment()
    peer.answer_all({"GET VARIABLE": f"200 result=1 ({caller})", "EXEC": "200 result=0"})
    peer.close()
    return peer.variables


def listed(context, *what):
    code, out, err = run(context, "replay", "--list", *what, "--db", context.path("state", "sidetone.db"), "--json")
    assert code == 0, err
    return [json.loads(line) for line in out.splitlines()]


def replay(context, what, handler, *more):
    return run(context, "replay", str(what), "--with", context.path("handlers", handler + ".lua"), "--db",
               context.path("state", "sidetone.db"), *more)


def test_record_rewrite_replay(context):
    daemon, port, _ = start(context, "record = yes")
    for caller in ("1001", "1002", "1003"):
        assert call(port, caller=caller)["X"] == caller
    assert daemon.stop() == 0
    sessions = listed(context, "old")
    assert len(sessions) == 3 and all(s["status"] == "OK" and s["commands"] == 3 and not s["masked"] for s in sessions), sessions
    assert listed(context, "another") == []
    code, out, err = replay(context, "old", "same")
    assert code == 0 and "3 sessions played, 0 differ" in out, (code, out, err)
    code, out, err = replay(context, "old", "old", "--max", "2")
    assert code == 0 and "2 sessions played, 0 differ" in out, (code, out, err)

    code, out, err = replay(context, sessions[0]["session"], "other")
    assert code == 1 and "1 session played, 1 differ" in out, (code, out, err)
    assert '- SET VARIABLE "X" "1001"' in out and '+ SET VARIABLE "X" "1001!"' in out and '+ SET VARIABLE "Y" "first"' in out, out
    assert '- EXEC "NoOp" "old"' in out and 'variable X: recorded "1001", now "1001!"' in out, out
    assert 'variable Y: recorded not set, now "first"' in out, out

    code, out, _ = replay(context, sessions[0]["session"], "other", "--json")
    told = json.loads(out)
    assert code == 1 and not told["equal"] and told["outcome"]["equal"], told
    assert {"name": "X", "recorded": "1001", "now": "1001!"} in told["variables"], told

    code, out, _ = replay(context, "old", "asks_new")
    assert code == 1 and "the replay ends here" in out, out
    code, out, _ = replay(context, "old", "crashes")
    assert code == 1 and "outcome: recorded OK" in out and "ERROR handler_error" in out, out
    code, out, _ = replay(context, "old", "loops")
    assert code == 1 and "ERROR budget" in out, out


SCRIPT = """#!/usr/bin/env python3
import sys
while sys.stdin.readline().strip():
    pass
def ask(line):
    print(line, flush=True)
    return sys.stdin.readline()
number = ask('GET VARIABLE CALLERID(num)').split('(')[1].rstrip(')\\n')
ask(f'SET VARIABLE X "{number}SUFFIX"')
ask('EXEC NoOp old')
"""


def test_a_script_and_its_handler_are_one(context):
    """Recorded of a hosted script, played to a handler; recorded of a handler, played to a script."""
    if "tsan" in os.path.basename(context.build):
        raise Skip("gcc 12's thread sanitizer takes clone(CLONE_VM | CLONE_VFORK) for a fork and no longer sees what that thread locks")
    for name, suffix in (("legacy.py", ""), ("wrong.py", "0")):
        os.chmod(context.write(name, SCRIPT.replace("SUFFIX", suffix)), 0o755)
    os.chmod(context.dir, 0o755)
    daemon, port, conf = start(context, "record = yes", f"[route legacy]\nscript = {context.path('legacy.py')}\nrecord = yes\nshadow = old.lua\n"
                               f"[fastagi](+)\nscript_cwd = {context.dir}\n")
    assert call(port)["X"] == NUMBER
    assert call(port, "legacy")["X"] == NUMBER
    got = until(15, lambda: (r := routes(context, conf)["legacy"]) and r["shadow"]["sessions"] and r)
    assert got["shadow"]["differing"] == 0, got
    assert daemon.stop() == 0
    code, out, err = replay(context, "legacy", "old")
    assert code == 0 and "1 session played, 0 differ" in out, (code, out, err)
    db = context.path("state", "sidetone.db")
    code, out, err = run(context, "replay", "old", "--with", context.path("legacy.py"), "--db", db)
    assert code == 0 and "1 session played, 0 differ" in out, (code, out, err)
    code, out, err = run(context, "replay", "old", "--with", context.path("wrong.py"), "--db", db)
    assert code == 1 and f'variable X: recorded "{NUMBER}", now "{NUMBER}0"' in out, (code, out, err)
    code, out, err = run(context, "replay", "old", "--with", context.path("absent.py"), "--db", db)
    assert code == 1 and "absent.py" in err, (code, out, err)


def test_wrong_use(context):
    daemon, port, conf = start(context, "record = yes")
    call(port)
    assert daemon.stop() == 0
    assert run(context, "replay")[0] == 2
    assert run(context, "replay", "old")[0] == 2
    assert run(context, "replay", "old", "--with", "x.lua", "--max", "0")[0] == 2
    assert run(context, "replay", "--list", "--with", "x.lua")[0] == 2
    code, out, err = replay(context, "nobody", "same")
    assert code == 1 and out == "" and "nobody" in err, (code, out, err)
    code, out, err = replay(context, "old", "missing")
    assert code == 1 and out == "" and "missing.lua" in err, (code, out, err)
    code, out, err = run(context, "replay", "old", "--with", context.path("handlers", "same.lua"), "--config", conf)
    assert code == 0, (code, out, err)


def test_masked_numbers_are_nowhere(context):
    daemon, port, _ = start(context, "record = yes\nrecord_mask = numbers")
    more = [("agi_rdnis", "+49 (40) 987-654"), ("agi_arg_1", "0" + NUMBER[2:]), ("agi_calleridname", f"me {NUMBER}")]
    assert call(port, more=more)["X"] == NUMBER
    assert call(port, caller="4930123457")["X"] == "4930123457"
    assert daemon.stop() == 0
    found = b""
    for name in glob.glob(context.path("state", "sidetone.db*")):
        with open(name, "rb") as f:
            found += f.read()
    assert b"GET VARIABLE" in found
    for number in (NUMBER, NUMBER[2:], NUMBER[-7:], "4940987654", "49 (40) 987-654", "4930123457"):
        assert number.encode() not in found, number
    sessions = listed(context)
    assert len(sessions) == 2 and all(s["masked"] for s in sessions)
    code, out, err = replay(context, "old", "same")  # hidden everywhere alike, so it still plays
    assert code == 0 and "0 differ" in out, (out, err)


def test_record_max_keeps_the_newest(context):
    daemon, port, _ = start(context, "record = yes\nrecord_max = 5")
    for i in range(12):
        call(port, caller=f"20{i:02}")
    assert daemon.stop() == 0
    assert len(listed(context)) == 5
    assert not os.path.exists(context.path("state", "admin.sock"))


def routes(context, conf):
    code, out, err = run(context, "routes", "--json", "--config", conf)
    assert code == 0, (out, err)
    told = json.loads(out)
    assert told["loops"] == 2 and told["loops_late"] == 0, told
    return {r["route"]: r for r in told["routes"]}


def until(seconds, what):
    limit = time.monotonic() + seconds
    while not (got := what()):
        assert time.monotonic() < limit, "it did not come true"
        time.sleep(0.02)
    return got


def shadowed(context, handler, calls=3, **more):
    """Calls a route with a shadow, each once the one before is judged; gives its figures, and the variables of the last call."""
    daemon, port, conf = start(context, f"shadow = {handler}.lua\nrecord = yes", **more)
    for i in range(calls):
        variables = call(port)
        got = until(15, lambda: (r := routes(context, conf)["old"]) and r["shadow"]["sessions"] + r["shadow"]["skipped"] > i and r)
    return daemon, got, variables, conf


def test_an_equal_shadow_counts_nothing(context):
    daemon, got, variables, _ = shadowed(context, "same")
    assert variables == {"X": NUMBER, "SIDETONE_STATUS": "OK", "SIDETONE_REASON": "", "SIDETONE_CALL": "1700000000.1"}, variables
    assert got["shadow"] == {"sessions": 3, "differing": 0, "differences": 0, "skipped": 0, "off": False, "last": ""}, got
    assert got["sessions"] == 3 and got["active"] == 0 and got["errors"] == 0 and got["recorded"] == 3, got
    assert got["command"]["count"] == 9 and got["session"]["count"] == 3 and got["session"]["p99_us"] >= got["session"]["p50_us"] > 0, got
    assert daemon.stop() == 0


def test_a_differing_shadow_is_counted_and_touches_nothing(context):
    daemon, got, variables, conf = shadowed(context, "other")
    assert variables == {"X": NUMBER, "SIDETONE_STATUS": "OK", "SIDETONE_REASON": "", "SIDETONE_CALL": "1700000000.1"}, variables
    assert got["shadow"]["sessions"] == 3 and got["shadow"]["differing"] == 3 and got["shadow"]["differences"] >= 9, got
    assert "SET VARIABLE" in got["shadow"]["last"], got
    code, out, err = run(context, "routes", "--config", conf)
    assert code == 0 and "3 of 3 differ" in out and "last difference: command" in out and "(none)" in out, (out, err)
    assert daemon.stop() == 0


def test_a_crashing_shadow_disturbs_nobody(context):
    daemon, got, variables, _ = shadowed(context, "crashes")
    assert variables["SIDETONE_STATUS"] == "OK" and variables["X"] == NUMBER, variables
    assert got["errors"] == 0 and got["shadow"]["differing"] == 3, got
    assert daemon.stop() == 0


def test_a_looping_shadow_is_switched_off(context):
    daemon, got, variables, conf = shadowed(context, "loops", calls=12)
    assert variables["SIDETONE_STATUS"] == "OK" and got["errors"] == 0 and got["sessions"] == 12, got
    assert got["shadow"]["off"] and got["shadow"]["sessions"] <= 6 and got["shadow"]["skipped"] >= 6, got  # three for each of two loops
    assert "event=shadow_off" in daemon.text()
    assert daemon.stop() == 0


def test_a_masked_route_shows_no_number(context):
    daemon, port, conf = start(context, "shadow = other.lua\nrecord_mask = numbers")
    call(port)
    got = until(10, lambda: (r := routes(context, conf)["old"]) and r["shadow"]["sessions"] and r)
    assert got["shadow"]["last"] and NUMBER not in json.dumps(got) and got["recorded"] == 0, got
    assert daemon.stop() == 0


def test_routes_of_nobody(context):
    daemon, _, conf = start(context)
    assert os.stat(context.path("state", "admin.sock")).st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(context.path("state", "admin.sock"))
        s.sendall(b"no-such-verb\n")
        assert json.loads(s.makefile().read()) == {"error": "no such verb"}
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(10)
        s.connect(context.path("state", "admin.sock"))
        s.sendall(b"x" * 5000)
        try:
            assert s.recv(100) == b""
        except ConnectionError:
            pass
    assert routes(context, conf)["old"]["sessions"] == 0
    assert daemon.stop() == 0
    assert not os.path.exists(context.path("state", "admin.sock"))
    code, out, err = run(context, "routes", "--config", conf)
    assert code == 1 and out == "" and "no daemon runs here" in err, (code, out, err)
    assert run(context, "routes", "word")[0] == 2


ASKS = """function handle(call)
  local name = store.get('name', call.env.agi_callerid) or 'nobody'
  local again = store.get('name', 'none at all') or 'nobody'
  store.put('seen', call.env.agi_callerid, 'yes')
  local r = http.get('http://127.0.0.1:@HTTP@/rate?of=' .. call.env.agi_callerid)
  local ok, e = pcall(http.post, 'http://127.0.0.1:1/closed', { body = 'x' })
  call:set('X', name .. ' ' .. again .. ' ' .. r.status .. ' ' .. r.body .. ' ' .. tostring(ok) .. ' ' .. e.code)
end
"""
ASKS_MORE = ASKS.replace("  call:set(", "  store.put('seen', 'more', 'yes')\n  store.get('name', 'other')\n"
                         "  pcall(http.get, 'http://127.0.0.1:@HTTP@/more')\n  call:set(")


class Rates(http.server.BaseHTTPRequestHandler):
    """A web service whose answer is another one each time."""
    count = 0

    def do_GET(self):
        Rates.count += 1
        body = f"rate {Rates.count}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def asking(context, route):
    """One recorded call of ASKS, and then another world: (what the call set, the data base)."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Rates)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    context.at_end(lambda: (server.shutdown(), thread.join(), server.server_close()))
    place = f"127.0.0.1:{server.server_port}"
    for name, text in (("asks", ASKS), ("asks_more", ASKS_MORE)):
        context.write(f"handlers/{name}.lua", text.replace("127.0.0.1:@HTTP@", place))
    db = context.path("state", "sidetone.db")
    os.mkdir(context.path("state"))
    assert run(context, "store", "import", "name", context.write("n.csv", f"{NUMBER},Ada\n"), "--db", db)[0] == 0
    daemon, port, _ = start(context, "", f"[route asks]\nhandler = asks.lua\nhttp_hosts = {place}, 127.0.0.1:1\ndeadline = 5s\n{route}\n")
    told = call(port, "asks")["X"]
    assert daemon.stop() == 0
    assert run(context, "store", "import", "name", context.write("n.csv", f"{NUMBER},Grace\nother,Ann\n"), "--db", db)[0] == 0
    return told, db


def test_replay_answers_look_ups_as_recorded(context):
    told, db = asking(context, "record = yes")
    before = Rates.count
    assert told == f"Ada nobody 200 rate {before} false http", told
    code, out, err = replay(context, "asks", "asks")
    assert code == 0 and "1 session played, 0 differ" in out and "note" not in out, (code, out, err)
    code, out, err = replay(context, "asks", "asks_more")
    assert code == 0 and "0 differ" in out, (code, out, err)  # more questions are no difference on the channel
    assert "note: store.get name other: not in the recording; answered by the store as it is now" in out, out
    assert "note: store.put seen more: not in the recording; nothing is written" in out and "/more: not in the recording; a replay sends nothing" in out, out
    code, out, _ = replay(context, "asks", "asks_more", "--json")
    assert len(json.loads(out.splitlines()[0])["notes"]) == 3, out
    assert Rates.count == before
    # a recording of an older version holds no questions
    with sqlite3.connect(db) as store:
        tape = store.execute("SELECT tape FROM session").fetchone()[0]
        assert b"store.get name 4930123456" in tape, tape
        kept, rest = b"", tape
        while rest:
            kind, us, n, rest = rest.split(b" ", 3)
            text, rest = rest[:int(n)], rest[int(n) + 1:]
            kept += b"%s %s %s %s\n" % (kind, us, n, text) if kind not in (b"q", b"a") else b""
        store.execute("UPDATE session SET tape = ?", (kept,))
    store.close()
    code, out, _ = replay(context, "asks", "asks")
    assert code == 1 and "note: store.get name 4930123456: not in the recording" in out and "ERROR handler_error" in out, out


def test_replay_of_masked_look_ups(context):
    told, db = asking(context, "record = yes\nrecord_mask = numbers")
    assert told.startswith("Ada "), told
    with sqlite3.connect(db) as store:
        tape = store.execute("SELECT tape FROM session").fetchone()[0]
    store.close()
    assert b"store.get name " in tape and NUMBER.encode() not in tape, tape
    code, out, err = replay(context, "asks", "asks")
    assert code == 0 and "0 differ" in out and "note" not in out, (code, out, err)
