"""The auditor on whole configuration folders (tests/audit): every seeded defect is found, nothing else is told, clean folders stay clean."""
import json
import os

from daemon import run

CORPUS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "audit")
FOLDERS = sorted(name for name in os.listdir(CORPUS) if os.path.isdir(os.path.join(CORPUS, name)))


def expected(name):
    """{(code, file, line): what was seeded there} of a folder's expected.txt."""
    seeded = {}
    with open(os.path.join(CORPUS, name, "expected.txt"), encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("#") or not line.strip():
                continue
            code, place, note = line.split(None, 2)
            file, number = place.rsplit(":", 1)
            assert (code, file, int(number)) not in seeded, f"{name}: {line.strip()} is listed twice"
            seeded[(code, file, int(number))] = note.strip()
    return seeded


def found(context, name):
    folder = os.path.join(CORPUS, name)
    code, out, err = run(context, "audit", folder, "--json", "--secret-age", "0")  # 0: of this checkout's files; one folder brings ages of its own
    assert code in (0, 1) and not err, (name, code, err)
    told = json.loads(out)
    findings = [f for f in told["findings"] if not f.get("silenced_by")]
    assert (code == 0) == all(f["severity"] == "note" for f in findings), (name, code)
    return {(f["code"], os.path.relpath(f["file"], folder), f["line"]): f for f in findings}


def compare(context, name):
    seeded, told = expected(name), found(context, name)
    wrong = [f"missed {code} at {name}/{file}:{line}: {seeded[code, file, line]}"
             for code, file, line in sorted(set(seeded) - set(told))]
    for code, file, line in sorted(set(told) - set(seeded)):
        f = told[code, file, line]
        if seeded or f["severity"] != "note":
            wrong.append(f"not listed: {f['severity']} {code} at {name}/{file}:{line}: {f['message']}")
    assert not wrong, "\n".join(wrong)
    return seeded


def test_every_seeded_defect_is_found_and_nothing_else(context):
    seeded = [name for name in FOLDERS if not name.startswith("clean-")]
    assert len(seeded) >= 25, seeded
    for name in seeded:
        assert len(compare(context, name)) >= 2, f"{name}: too little is seeded"


def test_every_rule_is_seeded(context):
    code, out, err = run(context, "audit", "--rules")
    rules = {line.split()[0] for line in out.splitlines()}
    assert code == 0 and len(rules) >= 80, (code, err, len(rules))
    codes = {code for name in FOLDERS for code, _, _ in expected(name)}
    assert rules == codes, f"no folder has {sorted(rules - codes)}; no rule is {sorted(codes - rules)}"


def test_the_list_of_rules_is_true(context):
    code, out, err = run(context, "audit", "--rules")
    printed = ["| {} | {} | {} | {} |".format(c, name, severity, text.replace("|", "\\|"))
               for c, severity, name, text in (line.split(None, 3) for line in out.splitlines())]
    with open(os.path.join(context.root, "docs", "audit-rules.md"), encoding="utf-8") as page:
        listed = [line.rstrip("\n") for line in page if line.startswith("| ST")]
    assert code == 0 and listed == printed, (err, sorted(set(printed) ^ set(listed)))


def test_clean_folders_have_no_warning_and_no_error(context):
    clean = [name for name in FOLDERS if name.startswith("clean-")]
    assert len(clean) >= 10, clean
    for name in clean:
        assert compare(context, name) == {}, f"{name}: a defect is listed in a clean folder"
