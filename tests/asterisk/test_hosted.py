"""The same scripts under Asterisk's own AGI() and under Sidetone: equal commands, replies, variables, outcome."""
import os
import re
import shutil
import subprocess
import time

from daemon import Daemon, free_port
from pbx import Pbx
from runner import Skip

SCRIPTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "scripts")
# name: (script, arguments as in the dialplan, what it needs, what AGI() tells, what Sidetone tells)
CASES = {
    "python": ("pyst_style.py", 'one,two words,"q,c"', "python3", "FAILURE", "OK/"),
    "perl": ("perl_style.pl", "one", "perl", "FAILURE", "ERROR/exit_3"),
    "php": ("phpagi_style.php", "eins,zwei", "php", "SUCCESS", "OK/"),
    "shell": ("shell_style.sh", "a,", "sh", "SUCCESS", "OK/"),
    "c": ("c_style", "x y", None, "SUCCESS", "OK/"),
    "hup": ("on_hangup.py", "", "python3", None, None),
}

HEAD = """
[sub]
exten => s,1,Set(SUB=${ARG1})
 same => n,Return(back)

[test]
exten => hold,1,Answer()
 same => n,Wait(120)
exten => after,1,UserEvent(Mark,What: jumped)
 same => n,Hangup()
"""
CALL = """exten => {name},1,Set(LONG={long})
 same => n,AGI({what}{args})
 same => n,UserEvent(Mark,What: {name},Agi: ${{AGISTATUS}},Status: ${{SIDETONE_STATUS}}/${{SIDETONE_REASON}})
 same => n,Hangup()
"""


class Both:
    """An Asterisk with the scripts in its agi-bin, and a daemon that hosts the same files."""

    def __init__(self, context, names):
        self.context = context
        self.port = free_port()
        plan = HEAD
        for name in names:
            script, args = CASES[name][:2]
            for kind, what in (("direct", script), ("cold", f"agi://127.0.0.1:{self.port}/{name}-cold"),
                               ("warm", f"agi://127.0.0.1:{self.port}/{name}-warm"), ("fork", f"agi://127.0.0.1:{self.port}/{name}-fork")):
                plan += CALL.format(name=f"{name}-{kind}", what=what, args="," + args if args else "", long="0123456789" * 150)
        self.pbx = Pbx(context, plan)
        self.agi = os.path.join(self.pbx.dir, "agi")
        for name in names:
            self.install(CASES[name][0])
        user = "user = nobody\n" if os.geteuid() == 0 else ""
        routes = ""
        for name in names:
            script, args = CASES[name][:2]
            routes += f"[route {name}-cold]\nscript = {script}\n{user}[route {name}-warm]\nscript = {script}\nwarm = 1\n{user}"
            if script.endswith(".py"):
                routes += f"[route {name}-fork]\nscript = {script}\nstart = fork\n{user}"
        self.conf = context.write("sidetone.conf", f"""[sidetone]
state_dir = {context.path("state")}
workers = 1
[fastagi]
listen = 127.0.0.1:{self.port}
asterisk_conf = {self.pbx.dir}/etc/asterisk.conf
script_cwd = {self.pbx.dir}
{routes}""")
        self.daemon = Daemon(context, self.conf)
        if "start = fork" in routes:
            self.daemon.wait_log(" ready_ms=")
        self.ami = self.pbx.ami()

    def install(self, script):
        source, target = os.path.join(SCRIPTS, script), os.path.join(self.agi, script)
        if os.path.exists(source):
            shutil.copy(source, target)
        else:
            subprocess.run(["gcc", "-O1", "-o", target, source + ".c"], check=True, timeout=60)
        os.chmod(target, 0o755)

    def begin(self, exten):
        self.ami.originate("Local/hold@test/n", "test", exten, caller='"Ada L" <1001>')
        return self.ami.wait("Newexten", Extension=exten, Application="AGI", seconds=15)

    def story(self, start, end):
        """What happened on the channel between two events: commands with their answers, and variables."""
        channel = start["Channel"]
        events = self.ami.seen[self.ami.seen.index(start):self.ami.seen.index(end)]
        commands = [(e["Event"], e["Command"], e.get("ResultCode"), e.get("Result")) for e in events
                    if e.get("Event") in ("AGIExecStart", "AGIExecEnd") and e.get("Channel") == channel and "SIDETONE_" not in e["Command"]]
        variables = [(e["Variable"], e["Value"]) for e in events if e.get("Event") == "VarSet" and e.get("Channel") == channel
                     and not e["Variable"].startswith(("SIDETONE_", "AGISTATUS", "MSET"))]
        return commands, variables

    def seen(self, start):
        """What the script read, without what differs from call to call."""
        path = os.path.join(self.pbx.dir, "spool", "tmp", "seen-" + start["Uniqueid"])
        with open(path, encoding="utf-8") as f:
            text = f.read()
        text = re.sub(r"(?m)^(agi_(?:channel|uniqueid|threadid|extension)): .*$", r"\1: -", text)
        return text

    def call(self, exten, mark=None):
        start = self.begin(exten)
        end = self.ami.wait("UserEvent", seconds=20, UserEvent="Mark", What=mark or exten)
        commands, variables = self.story(start, end)
        return {"commands": commands, "variables": variables, "seen": self.seen(start), "end": end}


