"""Record, replay, shadow: from a legacy handler to a new one with proof."""
import glob
import json
import os

from agi_peer import AgiPeer
from daemon import Daemon, free_port, run

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
