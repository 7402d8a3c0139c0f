"""A private Asterisk with exactly what `init` wrote: `doctor` finds nothing to mend, and calls go through."""
import json
import os
import re
import shutil

from daemon import Daemon, free_port, run
from pbx import Pbx

PLAN = "[test]\nexten => quiet,1,Answer()\n same => n,Wait(20)\n\nexten => brief,1,Answer()\n same => n,Wait(0.1)\n same => n,Hangup()\n"


def not_fine(checks):
    """What is left to do; what the machine of the test is like does not count."""
    return [c for c in checks if c["verdict"] != "OK" and c["check"] not in ("open files", "disk")]


class Fresh:
    """A node that runs, and gets what init wrote as its first lines say: added to the files of these names, and read again."""

    def __init__(self, context, parts="tap,ari,agi"):
        self.context = context
        self.out = context.path("out")
        self.pbx = Pbx(context, PLAN)
        self.etc = os.path.join(self.pbx.dir, "etc")
        self.conf = os.path.join(self.out, "sidetone.conf")
        code, out, err = run(context, "init", "--node", "pbx1", "--out", self.out, "--ami", f"127.0.0.1:{self.pbx.ami_port}", "--ari",
                             f"http://127.0.0.1:{self.pbx.http_port}", "--with", parts, "--fastagi", f"127.0.0.1:{free_port()}", "--audiosocket",
                             f"127.0.0.1:{free_port()}", "--state-dir", context.path("state"))
        assert code == 0, err
        assert self.text("pbx1.tap").strip() not in out + err
        with open(os.path.join(self.etc, "ari.conf"), "w", encoding="utf-8") as f:
            f.write("[general]\nenabled = no\n")  # the private node has a user of the same name
        for name in os.listdir(os.path.join(self.out, "asterisk")):
            with open(os.path.join(self.etc, name), "a", encoding="utf-8") as f:
                f.write("\n" + self.text("asterisk/" + name))
        ami = self.pbx.ami("off")
        for command in ("manager reload", "module reload http", "module reload res_ari.so", "dialplan reload"):
            ami.command(command)
        ami.close()

    def text(self, name):
        with open(os.path.join(self.out, name), encoding="utf-8") as f:
            return f.read()

    def manager(self):
        return self.text("asterisk/manager.conf")

    def doctor(self):
        code, out, err = run(self.context, "doctor", "--config", self.conf, "--asterisk-etc", self.etc, "--json")
        assert not err, err
        return code, json.loads(out)["checks"]


def test_init_works_as_it_is_written(context):
    fresh = Fresh(context)
    code, checks = fresh.doctor()
    assert code == 0 and not_fine(checks) == [], checks
    daemon = Daemon(context, fresh.conf, wait="event=ready")
    ami = fresh.pbx.ami("call,user,dialplan")
    ami.originate("Local/quiet@test", "sidetone-test", "100")
    said = ami.wait("VarSet", Variable="SIDETONE_STATUS")
    assert said["Value"] == "OK", said
    ami.originate("Local/quiet@test", "sidetone-test", "101")
    daemon.wait_log("mod=stasis event=start")
    code, checks = fresh.doctor()
    assert code == 0 and not_fine(checks) == [], checks
    assert any("bound by the daemon" in c["said"] for c in checks) and any("the daemon runs" in c["said"] for c in checks), checks
    assert daemon.stop() == 0
    code, calls, err = run(context, "calls", "--config", fresh.conf, "--json", "--since", "2000-01-01")
    assert code == 0 and calls.count('"node":"pbx1"') >= 2, calls + err
    assert [line for line in fresh.pbx.complaints() if "manager" in line or "ari.conf" in line or "acl" in line] == []


def without_the_doors_of_the_test(fresh):
    """The folder as an operator would have it: the user of the test itself and its SIP endpoints are no part of what init wrote."""
    folder = fresh.context.path("as-operators-have-it")
    shutil.copytree(fresh.etc, folder)
    path = os.path.join(folder, "manager.conf")
    with open(path, encoding="utf-8") as f:
        text = f.read()
    own = f"[{fresh.pbx.ami_user}]"
    begin = text.index(own)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text[:begin] + text[text.index("\n;", begin):])
    os.unlink(os.path.join(folder, "pjsip.conf"))
    return folder