def difference(one, two):
    """The first place where two lists or texts part."""
    one, two = [x.splitlines() if isinstance(x, str) else x for x in (one, two)]
    for i in range(max(len(one), len(two))):
        a, b = [x[i] if i < len(x) else None for x in (one, two)]
        if a != b:
            return f"at {i}\n  AGI:      {a}\n  Sidetone: {b}"
    return "none"


def forked_all(both, calls):
    """Whether the route with start = fork had that many calls, all of them copies of its template."""
    assert both.daemon.stop() == 0
    return re.search(rf"event=script_figures route=\S*-fork calls={calls} .* forked={calls} fork_missed=0 ", both.daemon.text())


def compare(context, name, mark=None):
    script, _, needs, agi, sidetone = CASES[name]
    if needs and not shutil.which(needs):
        raise Skip(f"{needs} is not installed")
    if not needs and not shutil.which("gcc"):
        raise Skip("gcc is not installed")
    both = Both(context, [name])
    direct = both.call(f"{name}-direct", mark)
    assert len(direct["commands"]) >= 8, direct["commands"]
    for kind in ("cold", "warm", "fork") if script.endswith(".py") else ("cold", "warm"):
        # The third time in a row teaches the pool its arguments; the fourth call finds a process that waits.
        for _ in range(4 if kind == "warm" else 1):
            hosted = both.call(f"{name}-{kind}", mark)
            for what in ("commands", "variables", "seen"):
                assert hosted[what] == direct[what], f"{kind} {what}: {difference(direct[what], hosted[what])}"
            if not mark:
                assert direct["end"]["Agi"] == agi and direct["end"]["Status"] == "/", direct["end"]
                assert hosted["end"]["Status"] == sidetone, hosted["end"]
            if kind == "warm":
                time.sleep(0.3)
    log = both.daemon.text()
    assert "script_not_warm" not in log, log
    assert not script.endswith(".py") or forked_all(both, 1)
    return direct, log


def test_hosted_python(context):
    direct, _ = compare(context, "python")
    values = dict(direct["variables"])
    assert values["PY_NUMBER"] == "1001" and values["PY_VALUE"] == "va lue" and values["SUB"] == "x", values
    assert values["PY_ARGS"] == "one|two words|q,c", values
    assert values["PY_AST"].count("AST_") == 12, values["PY_AST"]


def test_hosted_perl(context):
    direct, _ = compare(context, "perl")
    assert dict(direct["variables"])["PL_NAME"] == "Ada L"


def test_hosted_php(context):
    direct, _ = compare(context, "php", mark="jumped")
    values = dict(direct["variables"])
    assert values["PHP_LONG"] == "1023" and values["PHP_FULL"] == "1500", values


def test_hosted_shell(context):
    direct, log = compare(context, "shell")
    assert dict(direct["variables"])["SH_LAST"] == "unread"
    assert log.count('line="a complaint"') == 5, log


def test_hosted_c(context):
    direct, _ = compare(context, "c")
    assert len(dict(direct["variables"])["C_LONG"]) == 4000


def test_hosted_hangup(context):
    both = Both(context, ["hup"])
    told = {}
    for kind in ("direct", "cold", "fork"):
        start = both.begin(f"hup-{kind}")
        both.ami.wait("AGIExecStart", Command="WAIT FOR DIGIT -1", Channel=start["Channel"])
        answer = both.ami.action("Hangup", Channel=start["Channel"])
        assert answer["Response"] == "Success", answer
        both.ami.wait("VarSet", Variable="AFTER", Channel=start["Channel"])
        end = both.ami.wait("Hangup", Channel=start["Channel"])
        commands, variables = both.story(start, end)
        told[kind] = (commands, variables, both.seen(start))
        limit = time.monotonic() + 5
        while "Database entry not found" not in (said := both.ami.command("database get after hangup")) and time.monotonic() < limit:
            if f"hup-{kind}" in said:
                break
            time.sleep(0.02)
        assert f"hup-{kind}" in said, said
    direct = told["direct"]
    for kind in ("cold", "fork"):
        hosted = told[kind]
        commands = [tuple(str(v).replace(f"hup-{kind}", "hup-direct") for v in c) for c in hosted[0]]
        assert commands == [tuple(str(v) for v in c) for c in direct[0]], f"{kind}: {direct[0]}\n{hosted[0]}"
        assert hosted[1] == direct[1], f"{kind}: {direct[1]}\n{hosted[1]}"
        assert hosted[2] == direct[2] and "SIGHUP" in direct[2] and "HANGUP" not in direct[2], f"{kind}: {direct[2]}\n{hosted[2]}"
    assert forked_all(both, 1)
