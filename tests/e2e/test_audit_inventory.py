"""The inventory of AGI: places and scripts, as text and as JSON; the secret of a script is not repeated; hostile names do not reach the terminal."""
import json
import os

from daemon import run

PLAN = """[default]
exten => 100,1,Answer()
 same => n,AGI(lookup.py,${EXTEN})
 same => n,EAGI(talk.py)
 same => n,AGI(agi://10.0.0.1/x)
 same => n,Hangup()
"""


def folder(context):
    context.write("etc/extensions.conf", PLAN)
    context.write("etc/asterisk.conf", f"[directories]\nastagidir => {context.path('agi')}\n")
    context.write("agi/lookup.py", "password = 'hunter22-never-told'\nagi.set_variable('NAME\x1b[31m', 1)\n")
    context.write("agi/talk.py", "import os\nf = os.fdopen(3)\n")
    return context.path("etc")


def test_the_inventory_as_text_and_json(context):
    etc = folder(context)
    code, out, err = run(context, "audit", etc, "--inventory")
    assert code == 0 and not err, err
    assert "extensions.conf:3: AGI(lookup.py,${EXTEN})" in out and "stasis: it listens" in out and "secret in the source (line 1)" in out, out
    assert "hunter22" not in out and "\x1b" not in out, out
    code, out, err = run(context, "audit", etc, "--inventory", "--json")
    assert code == 0 and not err, err
    agi = json.loads(out)["agi"]
    assert [p["kind"] for p in agi["places"]] == ["AGI", "EAGI", "FastAGI"], agi
    assert [s["class"] for s in agi["scripts"]] == ["look-up", "conversation"] and agi["scripts"][1]["advice"] == "stasis", agi
    assert agi["places"][0]["reached_from"] == ["default"] and "hunter22" not in out, agi


def test_the_report_sums_it_up_and_another_folder_can_be_named(context):
    etc = folder(context)
    code, out, _ = run(context, "audit", etc)
    assert code == 1 and out.strip().splitlines()[-1].startswith("AGI: 3 places, 2 scripts"), out
    code, out, _ = run(context, "audit", etc, "--inventory", "--agi-dir", context.path("nowhere"))
    assert code == 0 and "No such file" in out, out


AEL = """macro look(who) {
    AGI(lookup.py,${who});
}
context default {
    100 => { Answer(); &look(${EXTEN}); jump 1@inner; }
}
context inner {
    1 => { if ("${X}" = "1") { EAGI(talk.py); } Hangup(); }
}
"""


def test_the_inventory_of_ael(context):
    context.write("etc/extensions.ael", AEL)
    etc = context.path("etc")
    code, out, err = run(context, "audit", etc, "--inventory", "--json")
    assert code == 0 and not err, err
    places = json.loads(out)["agi"]["places"]
    assert [(p["line"], p["kind"], p["context"], p["reached_from"]) for p in places] == [
        (2, "AGI", "look", ["default"]), (8, "EAGI", "inner", ["default"])], places
    for option in ("--plan", "--patch", "--apply"):
        code, out, err = run(context, "audit", etc, option)
        assert code in (0, 1) and "+++" not in out and len(err.splitlines()) <= 1, (option, code, out, err)
    with open(os.path.join(etc, "extensions.ael"), encoding="utf-8") as still:
        assert still.read() == AEL


def test_what_does_not_go_with_the_inventory_is_one_line(context):
    etc = folder(context)
    for args in (("--sarif",), ("--only", "ST101"), ("--html", context.path("x.html"))):
        code, out, err = run(context, "audit", etc, "--inventory", *args)
        assert code == 2 and len(err.strip().splitlines()) <= 2 and not out, (args, code, out, err)
