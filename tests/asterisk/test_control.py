"""Control: each way of ARI's connection, a name that another program takes, calls offered to several gateways, and the guard of the docs."""
import base64
import os
import re
import signal
import socket
import time

from caller import Caller
from daemon import Daemon, free_port
from house import House
from wire import Wire

SCRIPT = "wait-speech 20s\nwait-hangup 40s\n"
CONTROL_WAYS = """[sidetone]
type = outbound_websocket
websocket_client_id = to-sidetone
apps = sidetone
local_ari_user = @ARI_USER@
"""
CLIENT = """[to-sidetone]
type = websocket_client
connection_type = {kind}
uri = ws://127.0.0.1:{port}/ari
protocols = ari
username = sidetone
password = {password}
reconnect_interval = 200
reconnect_attempts = 100
"""


def digit(house, caller, which="0"):
    mine = [c for c in house.ami.channels() if c.startswith("AudioSocket/") and caller.uuid in c]
    assert mine, house.ami.channels()
    assert house.ami.action("PlayDTMF", Channel=mine[0], Digit=which, Receive="true")["Response"] == "Success"


def talk_and_back(context, house, name, exten="talk"):
    """A call that hears the agent, presses 0, and comes back to the dialplan."""
    caller = Caller(context, SCRIPT, name=name)
    house.ami.originate(caller.channel, "test", exten)
    caller.wait("heard-start")
    digit(house, caller)
    back = house.resumed(30)
    assert (back["Status"], back["Reason"]) == ("OK", "operator"), (back, house.daemon.text()[-3000:])
    assert caller.finish() == 0, caller.story()
    house.nothing_left()
    for what in ("event=still_inside", "event=left_behind", "event=step_failed"):
        assert what not in house.daemon.text(), house.daemon.text()[-4000:]


def killed_and_back(context, house, name):
    """A caller whom the daemon left behind is given back by the next start."""
    caller = Caller(context, SCRIPT, name=name)
    house.ami.originate(caller.channel, "test", "talk")
    caller.wait("heard-start")
    house.daemon.kill()
    house.start()
    back = house.resumed(30)
    assert (back["Status"], back["Reason"]) == ("ERROR", "restart"), (back, house.daemon.text()[-3000:])
    assert caller.finish() == 0, caller.story()
    house.nothing_left()


def test_control_over_the_websocket_only(context):
    house = House(context, extra="[node a](+)\nari_rest = websocket\n")
    house.start()
    house.daemon.wait_log("event=rest node=a by=websocket")
    talk_and_back(context, house, "first")
    killed_and_back(context, house, "second")
    assert house.daemon.stop() == 0


def test_control_over_http_only(context):
    house = House(context, extra="[node a](+)\nari_rest = http\n")
    house.start()
    talk_and_back(context, house, "first")
    assert "by=websocket" not in house.daemon.text()
    assert house.daemon.stop() == 0


def listening(context, kind, more=""):
    port = free_port()
    password = "x-" + base64.b16encode(os.urandom(6)).decode()
    house = House(context, node=f"ari_listen = 127.0.0.1:{port}\n{more}",
                  configs={"ari": CONTROL_WAYS, "websocket_client": CLIENT.format(kind=kind, port=port, password=password)})
    house.pbx.ari_password, house.http_password = password, house.pbx.ari_password  # what the daemon is given
    house.pbx.ari = lambda ari=house.pbx.ari, own=house.http_password: _with(ari(), house.pbx.ari_user, own)
    return house


def _with(ari, user, password):
    ari.auth = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return ari


