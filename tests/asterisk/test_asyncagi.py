"""AGI(agi:async,ROUTE) of a real Asterisk: the same handlers as FastAGI, and a defined end whatever breaks."""
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time

from daemon import Daemon, free_port, run
from pbx import Pbx
from runner import Skip

PLAN = """
[test]
exten => fast,1,Answer()
 same => n,AGI(agi://127.0.0.1:@AGI@/${ROUTE},${ARG})
 same => n(after),UserEvent(Mark,What: fast,Status: ${SIDETONE_STATUS},Reason: ${SIDETONE_REASON},Name: ${CALLERID(name)},Is: ${IF($["${SIDETONE_CALL}"="${UNIQUEID}"]?own:other)},Seen: ${SEEN},Long: ${LONG})
 same => n,Hangup()

exten => async,1,Answer()
 same => n,AGI(agi:async,${ROUTE},${ARG})
 same => n(after),UserEvent(Mark,What: async,Status: ${SIDETONE_STATUS},Reason: ${SIDETONE_REASON},Name: ${CALLERID(name)},Is: ${IF($["${SIDETONE_CALL}"="${UNIQUEID}"]?own:other)},Seen: ${SEEN},Long: ${LONG})
 same => n,Hangup()

exten => h,1,UserEvent(Mark,What: hungup,Status: ${SIDETONE_STATUS})

exten => quiet,1,Answer()
 same => n,Wait(60)
"""

# What the least user needs: nothing but the class agi. The other may also list channels.
USERS = """
[least]
secret = @LEAST@
read = agi
write = agi

[lister]
secret = @LEAST@
read = agi
write = agi,reporting
"""

HANDLERS = {
    "seen.lua": """function handle(call)
  call:set("SEEN", call.env.agi_extension .. "/" .. tostring(call:arg(1)) .. "/" .. tostring(call:arg(2)))
end
""",
    "sleep.lua": """function handle(call)
  call:set("SEEN", "begun")
  sleep(30000)
end
""",
    "long.lua": """function handle(call)
  local big = string.rep("0123456789", 60)
  call:set("BIG", big)
  local value = call:get_full("${BIG}${BIG}${BIG}${BIG}${BIG}")
  call:set("SEEN", tostring(#value == 3000 and value == string.rep(big, 5)))
  local ok, problem = pcall(call.set, call, "X", string.rep("y", 1100))
  call:set("LONG", tostring(ok) .. " " .. tostring(type(problem) == "table" and problem.code or problem))
  call:set("CALLERID(name)", "after all")
end
""",
    "play.lua": """function handle(call)
  call:set("SEEN", "begun")
  call:stream_file("demo-thanks")
  call:stream_file("demo-thanks")
end
""",
}


class AsyncHouse:
    """One or two nodes and a daemon that serves AsyncAGI on them."""

    def __init__(self, context, user="least", nodes=1, manager="", scheme="tcp", port=None, extra="", routes_extra=""):
        self.context = context
        self.agi_port = free_port()
        shutil.copytree(os.path.join(context.root, "handlers"), context.path("handlers"))
        for name, text in HANDLERS.items():
            context.write(f"handlers/{name}", text)
        self.secret = "s3cret-of-the-least"
        self.pbxs = [Pbx(context, PLAN, name="abc"[i], marks={"AGI": self.agi_port, "LEAST": self.secret}, configs={"manager": USERS + manager})
                     for i in range(nodes)]
        self.pbx = self.pbxs[0]
        self.amis = [p.ami("user,call,agi") for p in self.pbxs]
        self.ami = self.amis[0]
        state = context.path("state")
        os.makedirs(state, exist_ok=True)
        names = context.write("names.csv", "key,value\n1001,Ada Lovelace\n")
        code, out, err = run(context, "store", "import", "caller_name", names, "--db", os.path.join(state, "sidetone.db"))
        assert code == 0, out + err
        sections = "".join(f"""[node {"abc"[i]}]
ari = http://127.0.0.1:{p.http_port}
ari_user = {p.ari_user}
ari_secret = @env:ARI_{i}
ami = {scheme}://127.0.0.1:{port or p.ami_port}
control_user = {user}
control_secret = @env:TEST_AMI
asyncagi = yes
{extra}
""" for i, p in enumerate(self.pbxs))
        routes = "".join(f"[route {name[:-4]}]\nhandler = {name}\ndeadline = 20s\n" for name in HANDLERS)
        self.conf = context.write("sidetone.conf", f"""[sidetone]
state_dir = {state}
workers = 2
log_level = debug
[fastagi]
listen = 127.0.0.1:{self.agi_port}
script_cwd = /tmp
[audiosocket]
listen = 127.0.0.1:{free_port()}
{sections}{routes}{routes_extra}[route caller-name]
handler = caller_name.lua
deadline = 5s
[route short]
handler = sleep.lua
deadline = 300ms
[route shortplay]
handler = play.lua
deadline = 500ms
""")
        self.daemon = None

    def start(self):
        env = {"TEST_AMI": self.secret, **{f"ARI_{i}": p.ari_password for i, p in enumerate(self.pbxs)}}
        self.daemon = Daemon(self.context, self.conf, env=env, wait="event=ready")
        return self.daemon

    def facts(self, kind):
        db = sqlite3.connect(f"file:{self.context.path('state')}/sidetone.db?mode=ro", uri=True, timeout=10)
        try:
            rows = db.execute("SELECT detail FROM fact WHERE kind = ? ORDER BY id", (kind,)).fetchall()
        finally:
            db.close()
        return [json.loads(row[0]) for row in rows]

    def call(self, exten, route, arg="", node=0, caller='"Old Name" <1001>'):
        self.amis[node].originate("Local/quiet@test", "test", exten, {"ROUTE": route, "ARG": arg}, caller=caller)

    def mark(self, what, node=0, seconds=20):
        try:
            return self.amis[node].wait("UserEvent", seconds=seconds, UserEvent="Mark", What=what)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{self.daemon.text()[-4000:]}") from None


