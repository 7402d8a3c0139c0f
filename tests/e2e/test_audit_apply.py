"""--apply writes what --patch shows, all of it or nothing, and --undo gives the files back."""
import glob
import json
import os
import shutil
import subprocess

from daemon import run

MAIN = """[default]
exten => 100,1,Answer()
 same => n(look),AGI(lookup.py,${EXTEN})
 same => n,Hangup()
#include parts/*.conf
"""
PART = "[more]\r\nexten => 7,1,NoOp()\r\n same => n,AGI(lookup.py)\r\n same => n,Hangup()"


def make(context):
    context.write("etc/extensions.conf", MAIN)
    context.write("etc/parts/more.conf", PART)
    context.write("agi/lookup.py", "agi.set_variable('NAME', agi.get_variable('X'))\n")
    os.chmod(context.path("etc/extensions.conf"), 0o640)
    os.chmod(context.path("etc/parts/more.conf"), 0o604)
    return context.path("etc"), ("--agi-dir", context.path("agi"))


def tree(folder):
    """Every file below with its bytes and mode; links as what they say."""
    found = {}
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            is_link = os.path.islink(path)
            if is_link:
                found[os.path.relpath(path, folder)] = os.readlink(path)
                continue
            with open(path, "rb") as f:
                found[os.path.relpath(path, folder)] = (f.read(), os.stat(path).st_mode)
    return found


def refused(context, *args):
    """One line, nothing on stdout, not a byte changed. The line."""
    before = tree(args[0])
    code, out, err = run(context, "audit", *args)
    assert code == 1 and not out and len(err.splitlines()) == 1 and "nothing was changed" in err, (code, out, err)
    assert tree(args[0]) == before
    return err


def applied(context):
    etc, more = make(context)
    before = tree(etc)
    code, out, err = run(context, "audit", etc, "--apply", *more)
    assert code == 0 and not err, (code, out, err)
    return etc, more, before, out


def test_apply_is_the_patch_and_undo_gives_it_back(context):
    etc, more = make(context)
    by_patch = context.path("by-patch")
    shutil.copytree(etc, by_patch)
    code, diff, err = run(context, "audit", etc, "--patch", *more)
    assert code == 0 and diff and not err, err
    done = subprocess.run(["git", "apply", "-p0", "-"], input=diff.encode(), cwd=by_patch, capture_output=True, check=False)
    assert done.returncode == 0, (done.stderr, diff)
    etc, more, before, out = applied(context)
    now = tree(etc)
    for name, (content, mode) in tree(by_patch).items():
        assert now[name][0] == content and now[name][1] == before[name][1], (name, now[name], content)
    backups = [name for name in now if ".sidetone-2" in name]
    assert sorted(name.split(".sidetone-")[0] for name in backups) == ["extensions.conf", "parts/more.conf"], backups
    for name in backups:
        assert now[name] == before[name.split(".sidetone-")[0]] and os.path.join(etc, name) in out, (name, out)
    assert set(now) == set(before) | set(backups) | {".sidetone-undo.json"}, now
    assert '[route lookup]' in out and 'asterisk -rx "dialplan reload"' in out and "--undo" in out, out

    code, out, err = run(context, "audit", etc, "--apply", *more)
    assert (code, out, err) == (0, "nothing left to change\n", ""), (code, out, err)
    assert tree(etc) == now

    code, out, err = run(context, "audit", etc, "--undo")
    assert code == 0 and not err and out.count("restored ") == 2, (out, err)
    now = tree(etc)
    assert {name: now[name] for name in before} == before and set(now) == set(before) | set(backups), now
    assert "no record" in refused(context, etc, "--undo")


def test_talks_are_applied_when_asked_for_and_undone(context):
    etc, more = make(context)
    context.write("agi/talk.py", "import os\nvoice = os.fdopen(3, 'rb')\n")
    # a tab, CR LF, a label, UTF-8, and no end of line at the end
    context.write("etc/parts/more.conf", "[more]\r\nexten => 7,1,NoOp()\r\n\tsame =>\tn(ask),EAGI(talk.py,\u00e4) ; \u20ac\r\n same => n,EAGI(talk.py)")
    before = tree(etc)
    code, out, err = run(context, "audit", etc, "--apply", *more)
    assert code == 0 and not err and "[agent" not in out and "parts/more.conf" not in out, (out, err)
    code, diff, err = run(context, "audit", etc, "--patch", "--with-talks", *more)
    assert code == 0 and not err and diff.count("Stasis(sidetone,talk)") == 2, diff
    code, out, err = run(context, "audit", etc, "--apply", "--with-talks", *more)
    assert code == 0 and not err and out.count("changed ") == 1 and out.count("[agent talk]") == 1 and "[route" not in out, (out, err)
    now = tree(etc)["parts/more.conf"][0].decode()
    lines = now.split("\n")
    assert lines[2] == "\tsame =>\tn(ask),Set(SIDETONE_STATUS=)" and " same => n,EAGI(talk.py,\u00e4) ; \u20ac\r" in lines, lines
    assert lines[-3] == " same => n,EAGI(talk.py)" and lines[-2:] == [" same => n(sidetone-4),NoOp(${SIDETONE_STATUS})", ""], lines
    assert run(context, "audit", etc, "--apply", "--with-talks", *more) == (0, "nothing left to change\n", "")
    for _ in range(2):
        code, out, err = run(context, "audit", etc, "--undo")
        assert code == 0 and not err, (out, err)
    now = tree(etc)
    assert {name: now[name] for name in before} == before