def test_control_on_a_connection_that_asterisk_keeps(context):
    """No daemon is killed here: 22.10.1 itself can crash when such a connection breaks while it writes events (docs/conversation.md)."""
    house = listening(context, "persistent")
    # a caller who came while the daemon was away waits in Stasis, and is served when it comes
    caller = Caller(context, SCRIPT, name="early")
    house.ami.originate(caller.channel, "test", "talk")
    deadline = time.monotonic() + 10
    while not house.pbx.ari().get("applications/sidetone")[1].get("channel_ids") and time.monotonic() < deadline:
        time.sleep(0.05)
    house.start()
    assert "opened_by=asterisk" in house.daemon.text()
    caller.wait("heard-start")
    digit(house, caller)
    back = house.resumed(30)
    assert (back["Status"], back["Reason"]) == ("OK", "operator"), (back, house.daemon.text()[-3000:])
    assert caller.finish() == 0, caller.story()
    talk_and_back(context, house, "first")
    # another program takes the name and goes: what the log says to do helps
    own, house.pbx.ari_password = house.pbx.ari_password, house.http_password
    other = take_over(house.pbx, "sidetone")
    house.pbx.ari_password = own
    house.daemon.wait_log("event=replaced")
    other.close()
    deadline = time.monotonic() + 20
    while house.pbx.ari().get("applications/sidetone")[0] != 404 and time.monotonic() < deadline:
        time.sleep(0.05)
    shut, start = "ari shutdown websocket session", "ari start outbound-websocket"
    assert shut in house.daemon.text() and start in house.daemon.text()
    house.ami.command(shut + " sidetone")
    while house.pbx.ari().get("applications/sidetone")[0] == 404 and time.monotonic() < deadline:
        house.ami.command(start + " sidetone")  # the old session ends in a thread of its own: again until it has
        time.sleep(0.1)
    house.daemon.wait_log("event=up", count=2)
    assert house.daemon.stop() == 0


def test_control_on_a_connection_for_each_call(context):
    house = listening(context, "per_call_config", "ari_per_call = yes")
    house.start()
    talk_and_back(context, house, "first")
    talk_and_back(context, house, "second")
    assert house.daemon.stop() == 0


