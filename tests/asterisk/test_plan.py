"""The patch of `audit --patch` in a real Asterisk: a shell script under AGI() before, and the same behind agi://, with the daemon there and without it."""
import os
import subprocess

from daemon import Daemon, free_port, run
from pbx import Pbx

SCRIPT = """#!/bin/sh
while read -r line && [ -n "$line" ]; do
  case $line in agi_arg_1:*) arg=${line#*: } ;; esac
done
echo "SET VARIABLE FOUND \\"got $arg\\""
read -r line
"""
CALL = """[test]
exten => hold,1,Answer()
 same => n,Wait(60)
exten => ask,1,Answer()
 same => n(look),AGI(look.sh,${EXTEN:1})
 same => n,UserEvent(Mark,Found: ${FOUND},Status: ${SIDETONE_STATUS})
 same => n,Hangup()
"""


def ask(ami):
    ami.originate("Local/hold@test/n", "test", "ask")
    told = ami.wait("UserEvent", seconds=20, UserEvent="Mark")
    return told["Found"], told.get("Status", "")


def patched(context, plan):
    context.write("etc/extensions.conf", plan)
    code, diff, err = run(context, "audit", context.path("etc"), "--patch", "--agi-dir", context.path("agi"))
    assert code == 0 and not err, err
    if diff:
        subprocess.run(["git", "apply", "-p0", "-"], input=diff, cwd=context.path("etc"), text=True, check=True, timeout=20)
    with open(context.path("etc/extensions.conf"), encoding="utf-8") as f:
        return f.read()


def script_put(folder):
    path = os.path.join(folder, "look.sh")
    with open(path, "w", encoding="utf-8") as f:
        f.write(SCRIPT)
    os.chmod(path, 0o755)


def test_a_patched_dialplan_does_what_it_did(context):
    context.write("agi/look.sh", SCRIPT)
    port = free_port()
    after = patched(context, CALL)
    assert "agi://127.0.0.1:4573/look,${EXTEN:1}" in after and patched(context, after) == after, after
    before, now = CALL, after.replace(":4573/", f":{port}/").replace("[test]", "[moved]").replace("exten => hold,1,Answer()\n same => n,Wait(60)\n", "")
    pbx = Pbx(context, before + now)
    script_put(os.path.join(pbx.dir, "agi"))
    ami = pbx.ami()
    assert ask(ami) == ("got sk", "")
    shown = ami.command("dialplan show ask@moved")
    assert "[look]" in str(shown) and "Set(SIDETONE_STATUS=)" in str(shown), shown

    def ask_moved():
        ami.originate("Local/hold@test/n", "moved", "ask")
        told = ami.wait("UserEvent", seconds=20, UserEvent="Mark")
        return told["Found"], told.get("Status", "")

    assert ask_moved() == ("got sk", "")            # nobody answers: the old line ran
    user = "user = nobody\n" if os.geteuid() == 0 else ""
    conf = f"""[sidetone]
state_dir = {context.path("state")}
[fastagi]
listen = 127.0.0.1:{port}
asterisk_conf = {pbx.dir}/etc/asterisk.conf
script_cwd = {pbx.dir}
"""
    daemon = Daemon(context, context.write("sidetone.conf", conf + f"[route other]\nscript = look.sh\n{user}"))
    assert ask_moved() == ("got sk", "ERROR")       # its section was not pasted yet: the old line ran
    assert daemon.stop() == 0
    Daemon(context, context.write("sidetone.conf", conf + f"[route look]\nscript = look.sh\n{user}"))
    assert ask_moved() == ("got sk", "OK")