def test_twice_applied_is_twice_undone(context):
    etc, more, before, _ = applied(context)
    first = tree(etc)
    context.write("etc/parts/new.conf", PART.replace("[more]", "[new]"))
    code, out, err = run(context, "audit", etc, "--apply", *more)
    assert code == 0 and not err and out.count("changed ") == 1, (out, err)
    for left in (first, before):
        code, out, err = run(context, "audit", etc, "--undo")
        assert code == 0 and not err, (out, err)
        now = tree(etc)
        assert all(now[name] == left[name] for name in left if name.endswith(".conf")), out
    assert not os.path.exists(os.path.join(etc, ".sidetone-undo.json"))
    code, out, err = run(context, "audit", etc, "--apply", *more)
    assert code == 0 and not err and out.count("changed ") == 3, (out, err)


def test_undo_refuses_what_changed_after(context):
    etc, _, _, _ = applied(context)
    with open(os.path.join(etc, "parts/more.conf"), "a", encoding="utf-8") as f:
        f.write("; mine\n")
    assert "parts/more.conf: is not as --apply left it" in refused(context, etc, "--undo")


def test_undo_refuses_a_backup_that_is_none(context):
    etc, _, _, _ = applied(context)
    backup, = glob.glob(os.path.join(etc, "extensions.conf.sidetone-*"))
    with open(backup, "a", encoding="utf-8") as f:
        f.write("; other\n")
    assert "is not the backup" in refused(context, etc, "--undo")
    os.unlink(backup)
    assert backup in refused(context, etc, "--undo")


def test_undo_after_a_crash_passes_over_what_was_not_replaced(context):
    etc, _, before, _ = applied(context)
    with open(os.path.join(etc, "extensions.conf"), "wb") as f:
        f.write(before["extensions.conf"][0])
    code, out, err = run(context, "audit", etc, "--undo")
    assert code == 0 and not err and out.count("restored ") == 1, (out, err)
    now = tree(etc)
    assert {name: now[name] for name in before} == before


def test_a_link_is_refused(context):
    etc, more = make(context)
    os.rename(os.path.join(etc, "parts/more.conf"), context.path("elsewhere.conf"))
    os.symlink(context.path("elsewhere.conf"), os.path.join(etc, "parts/more.conf"))
    assert "parts/more.conf: is a symbolic link" in refused(context, etc, "--apply", *more)
    with open(context.path("elsewhere.conf"), "rb") as f:
        assert f.read() == PART.encode()


def test_a_linked_folder_is_refused(context):
    etc, more = make(context)
    os.rename(os.path.join(etc, "parts"), context.path("elsewhere"))
    os.symlink(context.path("elsewhere"), os.path.join(etc, "parts"))
    assert "parts/more.conf: is outside of the folder" in refused(context, etc, "--apply", *more)
    assert os.listdir(context.path("elsewhere")) == ["more.conf"]


def test_a_backup_that_would_be_included_is_refused(context):
    etc, more = make(context)
    context.write("etc/extensions.conf", MAIN.replace("parts/*.conf", "parts/*"))
    assert "would read this backup as dialplan" in refused(context, etc, "--apply", *more)


def test_a_folder_that_may_not_be_written_is_refused(context):
    etc, more = make(context)
    if os.geteuid() == 0:
        print("skipped: root may write everywhere")
        return
    os.chmod(os.path.join(etc, "parts"), 0o555)
    try:
        assert "may not be replaced" in refused(context, etc, "--apply", *more)
    finally:
        os.chmod(os.path.join(etc, "parts"), 0o755)


def test_a_foreign_record_is_left_alone(context):
    etc, more = make(context)
    evil = {"file": "../x", "backup": "../x.sidetone-1", "before": "", "written": ""}
    for text in ("not json", "{}", '{"applied":7}', "[" * 5000):
        context.write("etc/.sidetone-undo.json", text)
        for args in (("--undo",), ("--apply", *more)):
            assert "not a record of ours" in refused(context, etc, *args)
    for text in ('{"applied":[7]}', '{"applied":[{"files":[7]}]}', json.dumps({"applied": [{"files": [evil]}]})):
        context.write("etc/.sidetone-undo.json", text)
        assert "not a record of ours" in refused(context, etc, "--undo")


def test_wrong_use_is_one_line(context):
    etc, _ = make(context)
    for args in (("--apply", "--patch"), ("--apply", "--undo"), ("--apply", "--json"), ("--undo", "--inventory"), ("--undo", "--plan"),
                 ("--apply", "--live", "pbx1"), ("--undo", "--live", "pbx1")):
        code, out, err = run(context, "audit", etc, *args)
        assert code == 2 and not out and len(err.strip().splitlines()) <= 2, (args, out, err)
    code, out, err = run(context, "audit", context.path("nowhere"), "--undo")
    assert code == 1 and not out and len(err.splitlines()) == 1, (out, err)
