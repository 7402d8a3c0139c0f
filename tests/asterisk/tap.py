"""Nodes with a tap user and a control user, a daemon that taps them, and what it stored."""
import json
import os
import sqlite3
import subprocess
import time

from daemon import Daemon, free_port, run
from pbx import Pbx
from runner import Skip

PLAN = """
[test]
exten => short,1,Answer()
 same => n,Wait(0.2)
 same => n,UserEvent(Mark,What: short)
 same => n,Hangup()

exten => long,1,Answer()
 same => n,Wait(120)

exten => quiet,1,Answer()
 same => n,Wait(60)

[sip]
exten => _X.,1,Answer()
 same => n,Wait(5)
exten => s,1,Answer()
 same => n,Wait(5)
"""

# The tap's user has no write line at all: what is promised is that read is enough.
USERS = """
[tapuser]
secret = tap-secret
read = system,call,agent,user,dialplan,dtmf,reporting,cdr,agi
writetimeout = 5000

[tapwriter]
secret = tap-secret
read = system,call,agent,user,dialplan,dtmf,reporting,cdr,agi
write = system
writetimeout = 5000

[control]
secret = control-secret
read = agi
write = reporting,agi
"""


class TapHouse:
    def __init__(self, context, nodes=1, node_lines="", extra="", user="tapuser", control="control", manager="", pbxs=None, names="abcdefgh", **pbx):
        self.context = context
        self.pbxs = pbxs or [Pbx(context, PLAN, name=names[i], configs={"manager": USERS + manager}, **pbx) for i in range(nodes)]
        self.names = [f"{names[i]}" for i in range(len(self.pbxs))]
        self.state = context.path("state")
        os.makedirs(self.state, exist_ok=True)
        self.console = free_port()
        sections = ""
        for name, p in zip(self.names, self.pbxs):
            sections += f"[node {name}]\nami = tcp://127.0.0.1:{p.ami_port}\nami_user = {user}\nami_secret = @env:TAP\n"
            if control:
                sections += f"control_user = {control}\ncontrol_secret = @env:CONTROL\n"
            sections += node_lines
        self.conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {self.state}\nworkers = 1\nlog_level = debug\n"
                                                   f"[console]\nlisten = 127.0.0.1:{self.console}\n{sections}{extra}")
        self.daemon = None

    def start(self, wait="event=ready", env=None):
        self.daemon = Daemon(self.context, self.conf, env={"TAP": "tap-secret", "CONTROL": "control-secret", **(env or {})}, wait=wait)
        return self.daemon

    def query(self, sql, *values):
        path = os.path.join(self.state, "tap.db")
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10)
        try:
            return db.execute(sql, values).fetchall()
        finally:
            db.close()

    def wait_query(self, sql, *values, until=lambda rows: bool(rows), seconds=20):
        limit = time.monotonic() + seconds
        rows = []
        while time.monotonic() < limit:
            try:
                rows = self.query(sql, *values)
            except sqlite3.Error as e:
                rows = [("error", str(e))]
                time.sleep(0.05)
                continue
            if until(rows):
                return rows
            time.sleep(0.05)
        raise AssertionError(f"{sql} {values}: after {seconds} s {rows[-20:]}\n{self.daemon.text()[-4000:]}")

    def verb(self, *args):
        """A verb's JSON lines about this daemon's store."""
        code, out, err = run(self.context, *args, "--config", self.conf, "--json", env={"TAP": "x", "CONTROL": "x"})
        assert code == 0, (args, code, out, err)
        return [json.loads(line) for line in out.splitlines() if line.strip()]

    def metrics(self):
        import urllib.request
        with urllib.request.urlopen(f"http://127.0.0.1:{self.console}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line and line[0] != "#"}


class ShiftedPbx:
    """The Asterisk of a stopped Pbx, started again on the same directory and ports with its clock shifted (libfaketime of the unpacked root)."""

    def __init__(self, context, pbx, seconds):
        libraries = os.path.join(os.path.abspath(context.asterisk or ""), "usr/lib/x86_64-linux-gnu")
        preload = os.path.join(libraries, "faketime/libfaketimeMT.so.1")
        if not os.path.exists(preload):
            raise Skip(f"no libfaketime beside the unpacked Asterisk ({preload})")
        pbx.stop()
        program = os.path.join(os.path.abspath(context.asterisk), "usr/sbin/asterisk")
        command = [os.path.join(libraries, "ld-linux-x86-64.so.2"), "--preload", preload, "--library-path", libraries, program, "-f", "-n", "-C",
                   os.path.join(pbx.dir, "etc/asterisk.conf")]
        if os.geteuid() == 0:
            command = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *command]
        env = {"PATH": "/usr/bin:/bin", "HOME": pbx.dir, "FAKETIME": f"{seconds:+}", "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1"}
        self.log = open(context.path("shifted.log"), "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=pbx.dir, env=env)
        context.at_end(self.kill)
        limit = time.monotonic() + 15
        while True:
            try:
                pbx.ami("system").wait("FullyBooted", seconds=10)
                return
            except (OSError, AssertionError):
                if time.monotonic() > limit or self.process.poll() is not None:
                    raise
                time.sleep(0.05)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self.log.close()
