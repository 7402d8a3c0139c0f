"""`sidetone audit --live` on a real Asterisk that init set up: what is loaded is compared with what the files say."""
import json
import os
import re

from daemon import free_port, run
from test_init import Fresh

LEFT_OUT = "users of the manager, and Asterisk's own words about its ports, are left out"


def ask(fresh, context):
    code, out, err = run(context, "audit", fresh.etc, "--live", "pbx1", "--config", fresh.conf, "--json", timeout=60)
    assert code in (0, 1), (code, err)
    return json.loads(out), err


def live(fresh, context):
    """What is told of the running system; the age of files aside."""
    told, err = ask(fresh, context)
    assert err.count("\n") == 1 and LEFT_OUT in err and "write = reporting,command" in err, err
    return {(f["code"], f["message"]) for f in told["findings"] if f["code"] > "ST900" and f["code"] != "ST903"}


def edit(fresh, name, change):
    path = os.path.join(fresh.etc, name)
    with open(path, encoding="utf-8") as f:
        text = f.read()
    changed = change(text)
    assert changed != text, name
    with open(path, "w", encoding="utf-8") as f:
        f.write(changed)


def test_audit_live_compares_what_runs_with_the_files(context):
    fresh = Fresh(context)
    assert live(fresh, context) == set()
    with open(os.path.join(fresh.etc, "extensions.conf"), "a", encoding="utf-8") as f:
        f.write("\n[written]\nexten => 1,1,AgentLogin()\n same => n,Hangup()\n same => n,VoiceMailMain()\n")
    ami = fresh.pbx.ami("off")
    ami.command("dialplan add extension 1,1,NoOp into added")
    ami.command("module unload app_agent_pool.so")
    found = live(fresh, context)
    assert ("ST902", 'context "written" is in the file, but not loaded') in found, found
    assert any(code == "ST904" and "app_voicemail" in text for code, text in found), found
    ami.command("dialplan reload")
    assert not any(code == "ST902" for code, _ in live(fresh, context))
    code, _, err = run(context, "audit", fresh.etc, "--live", "nobody", "--config", fresh.conf)
    assert code == 2 and "no node nobody" in err, err
    fresh.pbx.stop()
    code, out, err = run(context, "audit", fresh.etc, "--live", "pbx1", "--config", fresh.conf, timeout=60)
    assert code == 2 and "told nothing" in err and out == "", (code, out, err)
    assert "AMI did not let control_user in" in err, err


def grant_command(fresh):
    """What the hint advises: for one run, added to the control user's classes."""
    edit(fresh, "manager.conf", lambda text: re.sub(r"(?m)^(write = .*\breporting\b.*)$", r"\1,command", text))
    fresh.pbx.ami("off").command("manager reload")


def granted(fresh, context):
    told, err = ask(fresh, context)
    assert err == "", err
    assert told["asterisk"]["version"].startswith("22.") and told["asterisk"]["from"] == "node pbx1 by AMI", told["asterisk"]
    return {(f["code"], f["message"]) for f in told["findings"] if f["code"] >= "ST905"}


def test_audit_live_compares_users(context):
    fresh = Fresh(context)
    edit(fresh, "manager.conf", lambda text: text + "\n[leaver]\nsecret = leaverSecret1234\nread = call\nwrite = command\n"
         "\n[worker]\nsecret = workerSecret1234\nread = call\nwrite = call,originate\ndeny = 0.0.0.0/0\npermit = 127.0.0.1/32\n")
    grant_command(fresh)
    assert granted(fresh, context) == set()
    edit(fresh, "manager.conf", lambda text: text[:text.index("\n[leaver]")] + "\n[worker]\nsecret = workerSecret1234\nread = call,agent\nwrite = call\n"
         "\n[comer]\nsecret = comerSecret12345\nread = call\n")
    assert granted(fresh, context) == {
        ("ST905", "user leaver can log in at the running manager and send commands, but no file has that user"),
        ("ST906", "user comer is in the file, but the running manager does not have it"),
        ("ST907", "the running manager gives worker less than the file: not read = agent"),
        ("ST907", "the running manager gives worker more than the file: write = originate"),
        ("ST907", "the running manager has a list of addresses for worker, the file none"),
    }
    fresh.pbx.ami("off").command("manager reload")
    assert granted(fresh, context) == set()


