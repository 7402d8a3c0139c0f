"""The verb audit: findings with their place, as text and as JSON; exit codes; a hostile file."""
import json
import os
import pty
import subprocess

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


def test_what_is_said_often_is_shown_three_times(context):
    many = GOOD + "".join(f"exten => {n},1,Macro(x)\n same => n,Hangup()\n" for n in range(200, 240)) + "exten => 300,1,Macro(x)\n"
    code, out, err = audit(context, many)
    assert code == 1 and out.count(": error ST121: ") == 3 and "and 38 more like it" in out and "82 errors" in out, out
    code, out, err = audit(context, many, "--only", "ST121")
    assert out.count(": error ST121: ") == 41 and "more like it" not in out, out
    assert len(json.loads(audit(context, many, "--json")[1])["findings"]) >= 41


def test_no_form_shows_settings_in_a_name(context):
    """A generator wrote an account's settings into the names of contexts."""
    name = "from-trunk-type=friend secret=Zk7hunter2 host=10.0.0.1"
    plan = f"[general]\n[from-pstn]\ninclude => {name}\ninclude => {name}-custom\n[{name}]\nexten => _.,1,Goto(from-pstn,${{EXTEN}},1)\nexten => 1,1,Goto(nowhere,1,1)\n"
    code, out, err = audit(context, plan)
    assert code == 1 and "ST109" in out and "Zk7hunter2" not in out, out
    for form in ("--json", "--sarif", "--inventory"):
        assert "Zk7hunter2" not in audit(context, plan, form)[1], form
    page = context.path("page.html")
    audit(context, plan, "--html", page)
    with open(page, encoding="utf-8") as f:
        told = f.read()
    assert "from-trunk-type=" in told and "Zk7hunter2" not in told


def test_a_name_stays_whole_when_a_hidden_word_is_part_of_it(context):
    code, out, err = audit(context, GOOD + "exten => 101,1,MODEM_SEND_SMS(m0,${EXTEN},Test SMS)\n same => n,Hangup()\n")
    assert 'no application "MODEM_SEND_SMS"' in out and "Test" not in out, out


def test_a_link_to_nothing_is_told(context):
    context.write("linked/manager.conf", "[general]\nenabled = no\n")
    os.symlink("/nowhere/extensions.conf", context.path("linked/extensions.conf"))
    code, out, err = run(context, "audit", context.path("linked"))
    assert code == 1 and "ST001: extensions.conf cannot be read: it is a link to a file that is not there" in out, out


def test_a_folder_of_other_files_is_told_from_none(context):
    context.write("other/readme.txt", "x")
    code, out, err = run(context, "audit", context.path("other"))
    assert code == 2 and "no file of Asterisk's in it" in err, err
    code, out, err = run(context, "audit", context.path("not-there"))
    assert code == 2 and "No such file or directory" in err, err


def test_a_comment_silences(context):
    code, out, err = audit(context, BAD.replace("num)})", "num)}) ; audit-ignore ST201"), "--only", "ST201")
    assert code == 0 and "1 silenced" in out, (code, out, err)


def test_rules_explain_themselves(context):
    code, out, err = run(context, "audit", "--rules")
    codes = [line.split()[0] for line in out.splitlines()]
    assert code == 0 and codes == sorted(codes) and len(codes) > 40, out
    for rule in codes[::5] + codes[-1:]:
        code, out, err = run(context, "audit", "--explain", rule)
        assert code == 0 and out.startswith(rule) and "What to do: " in out and "Found, in " in out and "Good, in " in out, (rule, out, err)


def test_rules_as_json(context):
    code, out, err = run(context, "audit", "--rules", "--json")
    rules = json.loads(out)
    assert code == 0 and not err and all(r["summary"] and r["why"] and r["fix"] and len(r["examples"]) >= 2 for r in rules), err
    _, text, _ = run(context, "audit", "--rules")
    assert [r["code"] for r in rules] == [line.split()[0] for line in text.splitlines()]
    code, out, err = run(context, "audit", "--explain", "ST201", "--json")
    assert code == 0 and json.loads(out) == next(r for r in rules if r["code"] == "ST201"), (out, err)


def test_wrong_use_is_one_line(context):
    for args in (("--explain", "ST999"), ("--only", "x", "."), ("/nowhere/at/all",), ("a", "b"), (context.program,)):
        code, out, err = run(context, "audit", *args)
        assert code == 2 and not out and len(err.strip().splitlines()) <= 2, (args, code, out, err)


def test_damage_is_told_and_the_rest_is_read(context):
    code, out, err = audit(context, "[x\n\x1b[31mexten\x07 =\n[ok]\nexten => 1,1,Goto(gone,1,1)\n same => n,Hangup()\n")
    assert code == 1 and "\x1b" not in out and "\x07" not in out and "extensions.conf:4:" in out, (code, out, err)


def test_the_line_is_shown_with_a_mark(context):
    code, out, err = audit(context, BAD, "--only", "ST201")
    lines = out.splitlines()
    assert lines[1].endswith("| exten => _X.,1,System(echo ${CALLERID(num)})"), out
    assert lines[2].index("^") == lines[1].index("System") and lines[2].endswith("^~~~~~"), out
    assert any(line.split()[:3] == ["error", "ST201", "1"] for line in lines), out
    assert "\x1b" not in out, out


