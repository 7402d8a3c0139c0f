"""The verb audit: SARIF, baselines; hostile text in each form."""
import json
import os
import re

from daemon import run
from sarif_check import check_log

PLAN = """[in]
exten => _X.,1,Set(N=${EXTEN})
 same => n,System(echo ${N})
 same => n,Goto(nowhere,s,1) ; audit-ignore ST101
 same => n,Goto(gone,s,1)
[out]
exten => 1,1,Goto(gone,s,1)
"""


def audit(context, text, *args):
    context.write("etc/extensions.conf", text)
    return run(context, "audit", context.path("etc"), *args)


def sarif(context, text, *args):
    code, out, err = audit(context, text, "--sarif", *args)
    assert code in (0, 1) and not err, (code, err)
    return check_log(json.loads(out))


def test_sarif_has_places_ways_and_suppressions(context):
    results = sarif(context, PLAN)
    told = json.loads(audit(context, PLAN, "--json")[1])["findings"]
    assert [(r["ruleId"], r["level"], r["locations"][0]["physicalLocation"]["region"]["startLine"]) for r in results] == \
        [(f["code"], f["severity"], f["line"]) for f in told]
    shell, = [r for r in results if r["ruleId"] == "ST201"]
    way = shell["codeFlows"][0]["threadFlows"][0]["locations"]
    assert [s["location"]["physicalLocation"]["region"]["startLine"] for s in way] == [2, 3], way
    assert "${{N}}" in shell["message"]["text"], shell
    assert shell["locations"][0]["physicalLocation"]["region"]["snippet"]["text"] == " same => n,System(echo ${N})", shell
    assert [s["kind"] for r in results if r["locations"][0]["physicalLocation"]["region"]["startLine"] == 4 and r["ruleId"] == "ST101"
            for s in r["suppressions"]] == ["inSource"]


def test_sarif_names_files_as_uris(context):
    context.write("e t%c/extensions.conf", PLAN)
    for folder, begin in ((context.path("e t%c"), "file:///"), (os.path.relpath(context.path("e t%c")), "..")):
        code, out, err = run(context, "audit", folder, "--sarif")
        uris = {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in check_log(json.loads(out))}
        assert all(u.endswith("/e%20t%25c/extensions.conf") and u.startswith(begin) for u in uris) and len(uris) == 1, uris


def prints(results):
    return sorted((r["ruleId"], *r["partialFingerprints"].values()) for r in results)


def test_fingerprints_survive_shifts_and_tell_changes(context):
    before = prints(sarif(context, PLAN))
    assert prints(sarif(context, "; a line\n\n" + PLAN.replace("[out]", "\n; more\n[out]"))) == before
    assert prints(sarif(context, PLAN.replace(" same", "   same").replace("echo ${N})", "echo ${N}) ; why"))) == before
    assert prints(sarif(context, PLAN.replace("echo", "printf"))) != before
    gone = [p for p in before if p[0] == "ST101"]
    assert len(set(gone)) == len(gone) == 3, gone  # the same words in two sections are two


def test_a_baseline_silences_what_it_knows(context):
    known = context.path("known")
    code, out, err = audit(context, PLAN, "--write-baseline", known)
    assert code == 0 and out.startswith(known + ": ") and not err, (code, out, err)
    code, out, err = audit(context, "\n\n\n" + PLAN, "--baseline", known)
    assert code == 0 and "0 errors, 0 warnings, 0 notes" in out and "stale" not in out, out
    code, out, err = audit(context, PLAN + " same => n,Goto(new,s,1)\n", "--baseline", known, "--json")
    told = json.loads(out)
    assert code == 1 and [f["message"] for f in told["findings"] if "silenced_by" not in f and f["code"] == "ST101"] == \
        ['Goto leads to "new,s,1", but the context does not exist'], out
    assert {r["suppressions"][0]["kind"] for r in sarif(context, PLAN, "--baseline", known)} == {"inSource", "external"}


def test_a_baseline_counts(context):
    known = context.path("known")
    twice = "[a]\nexten => 1,1,Goto(gone,s,1)\nexten => 2,1,NoOp()\n same => n,Goto(gone,s,1)\nexten => 3,1,NoOp()\n same => n,Goto(gone,s,1)\n"
    assert audit(context, twice, "--write-baseline", known)[0] == 0
    with open(known, encoding="utf-8") as f:
        lines = f.read().splitlines()
    assert lines[0] == "; sidetone audit baseline 1" and [line.split()[1:4] for line in lines[2:]] == [["1", "ST101", "extensions.conf"], ["2", "ST101", "extensions.conf"]], lines
    code, out, err = audit(context, twice + "exten => 4,1,NoOp()\n same => n,Goto(gone,s,1)\n", "--baseline", known)
    assert code == 1 and "1 error, 0 warnings, 0 notes, 3 silenced" in out, out
    code, out, err = audit(context, twice.replace("\nexten => 3,1,NoOp()\n same => n,Goto(gone,s,1)", ""), "--baseline", known)
    assert code == 0 and "stale in the baseline: ST101 extensions.conf: Goto leads to" in out and "(1 of 2 found)" in out, out
    code, out, err = audit(context, "[a]\nexten => 1,1,Hangup()\n", "--baseline", known, "--json")
    assert [(e["expected"], e["found"]) for e in json.loads(out)["baseline_stale"]] in ([(1, 0), (2, 0)], [(2, 0), (1, 0)]), out
    code, out, err = audit(context, "[a]\nexten => 1,1,Hangup()\n", "--baseline", known, "--only", "ST201")
    assert "stale" not in out, out  # what was not looked for is not missed