def test_init_gives_no_right_too_much_and_none_too_few(context):
    """The auditor has no warning for what init wrote into a node; and each right that is taken away is named by the doctor."""
    fresh = Fresh(context, "tap,ari,agi,asyncagi")
    code, told, err = run(context, "audit", "--json", without_the_doors_of_the_test(fresh))
    worse = [f for f in json.loads(told)["findings"] if f["severity"] != "note"]
    assert code == 0 and not err and worse == [], worse
    code, checks = fresh.doctor()
    assert code == 0 and not_fine(checks) == [], checks
    ami = fresh.pbx.ami("off")
    manager, ari = (os.path.join(fresh.etc, name) for name in ("manager.conf", "ari.conf"))

    def without(path, old, new, command):
        with open(path, encoding="utf-8") as f:
            text = f.read()
        assert old in text, old
        with open(path, "w", encoding="utf-8") as f:
            f.write(text.replace(old, new))
        ami.command(command)
        told = not_fine(fresh.doctor()[1])
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return told

    read = "system,call,agent,dtmf,dialplan,agi"
    for word in read.split(","):
        told = without(manager, f"read = {read}", "read = " + ",".join(w for w in read.split(",") if w != word), "manager reload")
        assert [c["check"] for c in told] == ["events"] and f"does not read {word}:" in told[0]["said"], (word, told)
    for line in re.findall(r"^eventfilter.*$", fresh.manager(), re.M):
        told = without(manager, line + "\n", "", "core ping")  # the doctor reads the file
        event = re.search(r"name\((\w+)\)", line).group(1)
        assert [c["check"] for c in told] == ["events"] and event in told[0]["said"] and line in told[0]["fix"], (line, told)
    for old, new, word in (("write = reporting,agi", "write = agi", "may not list channels"), ("write = reporting,agi", "write = reporting", "may not send AGI"),
                           ("read = agi", "read =", "does not read agi"), ("timestampevents = yes\n\n; The tap", "timestampevents = no\n\n; The tap", "no time stamps")):
        told = without(manager, old, new, "manager reload")
        assert len(told) == 1 and word in told[0]["said"], (old, told)
    told = without(ari, "read_only = no", "read_only = yes", "module reload res_ari.so")
    assert [c["check"] for c in told] == ["ari rights"], told


def test_init_for_asyncagi(context):
    fresh = Fresh(context, "tap,asyncagi")
    code, checks = fresh.doctor()
    assert code == 0 and [c for c in checks if c["verdict"] == "FAIL"] == [], checks
    daemon = Daemon(context, fresh.conf, wait="event=ready")
    ami = fresh.pbx.ami("call,dialplan")
    ami.originate("Local/quiet@test", "sidetone-test", "101")
    said = ami.wait("VarSet", Variable="SIDETONE_STATUS")
    assert said["Value"] == "OK", said
    assert daemon.stop() == 0


def test_doctor_on_asterisk_names_each_blocker(context):
    """The real thing behind four of the stand-ins' answers: a refused login, a read-only user, no time stamps, a missing module."""
    users = "[general](+)\ntimestampevents = no\n[tap]\nsecret = s3\nread = system,call\nwrite = call\n"
    ari = "[watcher]\ntype = user\nread_only = yes\npassword = s3\npassword_format = plain\n"
    pbx = Pbx(context, "[test]\nexten => 1,1,Hangup()\n", configs={"manager": users, "ari": ari, "modules": "noload = chan_audiosocket.so\n"})
    conf = context.write("sidetone.conf", f"""[sidetone]
state_dir = {context.path("state")}
[node a]
ami = tcp://127.0.0.1:{pbx.ami_port}
ami_user = tap
ami_secret = @env:S
control_user = nobody
control_secret = @env:S
ari = http://127.0.0.1:{pbx.http_port}
ari_user = watcher
ari_secret = @env:S
""")
    code, out, err = run(context, "doctor", "--config", conf, "--asterisk-etc", os.path.join(pbx.dir, "etc"), "--json", env={"S": "s3"})
    found = {(c["check"], c["verdict"]): c["said"] for c in json.loads(out)["checks"]}
    assert code == 1 and not err
    assert "control_user = nobody" in found["ami login", "FAIL"], found
    assert "Hangup" in found["ami rights", "WARN"], found
    assert "does not read agent,dtmf,dialplan,agi" in found["events", "FAIL"], found
    assert ("time stamps", "FAIL") in found and "read-only" in found["ari rights", "FAIL"], found
    assert "22." in found["version", "OK"], found
