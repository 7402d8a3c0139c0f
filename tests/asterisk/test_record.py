"""Recordings of real calls: replayed to the same script, to its handler, and shadowed, with a channel of a real Asterisk."""
import json
import os
import time

from daemon import Daemon, free_port, run
from pbx import Pbx

SCRIPT = """#!/usr/bin/env python3
import sys
env = {}
while line := sys.stdin.readline().strip():
    name, _, value = line.partition(': ')
    env[name] = value
def ask(line):
    print(line, flush=True)
    return sys.stdin.readline()
name = ask('GET VARIABLE CALLERID(name)').split('(', 1)[1].rstrip()[:-1]
ask('ANSWER')
ask(f'DATABASE PUT seen {env["agi_callerid"]} "{name}"')
got = ask(f'DATABASE GET seen {env["agi_callerid"]}').split('(', 1)[1].rstrip()[:-1]
ask('STREAM FILE beep ""')
ask('EXEC NoOp "a,b"')
ask(f'SET VARIABLE GOT "{got}"')
"""
HANDLER = """function handle(call)
  local name, number = call:get('CALLERID(name)'), call.env.agi_callerid
  call:answer()
  call:database_put('seen', number, name)
  local got = call:database_get('seen', number)
  call:stream_file('beep')
  call:exec('NoOp', 'a', 'b')
  call:set('GOT', got%s)
end
"""
PLAN = """
[test]
exten => hold,1,Answer()
 same => n,Wait(120)
exten => call,1,AGI(agi://127.0.0.1:{port}/legacy)
 same => n,UserEvent(Mark,Num: ${{CALLERID(num)}},Got: ${{GOT}},Status: ${{SIDETONE_STATUS}})
 same => n,Hangup()
"""


def test_a_real_call_is_recorded_replayed_and_shadowed(context):
    port = free_port()
    pbx = Pbx(context, PLAN.format(port=port))
    script = os.path.join(pbx.dir, "agi", "legacy.py")
    with open(script, "w", encoding="utf-8") as f:
        f.write(SCRIPT)
    os.chmod(script, 0o755)
    context.write("handlers/new.lua", HANDLER % "")
    wrong = context.write("handlers/wrong.lua", HANDLER % " .. '?'")
    user = "user = nobody\n" if os.geteuid() == 0 else ""
    conf = context.write("sidetone.conf", f"""[sidetone]
state_dir = {context.path("state")}
workers = 1
[fastagi]
listen = 127.0.0.1:{port}
asterisk_conf = {pbx.dir}/etc/asterisk.conf
script_cwd = {pbx.dir}
[route legacy]
script = {script}
{user}record = yes
record_mask = numbers
shadow = new.lua
""")
    daemon = Daemon(context, conf)
    ami = pbx.ami()
    for i in range(3):
        ami.originate("Local/hold@test/n", "test", "call", caller=f'"Ada L" <493012345{i}>')
        end = ami.wait("UserEvent", seconds=20, UserEvent="Mark", Num=f"493012345{i}")
        assert end["Got"] == "Ada L" and end["Status"] == "OK", end
    limit = time.monotonic() + 15
    while True:
        code, out, err = run(context, "routes", "--json", "--config", conf)
        assert code == 0, err
        route = json.loads(out)["routes"][0]
        if route["shadow"]["sessions"] == 3 and route["recorded"] == 3:
            break
        assert time.monotonic() < limit, route
        time.sleep(0.05)
    assert route["shadow"]["differing"] == 0, route
    assert daemon.stop() == 0
    code, out, err = run(context, "replay", "legacy", "--with", context.path("handlers", "new.lua"), "--config", conf)
    assert code == 0 and "3 sessions played, 0 differ" in out, (out, err)
    code, out, err = run(context, "replay", "legacy", "--with", script, "--config", conf)
    assert code == 0 and "3 sessions played, 0 differ" in out, (out, err)
    code, out, err = run(context, "replay", "legacy", "--with", wrong, "--config", conf)
    assert code == 1 and 'variable GOT: recorded "Ada L", now "Ada L?"' in out, (out, err)
    with open(context.path("state", "sidetone.db"), "rb") as f:
        assert b"493012345" not in f.read()
