"""What the real Asterisk makes of our farewell: names and values arrive exactly, nothing is evaluated, calls go to their fallback."""
from daemon import Daemon, free_port
from pbx import Pbx

ODD = 'a,b (c [d ${SECRET} $[1+1] "e" = f|g'
HANDLERS = {
    "plain": "function handle(call)\n  call:finish('OK', 'fine: 100% of it; yes')\nend\n",
    "odd": "function handle(call)\n  call:finish('ERROR', '" + ODD + "')\nend\n",
    "long": "function handle(call)\n  call:exec('Wait', '0.2')\n  sleep(60000)\nend\n",
    "held": "function handle(call)\n  sleep(60000)\nend\n",
}
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
