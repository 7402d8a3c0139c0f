"""What the real Asterisk makes of our farewell: names and values arrive exactly, nothing is evaluated, calls go to their fallback."""
import json
import sqlite3

from daemon import Daemon, free_port
from pbx import Pbx

ODD = 'a,b (c [d ${SECRET} $[1+1] "e" = f|g'
HANDLERS = {
    "plain": "function handle(call)\n  call:finish('OK', 'fine: 100% of it; yes')\nend\n",
    "odd": "function handle(call)\n  call:finish('ERROR', '" + ODD + "')\nend\n",
    "long": "function handle(call)\n  call:exec('Wait', '0.2')\n  sleep(60000)\nend\n",
    "held": "function handle(call)\n  sleep(60000)\nend\n",
}
ENDS = {
    "agent": "function handle(call)\n  call:hand_off('reception')\nend\n",
    "gone": "function handle(call)\n  local ok = pcall(call.wait_for_digit, call, 5000)\n  call:answer()\nend\n",
}
ENDS_PLAN = """
[test]
exten => _X,1,Answer()
 same => n,Goto(${EXTEN}x,1)
exten => 1x,1,Set(AGISIGHUP=no)
 same => n,AGI(agi://127.0.0.1:@AGI@/plain)
 same => n,Goto(told,1)
exten => 2x,1,AGI(agi://127.0.0.1:@AGI@/agent)
 same => n,Goto(told,1)
exten => 3x,1,AGI(agi://127.0.0.1:@AGI@/gone)
 same => n,Goto(told,1)
exten => 4x,1,Set(AGISIGHUP=no)
 same => n,AGI(agi://127.0.0.1:@AGI@/gone)
 same => n,Goto(told,1)
exten => 5x,1,AGI(agi://127.0.0.1:@AGI@/fails)
 same => n,Goto(told,1)
exten => told,1,UserEvent(Mark,What: told,Status: ${SIDETONE_STATUS},Is: ${IF($["${SIDETONE_CALL}" = "${UNIQUEID}"]?same:other)},Agi: ${AGISTATUS})
 same => n,Set(TOLD=1)
 same => n,Hangup()
exten => h,1,ExecIf($["${TOLD}" != "1"]?UserEvent(Mark,What: hung,Status: ${SIDETONE_STATUS},Is: ${IF($["${SIDETONE_CALL}" = "${UNIQUEID}"]?same:other)},Agi: ${AGISTATUS}))
"""
PLAN = """
[test]
exten => _X,1,Set(AGIEXECFULL=yes)
 same => n,Set(SECRET=evaluated)
 same => n,Goto(${EXTEN}x,1)
exten => 1x,1,AGI(agi://127.0.0.1:@AGI@/plain)
 same => n,Goto(told,1)
exten => 2x,1,AGI(agi://127.0.0.1:@AGI@/odd)
 same => n,Goto(told,1)
exten => 3x,1,AGI(agi://127.0.0.1:@AGI@/long)
 same => n,Goto(told,1)
exten => 4x,1,AGI(agi://127.0.0.1:@AGI@/held)
 same => n,Goto(told,1)
exten => 5x,1,Set(HANGUPSOURCE=x)
 same => n,Hangup()
exten => told,1,UserEvent(Mark,What: told,Status: ${SIDETONE_STATUS},Is: ${IF($["${SIDETONE_CALL}" = "${UNIQUEID}"]?same:other)},Agi: ${AGISTATUS})
 same => n,Hangup()
exten => full,1,UserEvent(Mark,What: full,Status: ${SIDETONE_STATUS},Reason: ${SIDETONE_REASON},Agi: ${AGISTATUS})
 same => n,Hangup()
exten => h,1,GotoIf($["${HANGUPSOURCE}" != "x"]?end)
 same => n,AGI(agi://127.0.0.1:@AGI@/plain)
 same => n,UserEvent(Mark,What: dead,Status: ${SIDETONE_STATUS},Agi: ${AGISTATUS})
 same => n(end),NoOp()
"""


def start(context):
    port = free_port()
    for name, text in HANDLERS.items():
        context.write(f"handlers/{name}.lua", text)
    routes = "".join(f"[route {n}]\nhandler = {n}.lua\ndeadline = {ms}ms\n" + more for n, ms, more in (
        ("plain", 2000, ""), ("odd", 2000, ""), ("long", 500, ""), ("held", 1500, "max = 1\non_full = fallback\nfallback = test,full,1\n")))
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\nworkers = 2\n[fastagi]\nlisten = 127.0.0.1:{port}\n{routes}")
    pbx = Pbx(context, PLAN.replace("@AGI@", str(port)))
    return Daemon(context, conf), pbx.ami()


def dial(ami, number):
    answer = ami.action("Originate", Channel=f"Local/{number}@test/n", Application="Wait", Data="10", Async="true")
    assert answer["Response"] == "Success", answer


def mark(ami, what):
    return ami.wait("UserEvent", UserEvent="Mark", What=what)


