"""A private Asterisk and the daemon beside it, configured for each other; what a call left behind."""
import json
import os
import shutil
import sqlite3
import time

from daemon import Daemon, free_port, run
from pbx import Pbx

PLAN = """
[test]
exten => full,1,Answer()
 same => n,Set(TIMEOUT(absolute)=@GUARD@)
 same => n,AGI(agi://127.0.0.1:@AGI@/caller-name,reception)
 same => n,UserEvent(Mark,What: asked,Status: ${SIDETONE_STATUS},Reason: ${SIDETONE_REASON},CallerName: ${CALLERID(name)},Agi: ${AGISTATUS})
 same => n,Stasis(sidetone,@AGENT@)
 same => n(after),UserEvent(Mark,What: resumed,At: ${PRIORITY},Status: ${SIDETONE_STATUS},Reason: ${SIDETONE_REASON},Stasis: ${STASISSTATUS},Call: ${SIDETONE_CALL})
 same => n,Wait(0.5)
 same => n,Hangup(16)

exten => talk,1,Answer()
 same => n,Set(TIMEOUT(absolute)=@GUARD@)
 same => n,Stasis(sidetone,@AGENT@)
 same => n(after),UserEvent(Mark,What: resumed,At: ${PRIORITY},Status: ${SIDETONE_STATUS},Reason: ${SIDETONE_REASON},Stasis: ${STASISSTATUS},Call: ${SIDETONE_CALL})
 same => n,Wait(0.5)
 same => n,Hangup(16)

exten => quiet,1,Answer()
 same => n,Wait(30)

[sip]
exten => _X.,1,Goto(test,talk,1)
exten => _x.,1,Goto(test,talk,1)
exten => talk,1,Goto(test,talk,1)
"""

AGENT = """provider = local
file = reception.agent
tools = opening_hours
"""


class House:
    def __init__(self, context, guard=60, agent="reception", advertise=None, extra="", agent_file=None, agent_conf=None, plan_more="", env=None,
                 node=None, configs=None):
        self.context = context
        self.agi_port, self.media_port = free_port(), free_port()
        shutil.copytree(os.path.join(context.root, "handlers"), context.path("handlers"))
        shutil.copytree(os.path.join(context.root, "agents"), context.path("agents"))
        if agent_file:
            context.write("agents/reception.agent", agent_file)
        self.env = env or {}
        self.pbx = Pbx(context, PLAN.replace("[sip]", plan_more + "[sip]", 1), marks={"AGI": self.agi_port, "GUARD": guard, "AGENT": agent},
                       configs=configs)
        self.ami = self.pbx.ami("user,call")
        self.state = context.path("state")
        os.makedirs(self.state, exist_ok=True)
        names = context.write("names.csv", "key,value\n1001,Ada Lovelace\n")
        code, out, err = run(context, "store", "import", "caller_name", names, "--db", os.path.join(self.state, "sidetone.db"))
        assert code == 0, out + err
        self.conf = context.write("sidetone.conf", f"""[sidetone]
state_dir = {self.state}
workers = 2
log_level = debug
[fastagi]
listen = 127.0.0.1:{self.agi_port}
[audiosocket]
listen = 127.0.0.1:{self.media_port}
{f"advertise = {advertise}" if advertise else ""}
[node a]
{node or f"ari = http://127.0.0.1:{self.pbx.http_port}"}
ari_user = {self.pbx.ari_user}
ari_secret = @env:TEST_ARI
[route caller-name]
handler = caller_name.lua
deadline = 2s
[agent reception]
{agent_conf or AGENT}
{extra}
""")
        self.daemon = None

    def start(self):
        self.daemon = Daemon(self.context, self.conf, env={"TEST_ARI": self.pbx.ari_password, **self.env}, wait="event=ready")
        return self.daemon

    def facts(self, kind=None):
        db = sqlite3.connect(f"file:{self.state}/sidetone.db?mode=ro", uri=True, timeout=10)
        try:
            rows = db.execute("SELECT wall_us, call, kind, detail FROM fact ORDER BY id").fetchall()
        finally:
            db.close()
        return [{"at_us": w, "call": c, "kind": k, **json.loads(d)} for w, c, k, d in rows if kind is None or k == kind]

    def wait_fact(self, kind, seconds=20, **match):
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            for fact in self.facts(kind):
                if all(fact.get(k) == v for k, v in match.items()):
                    return fact
            time.sleep(0.05)
        raise AssertionError(f"no fact {kind} {match} in {seconds} s: {[(f['kind'], f) for f in self.facts()][-12:]}\n{self.daemon.text()[-3000:]}")

    def resumed(self, seconds=60):
        return self.ami.wait("UserEvent", seconds=seconds, UserEvent="Mark", What="resumed")

    def nothing_left(self, seconds=15):
        """No channel, no bridge: waits for hang-ups under way, then insists."""
        limit = time.monotonic() + seconds
        while True:
            channels = self.ami.channels()
            bridges = [b["id"] for b in self.pbx.ari().get("bridges")[1]]
            if not channels and not bridges:
                return
            if time.monotonic() > limit:
                raise AssertionError(f"left behind: channels {channels}, bridges {bridges}\n{self.daemon.text()[-3000:] if self.daemon else ''}")
            time.sleep(0.05)