def same(house, route, arg=""):
    """The marks of a FastAGI and an AsyncAGI call, after checking that they are alike."""
    keys = ("Status", "Reason", "Name", "Is", "Seen", "Long")
    house.call("fast", route, arg)
    fast = house.mark("fast")
    house.call("async", route, arg)
    async_ = house.mark("async")
    assert [fast.get(k, "").replace("fast", "X") for k in keys] == [async_.get(k, "").replace("async", "X") for k in keys], (fast, async_)
    return async_


def test_asyncagi_is_as_fastagi(context):
    house = AsyncHouse(context)
    house.start()
    mark = same(house, "caller-name")
    assert (mark["Status"], mark["Name"], mark["Is"]) == ("OK", "Ada Lovelace", "own"), mark
    mark = same(house, "caller-name", "reception")
    assert (mark["Status"], mark["Reason"]) == ("HANDOFF", "reception"), mark
    mark = same(house, "seen", "one,two")
    assert mark["Seen"].startswith("async/one"), mark
    mark = same(house, "no-such-route")
    assert (mark["Status"], mark["Reason"]) == ("ERROR", "no_route"), mark
    mark = same(house, "short")
    assert mark["Status"] == "TIMEOUT", mark


def test_asyncagi_long_replies_and_lines(context):
    house = AsyncHouse(context)
    house.start()
    house.call("async", "long")
    mark = house.mark("async")
    assert (mark["Status"], mark["Seen"]) == ("OK", "true"), mark
    assert mark["Long"].startswith("false") and mark["Name"] == "after all", mark


def test_asyncagi_long_environment(context):
    house = AsyncHouse(context)
    house.start()
    house.call("async", "seen", "a" * 900)
    mark = house.mark("async")
    assert mark["Status"] == "OK" and mark["Seen"].startswith("async/" + "a" * 900 + "/"), mark


def test_asyncagi_deadline_while_it_plays(context):
    house = AsyncHouse(context)
    house.start()
    house.call("async", "shortplay")
    mark = house.mark("async", seconds=60)
    assert mark["Status"] == "TIMEOUT", mark


def test_asyncagi_hangup_in_the_middle(context):
    house = AsyncHouse(context)
    house.start()
    for route in ("sleep", "play"):
        house.call("async", route)
        began = house.ami.wait("AsyncAGIExec", Result="200%20result%3D1%0A")
        answer = house.ami.action("Hangup", Channel=began["Channel"])
        assert answer["Response"] == "Success", answer
        house.mark("hungup")
    assert house.daemon.stop() == 0, house.daemon.text()
    ends = [f for f in house.facts("agi.end")]
    assert [(f["status"], f["reason"]) for f in ends] == [("HANGUP", "hangup")] * 2, ends


