"""The plan and its patch: `patch` applies it, and a second time there is nothing left to change."""
import json
import os
import shutil
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


TALKS = """[default]
exten => 100,1,Answer()
 same => n,EAGI(talk.py,${EXTEN})
 same => n,AGI(lookup.py)
 same => n,AGI(${WHO})
 same => n,AGI(agi://other/x)
 same => n,Hangup()
"""
TALK = """#!/usr/bin/env python3
import os
voice = os.fdopen(3, "rb")
print("SET VARIABLE TOPIC x")
"""
KEYS = ["what", "state", "file", "line", "column", "kind", "target", "script", "class", "risk", "advice", "why", "route", "agent", "lines", "commands"]


def talks(context):
    context.write("etc/extensions.conf", TALKS)
    context.write("agi/talk.py", TALK)
    context.write("agi/lookup.py", "agi.set_variable('NAME', agi.get_variable('X'))\n")
    return context.path("etc"), ("--agi-dir", context.path("agi"))


def test_the_plan_as_json(context):
    etc, more = talks(context)
    code, out, err = run(context, "audit", etc, "--plan", "--json", "--with-talks", *more)
    assert code == 0 and not err, err
    plan = json.loads(out)
    assert (plan["folder"], plan["agi"], plan["app"]) == (etc, "127.0.0.1:4573", "sidetone"), plan
    assert all(list(step) == KEYS for step in plan["steps"]), plan
    assert [(s["what"], s["state"], s["line"], s["route"], s["agent"]) for s in plan["steps"]] == [
        ("route", "paste", None, "lookup", None), ("agent", "write", None, None, "talk"), ("place", "patch", 3, None, "talk"),
        ("place", "patch", 4, "lookup", None), ("apply", None, None, None, None), ("place", "hand", 5, None, None), ("place", "leave", 6, None, None)], plan
    talk = plan["steps"][2]
    assert talk["file"] == etc + "/extensions.conf" and talk["column"] == 12 and talk["script"] == context.path("agi/talk.py"), talk
    assert (talk["kind"], talk["target"], talk["class"], talk["risk"], talk["advice"], talk["why"]) == (
        "EAGI", "talk.py", "conversation", "low", "stasis", None), talk
    assert plan["steps"][4]["commands"] == [f"sidetone audit {way} {etc} --with-talks --agi-dir {more[1]}" for way in ("--patch", "--apply")] + [
        "asterisk -rx 'dialplan reload'"], plan
    assert all(s["why"] for s in plan["steps"][5:]), plan
    code, out, _ = run(context, "audit", etc, "--plan", "--json", *more)
    assert code == 0 and [s["why"] for s in json.loads(out)["steps"] if s["line"] == 3 and "--with-talks" in s["why"]], out


def test_talks_are_asked_for_and_their_agents_told(context):
    etc, more = talks(context)
    code, out, err = run(context, "audit", etc, "--patch", *more)
    assert code == 0 and not err and "Stasis" not in out and "agi://127.0.0.1:4573/lookup" in out, out
    code, out, err = run(context, "audit", etc, "--plan", *more)
    assert code == 0 and "[agent" not in out and "--with-talks" in out, out
    code, out, err = run(context, "audit", etc, "--plan", "--with-talks", *more)
    assert code == 0 and "[agent talk]\n   provider = local\n   file = talk.agent    ; to be written by a person" in out and "variables = TOPIC" in out, out
    section = out[out.index("   [agent talk]"):].split("\n\n", 1)[0] + "\n"
    conf = context.write("sidetone.conf", section + f"[sidetone]\nstate_dir = {context.path('state')}\n")
    code, out, err = run(context, "config", "check", conf)
    assert code == 1 and "talk.agent" in out + err, (code, out, err) # until a person has written it
    code, diff, err = run(context, "audit", etc, "--patch", "--with-talks", *more)
    assert code == 0 and not err and "+ same => n,Stasis(sidetone,talk)\n" in diff, diff
    last = ["patch", "-b", "-p0", "--fuzz=0"] if shutil.which("patch") else ["git", "apply", "-p0", "-"]
    for command in (["git", "apply", "-p0", "--check", "-"], last):
        done = subprocess.run(command, input=diff, cwd=etc, text=True, capture_output=True, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr, diff)
    assert run(context, "audit", etc, "--patch", "--with-talks", *more) == (0, "", "")
    code, out, err = run(context, "audit", etc, "--plan", *more)
    assert code == 0 and out.startswith("By hand") and "Moved already:" in out and "EAGI(talk.py)" in out.split("Moved already:")[1], out
    code, out, err = run(context, "audit", etc, "--only", "ST220", "--json")
    assert len(json.loads(out)["findings"]) == 2, out # of the two lines that were left