def reason(ami):
    """As it was set (odd texts do not survive a dialplan expression); the event puts a backslash before each quote."""
    return ami.wait("VarSet", Variable="SIDETONE_REASON")["Value"].replace('\\"', '"')


def test_the_farewell_arrives_exactly(context):
    daemon, ami = start(context)
    for number, status, why in ((1, "OK", "fine: 100% of it; yes"), (2, "ERROR", ODD), (3, "TIMEOUT", "deadline")):
        dial(ami, number)
        came = reason(ami)
        assert came == why, (came, why)
        told = mark(ami, "told")
        assert told["Status"] == status and told["Is"] == "same", told
    dial(ami, 5)  # on a dead channel
    dead = mark(ami, "dead")
    assert dead["Status"] == "OK" and dead["Agi"] == "SUCCESS", dead
    assert daemon.stop() == 0


def test_a_full_route_goes_to_its_fallback(context):
    daemon, ami = start(context)
    dial(ami, 4)
    dial(ami, 4)
    full = mark(ami, "full")
    assert (full["Status"], full["Reason"], full["Agi"]) == ("BUSY", "route_full", "SUCCESS"), full
    assert mark(ami, "told")["Status"] == "TIMEOUT"
    assert daemon.stop() == 0


def test_the_end_right_behind_the_last_line(context):
    """Asterisk runs a line that has our end of stream behind it, sets the variables, and AGISTATUS stays what it was without."""
    port = free_port()
    handlers = {**ENDS, "plain": HANDLERS["plain"], "fails": "function handle(call)\n  call:command('EXEC Hangup_no_such \"\"')\n"
                "  call:stream_file('no-such-file')\nend\n"}
    for name, text in handlers.items():
        context.write(f"handlers/{name}.lua", text)
    routes = "".join(f"[route {n}]\nhandler = {n}.lua\ndeadline = 20s\n" for n in handlers)
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\n[fastagi]\nlisten = 127.0.0.1:{port}\n{routes}")
    pbx = Pbx(context, ENDS_PLAN.replace("@AGI@", str(port)))
    daemon, ami = Daemon(context, conf), pbx.ami()
    for number, status, agi in ((1, "OK", "SUCCESS"), (2, "HANDOFF", "SUCCESS"), (5, "OK", "FAILURE")):
        dial(ami, number)
        told = mark(ami, "told")
        assert (told["Status"], told["Is"], told["Agi"]) == (status, "same", agi), told
    for number in (3, 4):  # the caller hangs up: the last line is for a dead channel, and its variables are there in h
        dial(ami, number)
        asked = ami.wait("AGIExecStart", Command="WAIT FOR DIGIT 5000")
        ami.action("Hangup", Channel=asked["Channel"])
        hung = mark(ami, "hung")
        assert (hung["Status"], hung["Is"], hung["Agi"]) == ("HANGUP", "same", "HANGUP"), hung
    assert daemon.stop() == 0
    assert "agi_ended_badly" not in daemon.text(), daemon.text()


PIECES = {
    "gosub": "function handle(call)\n  for i = 1, 20 do call:gosub('sub', 's', 1) end\nend\n",
    "usage": "function handle(call)\n  for i = 1, 20 do pcall(call.command, call, 'SAY NUMBER abc \"\"') end\nend\n",
}
PIECES_PLAN = """
[test]
exten => 1,1,Answer()
 same => n,AGI(agi://127.0.0.1:@AGI@/gosub)
 same => n,UserEvent(Mark,What: gosub)
 same => n,Hangup()
exten => 2,1,Answer()
 same => n,AGI(agi://127.0.0.1:@AGI@/usage)
 same => n,UserEvent(Mark,What: usage)
 same => n,Hangup()
[sub]
exten => s,1,Return()
"""


def test_an_answer_in_pieces_waits_for_no_delayed_acknowledgement(context):
    """Asterisk writes these answers line by line with Nagle on; each command took 44 ms while we let the kernel delay its acknowledgement."""
    port = free_port()
    for name, text in PIECES.items():
        context.write(f"handlers/{name}.lua", text)
    routes = "".join(f"[route {n}]\nhandler = {n}.lua\ndeadline = 20s\n" for n in PIECES)
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\n[fastagi]\nlisten = 127.0.0.1:{port}\n{routes}")
    pbx = Pbx(context, PIECES_PLAN.replace("@AGI@", str(port)))
    daemon, ami = Daemon(context, conf), pbx.ami()
    for number, name in enumerate(PIECES, 1):
        dial(ami, number)
        mark(ami, name)
    assert daemon.stop() == 0
    with sqlite3.connect(context.path("state", "sidetone.db")) as db:
        ends = [json.loads(d) for (d,) in db.execute("SELECT detail FROM fact WHERE kind = 'agi.end' ORDER BY id")]
    assert [e["route"] for e in ends] == list(PIECES), ends
    for end in ends:
        assert end["status"] == "OK" and end["commands"] == 20, end
        assert end["ms"] < 400, end  # 20 times 40 would be 800