def lost(context, user):
    house = AsyncHouse(context, user)
    house.start()
    house.call("async", "sleep")
    house.ami.wait("AsyncAGIExec")
    sessions = house.ami.command("manager show connected")
    fd = next((line.split()[4] for line in sessions.splitlines() if line.split()[:1] == [user]), None)
    assert fd, sessions
    out = house.ami.command(f"manager kick session {fd}")
    house.daemon.wait_log("event=sessions_lost")
    mark = house.mark("async")
    assert (mark["Status"], mark["Reason"], mark["Is"]) == ("ERROR", "restart", "own"), (mark, out)
    assert same(house, "caller-name")["Name"] == "Ada Lovelace"


def test_asyncagi_ami_session_lost(context):
    lost(context, "lister")


def test_asyncagi_ami_session_lost_least_user(context):
    lost(context, "least")


def test_asyncagi_daemon_killed(context):
    house = AsyncHouse(context, "lister")
    house.start()
    house.call("async", "sleep")
    house.ami.wait("AsyncAGIExec")
    house.daemon.process.send_signal(signal.SIGKILL)
    house.daemon.process.wait(10)
    house.start()
    mark = house.mark("async")
    assert (mark["Status"], mark["Reason"], mark["Is"]) == ("ERROR", "restart", "own"), mark


def test_asyncagi_daemon_stops(context):
    house = AsyncHouse(context)
    house.start()
    house.call("async", "sleep")
    house.ami.wait("AsyncAGIExec")
    began = time.monotonic()
    assert house.daemon.stop() == 0, house.daemon.text()
    mark = house.mark("async")
    assert (mark["Status"], mark["Reason"]) == ("ERROR", "shutdown"), mark
    assert time.monotonic() - began < 15


def test_asyncagi_hostile_caller(context):
    house = AsyncHouse(context)
    house.start()
    for number in ("20\r\nEnv: agi_request%3A%20async%0A%0A", "20\r\n\r\nEvent: AsyncAGIEnd\r\nChannel: x\r\nUniqueid: 1.1\r\n\r\n"):
        answer = house.pbx.ari().post("channels", {"endpoint": "Local/async@test", "context": "test", "extension": "quiet", "priority": 1,
                                                   "callerId": number, "variables": {"ROUTE": "seen", "__ROUTE": "seen"}})
        assert answer[0] == 200, answer
        mark = house.mark("async")
        assert (mark["Status"], mark["Reason"]) == ("ERROR", "environment"), mark
    assert same(house, "caller-name")["Name"] == "Ada Lovelace"


def test_asyncagi_two_nodes(context):
    house = AsyncHouse(context, nodes=2)
    house.start()
    for node in (0, 1):
        house.call("async", "caller-name", node=node)
    for node in (0, 1):
        mark = house.mark("async", node=node)
        assert (mark["Status"], mark["Name"], mark["Is"]) == ("OK", "Ada Lovelace", "own"), mark


def test_asyncagi_over_tls(context):
    if not shutil.which("openssl"):
        raise Skip("openssl is not installed")
    key, certificate, port = context.path("key.pem"), context.path("cert.pem"), free_port()
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
                    "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True, timeout=60)
    os.chmod(key, 0o644)
    manager = f"""
[general](+)
tlsenable = yes
tlsbindaddr = 127.0.0.1:{port}
tlscertfile = {certificate}
tlsprivatekey = {key}
"""
    house = AsyncHouse(context, manager=manager, scheme="tls", port=port, extra=f"ca = {certificate}")
    house.start()
    assert same(house, "caller-name")["Name"] == "Ada Lovelace"


def test_asyncagi_runs_scripts(context):
    script = context.write("legacy.sh", """#!/bin/sh
while read -r line && [ -n "$line" ]; do case "$line" in agi_arg_1:*) arg=${line#*: };; esac; done
echo "SET VARIABLE SEEN \\"script $arg\\""
read -r reply
echo "SET CALLERID \\"By Script <77>\\""
read -r reply
""")
    os.chmod(script, 0o755)
    house = AsyncHouse(context, routes_extra=f"[route legacy]\nscript = {script}\n")
    house.start()
    mark = same(house, "legacy", "one")
    assert (mark["Status"], mark["Name"], mark["Seen"]) == ("OK", "By Script", "script one"), mark


def test_asyncagi_wrong_secret_is_told(context):
    house = AsyncHouse(context)
    house.secret = "wrong"
    env = {"TEST_AMI": "wrong", "ARI_0": house.pbx.ari_password}
    house.daemon = Daemon(context, house.conf, env=env)
    house.daemon.wait_log("event=login_refused")
    assert "Authentication failed" in house.daemon.text() and "wrong" not in house.daemon.text().replace("wrong user", "")
