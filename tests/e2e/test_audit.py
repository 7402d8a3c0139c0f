"""The verb audit: findings with their place, as text and as JSON; exit codes; a hostile file."""
import json

from daemon import run

BAD = """[general]
[in]
exten => _X.,1,System(echo ${CALLERID(num)})
 same => n,Goto(nowhere,s,1)
[ok]
exten => 100,1,NoOp(fine)
 same => n,Hangup()
"""
GOOD = """[general]
[ok]
exten => 100,1,Answer()
 same => n,Playback(hello-world)
 same => n,Hangup()
"""


def audit(context, text, *args):
    context.write("etc/extensions.conf", text)
    return run(context, "audit", context.path("etc"), *args)


def test_findings_have_their_place(context):
    code, out, err = audit(context, BAD)
    assert code == 1 and not err, (code, out, err)
    assert "extensions.conf:3:" in out and " ST201: " in out and "extensions.conf:4:" in out, out
    code, out, err = audit(context, BAD, "--json")
    told = json.loads(out)
    assert code == 1 and told["errors"] + told["warnings"] == len([f for f in told["findings"] if f["severity"] != "note"]) > 1, out
    assert {"file", "line", "column", "code", "rule", "severity", "message", "path"} <= set(told["findings"][0]), out
    code, out, err = audit(context, BAD, "--json", "--only", "ST201")
    assert {f["code"] for f in json.loads(out)["findings"]} == {"ST201"}, out


def test_a_clean_folder_is_exit_0(context):
    code, out, err = audit(context, GOOD)
    assert code == 0 and out.startswith("0 errors, 0 warnings") and not err, (code, out, err)


def test_a_comment_silences(context):
    code, out, err = audit(context, BAD.replace("num)})", "num)}) ; audit-ignore ST201"), "--only", "ST201")
    assert code == 0 and "1 silenced" in out, (code, out, err)


def test_rules_explain_themselves(context):
    code, out, err = run(context, "audit", "--rules")
    codes = [line.split()[0] for line in out.splitlines()]
    assert code == 0 and codes == sorted(codes) and len(codes) > 40, out
    for rule in codes:
        code, out, err = run(context, "audit", "--explain", rule)
        assert code == 0 and out.startswith(rule) and "What to do: " in out and "Found, in " in out and "Good, in " in out, (rule, out, err)


def test_wrong_use_is_one_line(context):
    for args in (("--explain", "ST999"), ("--only", "x", "."), ("/nowhere/at/all",), ("a", "b"), (context.program,)):
        code, out, err = run(context, "audit", *args)
        assert code == 2 and not out and len(err.strip().splitlines()) <= 2, (args, code, out, err)


def test_damage_is_told_and_the_rest_is_read(context):
    code, out, err = audit(context, "[x\n\x1b[31mexten\x07 =\n[ok]\nexten => 1,1,Goto(gone,1,1)\n same => n,Hangup()\n")
    assert code == 1 and "\x1b" not in out and "\x07" not in out and "extensions.conf:4:" in out, (code, out, err)