def test_audit_live_compares_steps(context):
    fresh = Fresh(context)
    odd = """
[odd]
exten => 1,1,NoOp(a\\;b, "q" ${EXTEN})
 same => n(top), Set (X=a\\,b)
 same => n,NoOp( blanks )
exten => 2/100,1,Hangup()
exten => 2,1,Answer()
exten => 2,2,Hangup()
exten => _[1-5]-22,1,Playback(a,b(c))
exten => 5,hint,PJSIP/5
exten => 1 2 3,1,NoOp
exten => _X.,1,Dial(PJSIP/${EXTEN}@uas,20)
"""
    edit(fresh, "extensions.conf", lambda text: text + odd)
    ami = fresh.pbx.ami("off")
    ami.command("dialplan reload")
    assert live(fresh, context) == set()
    for words in ("77,1,NoOp,by hand", "77,2,Hangup", "5,1,Hangup", "1,4,NoOp,more"):
        ami.command(f"dialplan add extension {words} into odd")
    edit(fresh, "extensions.conf", lambda text: text.replace("exten => 2,2,Hangup()", "exten => 2,2,Busy(3)\nexten => 6,1,Hangup()"))
    assert live(fresh, context) == {
        ("ST910", 'context "odd" has 2 extensions and 1 step (1 priority 4, 5, 77) loaded that extensions.conf does not have'),
        ("ST911", '1 extension and 1 step (2 priority 2, 6) of context "odd" are not loaded as the file has them'),
    }
    ami.command("dialplan reload")
    assert live(fresh, context) == set()


def test_audit_live_compares_ports(context):
    """Without any right the process of this machine tells its ports; with `command` Asterisk says them, too."""
    fresh = Fresh(context)
    assert live(fresh, context) == set()
    moved, sip, old = free_port(), free_port(), fresh.pbx.http_port
    edit(fresh, "http.conf", lambda text: text + f"[general](+)\nbindport = {moved}\n")
    edit(fresh, "pjsip.conf", lambda text: text + f"\n[late]\ntype = transport\nprotocol = tcp\nbind = 127.0.0.1:{sip}\n")
    silent = ("ST909", f"the running system does not listen on 127.0.0.1:{sip}, where the file opens transport late")
    assert live(fresh, context) == {("ST909", f"the running system does not listen on 127.0.0.1:{moved}, where the file opens HTTP"), silent}
    grant_command(fresh)
    assert granted(fresh, context) == {("ST909", f"HTTP listens on 127.0.0.1:{old}, not on 127.0.0.1:{moved} as the file says"), silent}
    edit(fresh, "http.conf", lambda text: text + f"[general](+)\nbindport = {old}\nenabled = no\n")
    edit(fresh, "manager.conf", lambda text: text + "[general](+)\nbindaddr = 0.0.0.0\n")
    assert granted(fresh, context) == {
        ("ST908", f"HTTP listens on 127.0.0.1:{old}; the file switches it off"), silent,
        ("ST909", f"AMI listens on 127.0.0.1:{fresh.pbx.ami_port}, not on 0.0.0.0:{fresh.pbx.ami_port} as the file says"),
    }


def test_audit_live_tells_files_newer_than_the_last_reload(context):
    fresh = Fresh(context)
    with open(os.path.join(fresh.etc, "extensions.ael"), "w", encoding="utf-8") as f:
        f.write("context newer { 1 => Hangup(); }\n")
    for name in os.listdir(fresh.etc):
        # of 2001, or a day after the start: no clock comes near
        at = 1_000_000_000 if name not in ("extensions.ael", "http.conf") else os.stat(fresh.etc).st_mtime + 86400
        os.utime(os.path.join(fresh.etc, name), (at, at))
    told, _ = ask(fresh, context)
    newer = sorted(f["message"].split()[0] for f in told["findings"] if f["code"] == "ST903")
    assert newer == ["extensions.ael", "http.conf"], told["findings"]
