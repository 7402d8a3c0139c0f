"""The plan and its patch: `patch` applies it, and a second time there is nothing left to change."""
import subprocess

from daemon import run

PLAN = """[default]
exten => 100,1,Answer()
 same => n(look),AGI(lookup.py,${EXTEN})
 same => n,AGI(lookup.py,again)
 same => n,Hangup()
exten => 101,1,NoOp()
 same => n,NoOp()
 same => n,NoOp()
 same => n,NoOp()
 same => n,NoOp()
 same => n,AGI(other.sh)
 same => n,Hangup()"""


def test_patch_applies_and_a_second_one_is_empty(context):
    context.write("etc/extensions.conf", PLAN)
    context.write("agi/lookup.py", "agi.set_variable('NAME', agi.get_variable('X'))\n")
    context.write("agi/other.sh", "#!/bin/sh\necho SET VARIABLE A 1\n")
    etc, more = context.path("etc"), ("--agi-dir", context.path("agi"))
    code, out, err = run(context, "audit", etc, "--plan", *more)
    assert code == 0 and not err and "[route lookup]" in out and "[route other]" in out and "sidetone audit --apply " in out and "Moved already" not in out, (out, err)
    code, diff, err = run(context, "audit", etc, "--patch", *more)
    assert code == 0 and not err and diff.count("\n@@ ") == 2, (diff, err)
    with open(context.path("etc/extensions.conf"), encoding="utf-8") as f:
        assert f.read() == PLAN
    done = subprocess.run(["git", "apply", "-p0", "-"], input=diff, cwd=etc, text=True, capture_output=True, check=False)
    assert done.returncode == 0, (done.stderr, diff)
    with open(context.path("etc/extensions.conf"), encoding="utf-8") as f:
        now = f.read()
    assert now.count("agi://127.0.0.1:4573/lookup") == 2 and " same => n(look),Set(SIDETONE_STATUS=)" in now, now
    code, diff, err = run(context, "audit", etc, "--patch", *more)
    assert code == 0 and diff == "" and not err, diff
    code, out, err = run(context, "audit", etc, "--plan", *more)
    assert code == 0 and out.startswith("Moved already"), out


def test_wrong_use_is_one_line(context):
    context.write("etc/extensions.conf", PLAN)
    for args in (("--plan", "--patch"), ("--plan", "--json"), ("--patch", "--inventory"), ("--plan", "--only", "ST101")):
        code, out, err = run(context, "audit", context.path("etc"), *args)
        assert code == 2 and not out and len(err.strip().splitlines()) <= 2, (args, out, err)