def test_addresses_come_from_our_configuration(context):
    etc, more = talks(context)

    def first(agi, audio, node=""):
        conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\n[fastagi]\nlisten = {agi}\n[audiosocket]\n{audio}\n{node}")
        code, out, err = run(context, "audit", etc, "--patch", "--with-talks", "--config", conf, *more)
        assert code == 0 and not err, (out, err)
        return next(x for x in out.splitlines() if "agi://" in x and "/lookup" in x), next(x for x in out.splitlines() if "Stasis(" in x)

    node = "[node x]\nami = tcp://127.0.0.1:5038\n[node a]\nari = http://127.0.0.1:8088\nari_user = x\nari_secret = @env:NONE\napp = front\n"
    agi, stasis = first("127.0.0.2:4999", "listen = 127.0.0.1:9092", node)
    assert agi == "+ same => n,AGI(agi://127.0.0.2:4999/lookup)" and stasis == "+ same => n,Stasis(front,talk)", (agi, stasis)
    assert "agi://[::1]:4573/" in first("[::1]:4573", "listen = 127.0.0.1:9092")[0]
    assert "agi://gw.example:4573/" in first("0.0.0.0:4573", "listen = 0.0.0.0:9092\nadvertise = gw.example:9092")[0]
    assert "agi://127.0.0.1:4573/" in first("0.0.0.0:4573", "listen = 127.0.0.1:9092")[0]


def test_sections_that_are_there_are_not_told_again(context):
    etc, more = talks(context)
    context.write("handlers/x.lua", "function handle(call) end\n")

    def plan(sections):
        conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\n[fastagi]\nagi_dir = {context.path('agi')}\n"
                             f"script_cwd = {context.path('agi')}\n{sections}")
        code, out, err = run(context, "audit", etc, "--plan", "--json", "--with-talks", "--config", conf, *more)
        assert code == 0 and not err, (out, err)
        return [(s["what"], s["state"], s["route"] or s["agent"]) for s in json.loads(out)["steps"] if s["what"] in ("route", "agent")], conf

    os.chmod(context.path("agi/lookup.py"), 0o755)
    user = "user = nobody\n" if os.geteuid() == 0 else ""
    there, conf = plan(f"[route lookup]\nscript = lookup.py\n{user}[agent talk]\nprovider = echo\n")
    assert there == [("route", "there", "lookup"), ("agent", "there", "talk")], there
    code, out, err = run(context, "audit", etc, "--plan", "--with-talks", "--config", conf, *more)
    assert code == 0 and not err and out.startswith("1. Change these places") and "[route" not in out and "[agent" not in out, out
    assert plan("[route lookup]\nhandler = x.lua\n")[0] == [("route", "paste", "lookup-2"), ("agent", "write", "talk")]


def test_wrong_use_is_one_line(context):
    context.write("etc/extensions.conf", PLAN)
    for args in (("--plan", "--patch"), ("--patch", "--json"), ("--with-talks",), ("--config", "x.conf"), ("--plan", "--config", "/nowhere.conf"), ("--patch", "--inventory"), ("--plan", "--only", "ST101")):
        code, out, err = run(context, "audit", context.path("etc"), *args)
        assert code == 2 and not out and len(err.strip().splitlines()) <= 2, (args, out, err)


AEL = """globals { X=1; };
context shop {
    _X. => {
        Answer();
        if ("${EXTEN}" = "7")
            AGI(lookup.py,${EXTEN}); // why
        else
            NoOp(no);
        NoOp(${NAME}); AGI(lookup.py);
\t&say(1);
\tEAGI(talk.py,x);
        Hangup();
    }
};
macro say(what) {
    AGI(lookup.py,${what});
};
"""


def test_ael_is_patched_where_a_statement_stands_alone(context):
    etc, more = talks(context)
    context.write("etc/extensions.ael", AEL)
    context.write("etc/extensions.conf", "[default]\n")
    code, out, err = run(context, "audit", etc, "--plan", "--json", "--with-talks", *more)
    assert code == 0 and not err, err
    places = [(s["line"], s["state"], s["route"], s["agent"], (s["lines"] or "").count("AGI(agi://127.0.0.1:4573/lookup);")) for s in json.loads(out)["steps"] if s["what"] == "place"]
    assert sorted(places, key=str) == [(11, "patch", None, "talk", 0), (16, "patch", "lookup", None, 0), (6, "patch", "lookup", None, 0),
                                       (9, "hand", "lookup", None, 1)], places
    code, out, err = run(context, "audit", etc, "--apply", "--with-talks", *more)
    assert code == 0 and not err and "extensions.ael" in out and "module reload pbx_ael.so" in out, (out, err)
    with open(os.path.join(etc, "extensions.ael"), encoding="utf-8") as f:
        now = f.read()
    assert "\t{\n\t    Set(SIDETONE_STATUS=);\n" in now and "                AGI(lookup.py,${EXTEN}); // why\n" in now, now
    assert run(context, "audit", etc, "--patch", "--with-talks", *more) == (0, "", "")
    code, out, err = run(context, "audit", etc, "--plan", "--json", *more)
    assert sorted(s["state"] for s in json.loads(out)["steps"] if s["what"] == "place" and s["kind"] != "FastAGI") == ["done", "done", "done", "hand"], out
    code, out, err = run(context, "audit", etc, "--undo")
    assert code == 0 and not err, (out, err)
    with open(os.path.join(etc, "extensions.ael"), encoding="utf-8") as f:
        assert f.read() == AEL