def take_over(pbx, app):
    """Another program that registers our application."""
    s = socket.create_connection(("127.0.0.1", pbx.http_port), timeout=10)
    proof = base64.b64encode(f"{pbx.ari_user}:{pbx.ari_password}".encode()).decode()
    s.sendall(f"GET /ari/events?app={app} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
              f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\nAuthorization: Basic {proof}\r\n\r\n".encode())
    head = b""
    while b"\r\n\r\n" not in head:
        head += s.recv(4096)
    assert b" 101 " in head, head
    return s


def test_a_talk_outlives_the_loss_of_ari(context):
    """The connection of events and requests breaks in mid-talk: the caller notices nothing, and is given back over the next one."""
    house = House(context, node="ari = http://127.0.0.1:@WIRE@")
    wire = Wire(context, house.pbx.http_port)
    with open(house.conf, encoding="utf-8") as f:
        text = f.read()
    with open(house.conf, "w", encoding="utf-8") as f:
        f.write(text.replace("@WIRE@", str(wire.port)))
    house.start()
    caller = Caller(context, SCRIPT)
    house.ami.originate(caller.channel, "test", "talk")
    caller.wait("heard-start")
    wire.cut()
    house.daemon.wait_log("mod=ari event=up", 20, count=2)
    digit(house, caller)
    back = house.resumed(30)
    assert (back["Status"], back["Reason"]) == ("OK", "operator"), (back, house.daemon.text()[-3000:])
    assert caller.finish() == 0, caller.story()
    assert len(house.facts("talk.start")) == 1 and not house.facts("provider.failed")
    house.nothing_left()
    assert house.daemon.stop() == 0


def test_a_name_that_another_program_takes(context):
    house = House(context)
    house.start()
    caller = Caller(context, SCRIPT)
    house.ami.originate(caller.channel, "test", "talk")
    caller.wait("heard-start")
    other = take_over(house.pbx, "sidetone")
    house.daemon.wait_log("event=replaced")
    assert house.daemon.text().count("event=replaced") == 1
    digit(house, caller)  # the talk goes on
    back = house.resumed(30)
    assert (back["Status"], back["Reason"]) == ("OK", "operator"), (back, house.daemon.text()[-3000:])
    assert caller.finish() == 0, caller.story()
    assert house.daemon.text().count("mod=ari event=up") == 1  # no war over the name
    other.close()
    house.daemon.wait_log("event=name_free", 40)
    house.daemon.wait_log("mod=ari event=up", 20, count=2)
    house.nothing_left()
    talk_and_back(context, house, "after")
    assert house.daemon.stop() == 0


OFFER = """exten => offer,1,Answer()
 same => n,Set(TIMEOUT(absolute)=60)
 same => n,StasisBroadcast(1000,^sidetone[12]$,@AGENT@)
 same => n,UserEvent(Mark,What: resumed,Status: ${SIDETONE_STATUS},Reason: ${SIDETONE_REASON},Stasis: ${STASISSTATUS})
 same => n,Wait(0.5)
 same => n,Hangup(16)
"""


def test_two_gateways_claim_as_far_as_they_have_room(context):
    house = House(context, plan_more=OFFER, extra="[node a](+)\napp = sidetone1\ncalls_max = 1\n")
    house.start()
    with open(house.conf, encoding="utf-8") as f:
        conf = f.read()
    for old, new in ((house.state, context.path("state2")), ("app = sidetone1", "app = sidetone2"), (f":{house.agi_port}", f":{free_port()}"),
                     (f":{house.media_port}", f":{free_port()}")):
        conf = conf.replace(old, new)
    os.makedirs(context.path("second"))
    for folder in ("handlers", "agents"):
        os.symlink(context.path(folder), context.path("second", folder))
    second = Daemon(context, context.write("second/sidetone.conf", conf), env={"TEST_ARI": house.pbx.ari_password}, wait=None)
    deadline = time.monotonic() + 20
    while len(house.pbx.ari().get("applications")[1]) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    callers = []
    for i in range(2):
        callers.append(Caller(context, SCRIPT, name=f"caller{i}"))
        house.ami.originate(callers[i].channel, "test", "offer")
        callers[i].wait("heard-start")
    inside = {a["name"]: len(a["channel_ids"]) for a in house.pbx.ari().get("applications")[1]}
    assert inside["sidetone1"] > 0 and inside["sidetone2"] > 0, inside  # one each: neither takes more than it can hold
    third = Caller(context, "wait-hangup 20s\n", name="third")
    house.ami.originate(third.channel, "test", "offer")
    back = house.resumed(20)
    assert (back["Stasis"], back["Status"]) == ("TIMEOUT", ""), back
    assert third.finish() == 0
    for caller in callers:
        digit(house, caller)
        back = house.resumed(30)
        assert (back["Stasis"], back["Status"]) == ("SUCCESS", "OK"), back
        assert caller.finish() == 0, caller.story()
    house.nothing_left()
    second.process.send_signal(signal.SIGTERM)
    assert second.process.wait(20) == 0 and house.daemon.stop() == 0


def guard_of_the_docs():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    with open(os.path.join(root, "docs", "conversation.md"), encoding="utf-8") as f:
        plan = re.search(r"```\n(\[guarded\]\n.*?)```", f.read(), re.S).group(1)
    assert "TIMEOUT(absolute)" in plan and "exten => T," in plan
    return plan.replace("=3600)", "=6)").replace("PJSIP/operator", "Local/quiet@test")


def test_the_guard_before_stasis_as_documented(context):
    plan = guard_of_the_docs().replace("[guarded]\n", "")
    plan = plan.replace("Dial(", "UserEvent(Mark,What: operator,Exten: ${EXTEN},Status: ${SIDETONE_STATUS},Left: ${TIMEOUT(absolute)})\n same => n,Dial(", 1)
    house = House(context, plan_more="[guarded]\n" + plan)
    house.start()
    # the usual way: the agent gives it back
    caller = Caller(context, SCRIPT, name="first")
    house.ami.originate(caller.channel, "guarded", "100")
    caller.wait("heard-start")
    digit(house, caller)
    told = house.ami.wait("UserEvent", seconds=20, UserEvent="Mark", What="operator")
    assert told["Status"] == "OK", told
    assert float(told["Left"] or 0) == 0, told  # the guard does not cut the operator's call
    assert "Executing [T@guarded:1]" not in house.pbx.log()
    caller.kill()
    # the daemon is gone for good: the guard takes the caller to the operator
    caller = Caller(context, SCRIPT, name="second")
    house.ami.originate(caller.channel, "guarded", "100")
    caller.wait("heard-start")
    house.daemon.kill()
    told = house.ami.wait("UserEvent", seconds=20, UserEvent="Mark", What="operator")
    assert told["Status"] == "", told
    assert "Executing [T@guarded:1]" in house.pbx.log()
    caller.kill()