def test_colours_are_for_a_terminal(context):
    context.write("etc/extensions.conf", BAD)
    told = [on_terminal(context, {"TERM": "xterm", "NO_COLOR": no}) for no in ("", "1")] + [on_terminal(context, {"TERM": "dumb", "NO_COLOR": ""})]
    assert "\x1b[1;31merror\x1b[0m ST201" in told[0], told[0]
    assert "\x1b" not in told[1] and "\x1b" not in told[2] and " ST201: " in told[1], told


def on_terminal(context, env):
    main, other = pty.openpty()
    with subprocess.Popen([context.program, "audit", context.path("etc")], stdin=subprocess.DEVNULL, stdout=other, env={**os.environ, **env}) as child:
        os.close(other)
        told = b""
        while True:
            try:
                more = os.read(main, 4096)
            except OSError:  # the end, on Linux
                break
            if not more:
                break
            told += more
        assert child.wait(30) == 1
    os.close(main)
    return told.decode()


def test_severity_max_and_fail_on(context):
    code, out, err = audit(context, BAD, "--json", "--severity", "error")
    told = json.loads(out)
    assert code == 1 and {f["severity"] for f in told["findings"]} == {"error"} and told["errors"] == len(told["findings"]), out
    code, out, err = audit(context, BAD, "--json", "--max", "1")
    first = json.loads(out)
    assert [f["severity"] for f in first["findings"]] == ["error"] and first["errors"] == told["errors"] > 1, out
    assert first["not_told"] == first["errors"] + first["warnings"] + first["notes"] - 1, out
    code, out, err = audit(context, BAD, "--max", "1")
    assert code == 1 and f"{first['not_told']} of them not shown" in out, out
    assert audit(context, BAD, "--fail-on", "never")[0] == 0
    assert audit(context, "[a]\nexten => 1,1,Answer()\n", "--fail-on", "error")[0] == 0
    code, out, err = audit(context, "[a]\nexten => 1,1,Answer()\n", "--fail-on", "note")
    assert code == 1 and "0 errors, 0 warnings, 1 note;" in out, out
    for wrong in (("--severity", "x"), ("--fail-on", "x"), ("--max", "0"), ("--max", "x")):
        assert audit(context, BAD, *wrong)[0] == 2


SECRET_FILES = {
    "manager.conf": "[general]\nenabled = yes\nbindaddr = 0.0.0.0\n[admin]\nsecret = hunter2\nwrite = all\nread = all\n[two]\nsecret hunter2\n"
                    "secret = hunter2 hunter2\nnosuchkey = hunter2\n",
    "ari.conf": "[general]\nenabled = yes\nallowed_origins = *\n[a]\ntype = user\npassword = hunter2\n",
    "pjsip.conf": "[t]\ntype = endpoint\ncontext = in\n[x]\ntype = auth\nusername = x\npassword = hunter2\nmd5_cred = hunter2\noauth_secret = hunter2\n"
                  "[y]\ntype=aor\ncontact = sip:u:hunter2@h\n",
    "users.conf": "[100]\nhasmanager = yes\nsecret = hunter2\nvmsecret = hunter2\n",
    "voicemail.conf": "[default]\n100 => hunter2,Name\n101 = hunter2\n",
    "iax.conf": "[guest]\ntype = user\ncontext = in\nsecret = hunter2\nregister => u:hunter2@h\n",
    "http.conf": "[general]\nenabled = yes\nbindaddr = 0.0.0.0\ntlsprivatekey = hunter2\n",
    "websocket_client.conf": "[c]\ntype = websocket_client\nuri = wss://u:hunter2@h/?k=hunter2\nusername = x\npassword = hunter2\n",
    "extconfig.conf": "[settings]\nx => odbc,hunter2\n",
    "extensions.conf": "[globals]\nDBPASS=hunter2\nX=hunter2\n[in]\nhunter2\nexten => 1,1,Goto(gone,1,1) ; hunter2\nexten => 1,2,Authenticat(hunter2)\n"
                       "exten => _X.,1,System(mysql -phunter2 ${EXTEN})\nexten => _X.,n,Dial(IAX2/u:hunter2@h/${EXTEN})\nexten => _X.,n,Set(PIN=hunter2)\n"
                       "exten => _X.,n,GotoIf($[${PIN}=hunter2]?nowhere,1)\nexten => _X.,n,Set(X=${CURL(https://h/?t=hunter2&${EXTEN})\n"
                       "exten => _X.,n,Gosub(gone,s,1(hunter2,password))\n",
}


def test_no_form_repeats_a_secret(context):
    for name, text in SECRET_FILES.items():
        context.write("etc/" + name, text)
    for form in ((), ("--json",), ("--sarif",), ("--write-baseline", context.path("known")), ("--html", context.path("page.html"))):
        code, out, err = run(context, "audit", context.path("etc"), *form)
        if len(form) > 1:
            with open(form[1], encoding="utf-8") as f:
                out = f.read()
        assert "ST101" in out and not err, (code, out, err)
        assert "hunter2" not in out, [line for line in out.splitlines() if "hunter2" in line]