def test_a_baseline_is_written_whole_or_not(context):
    other = context.write("notes.txt", "precious\n")
    code, out, err = audit(context, PLAN, "--write-baseline", other)
    assert code == 2 and "is no baseline" in err, (code, out, err)
    with open(other, encoding="utf-8") as f:
        assert f.read() == "precious\n"
    code, out, err = audit(context, PLAN, "--write-baseline", context.path("no", "folder"))
    assert code == 2 and len(err.splitlines()) == 1, err
    known = context.path("known")
    for _ in range(2):
        assert audit(context, PLAN, "--write-baseline", known, "--baseline" if os.path.exists(known) else "--severity", known if os.path.exists(known) else "note")[0] == 0
    with open(known, encoding="utf-8") as f:
        assert len(f.read().splitlines()) > 4
    assert sorted(os.listdir(context.dir)) == ["etc", "known", "notes.txt"]  # nothing is left beside it


def test_a_wrong_baseline_is_refused(context):
    for text in ("", "x", "; sidetone audit baseline 2\n", "; sidetone audit baseline 1\nnonsense\n",
                 "; sidetone audit baseline 1\n" + "0" * 32 + " 0 ST101 f\tx\n", "; sidetone audit baseline 1\n" + "g" * 32 + " 1 ST101 f\tx\n"):
        code, out, err = audit(context, PLAN, "--baseline", context.write("wrong", text))
        assert code == 2 and not out and len(err.splitlines()) == 1, (text, code, out, err)
    assert audit(context, PLAN, "--baseline", context.path("nowhere"))[0] == 2
    assert audit(context, PLAN, "--only", "ST101", "--write-baseline", context.path("k"))[0] == 2
    assert audit(context, PLAN, "--json", "--sarif")[0] == 2
    assert audit(context, PLAN, "--html", context.path("p"), "--write-baseline", context.path("k"))[0] == 2
    assert not os.path.exists(context.path("p")) and not os.path.exists(context.path("k"))


HOSTILE = "[</script><script>alert(1)</script>]\nexten => _X.,1,System(\x1b[31m${EXTEN}\x1b]0;x\x07'\"<img src=x onerror=alert(1)>&amp;)\n" \
          "exten => 1,1,Goto([click](http://evil.example),\u202etxt.exe,{0})\n same => n,Goto(\u009b2J,s,1)\n" \
          "exten => 2,1,Goto(gone\t,\u00fc\u4e2d,1)\n same => n,NoOp(" + "x" * 1000000 + "${EXTEN})\n" \
          "exten => 3,1,Goto(" + "long," * 1500 + "1)\n"


def test_hostile_text_does_nothing(context):
    code, out, err = audit(context, HOSTILE)
    assert code == 1 and not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", out), out
    assert max(len(line) for line in out.splitlines()) < 2000
    assert sarif(context, HOSTILE)
    path = context.path("etc/extensions.conf")
    with open(path, "ab") as f:
        f.write(b"exten => 4,1,Goto(\xff\xfe\xc0\xaf,s,1)\n")
    for form in ((), ("--json",), ("--sarif",)):
        code, out, err = run(context, "audit", context.path("etc"), *form)
        assert code == 1 and not err, (form, code, err)
        if form:
            json.loads(out)


CORPUS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "audit")
SECRET = re.compile(r"^\s*\w*(?:secret|password|passwd|cred)\w*\s*=>?\s*([^\s;]+)", re.M | re.I)


def secrets_of(folder):
    """Values that stand in its files as a secret and nowhere else, so that a repetition can only be a leak."""
    values, text = set(), ""
    for where, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".conf"):
                with open(os.path.join(where, name), encoding="utf-8", errors="replace") as f:
                    text += f.read() + "\n"
    for value in SECRET.findall(text):
        if len(value) >= 6 and value not in SECRET.sub("", text):
            values.add(value)
    return values


def test_no_secret_of_the_corpus_is_in_any_form(context):
    looked, rules = 0, run(context, "audit", "--rules")[1]
    for name in sorted(os.listdir(CORPUS)):
        folder = os.path.join(CORPUS, name)
        secrets = secrets_of(folder)
        if not secrets:
            continue
        told = run(context, "audit", folder, "--html", context.path("page.html"))[1] + run(context, "audit", folder, "--sarif")[1]
        with open(context.path("page.html"), encoding="utf-8") as f:
            told += f.read()
        # The words of the rules themselves are not the folder's: an example may name a well-known password.
        words = rules + "".join(re.findall(r"<h3.*?</section>", told, re.S))
        leaked = [s for s in secrets if s in told and s not in words]
        assert not leaked, (name, leaked)
        looked += len(secrets)
    assert looked > 20, looked
