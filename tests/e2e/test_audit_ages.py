"""How old secrets are, as `sidetone audit` knows it: by the files' times, and by what `sidetone rotate` has recorded. Ages are made relative to now, with
half a day to spare."""
import json
import os
import time

from daemon import run

USER = "deny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.1/255.255.255.255\nread = call\nwrite =\n"


def days_ago(days):
    return time.time() - (days + 0.5) * 86400


class Folder:
    def __init__(self, context):
        self.context = context
        self.path = context.path("etc")
        self.manager = context.write("etc/manager.conf", f"[general]\nenabled = yes\nbindaddr = 127.0.0.1\n[a]\nsecret = 9fA2kd83LzpQw71m\n{USER}#include \"users/*.conf\"\n")
        self.part = context.write("etc/users/b.conf", f"[b]\nsecret = 7hJk2mVb9sPd3wLf\n{USER}")
        self.ari = context.write("etc/ari.conf", "[c]\ntype = user\nread_only = yes\npassword = 8tGb3yHn6uJm1iKo\n")
        os.makedirs(context.path("state"))
        self.conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\n")

    def aged(self, path, days):
        os.utime(path, (days_ago(days), days_ago(days)))

    def recorded(self, *entries):
        at = [time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(days_ago(days))) for _, _, days in entries]
        self.context.write("state/rotation.json", json.dumps({"rotations": [{"node": "n", "door": door, "user": user, "at": when}
                                                                            for (door, user, _), when in zip(entries, at)]}))

    def told(self, *more):
        """{(code, file, line): message} of the two rules."""
        code, out, err = run(self.context, "audit", self.path, "--json", "--config", self.conf, *(more or ("--secret-age", "365")))
        assert code in (0, 1) and not err, err
        return {(f["code"], os.path.relpath(f["file"], self.path), f["line"]): f for f in json.loads(out)["findings"] if f["code"] in ("ST315", "ST413")}


def test_a_file_that_nobody_has_changed_has_an_old_secret(context):
    folder = Folder(context)
    assert folder.told() == {}
    folder.aged(folder.manager, 400)
    told = folder.told()
    assert list(told) == [("ST315", "manager.conf", 5)] and "at least 400 days old" in told["ST315", "manager.conf", 5]["message"], told
    assert told["ST315", "manager.conf", 5]["severity"] == "note"
    folder.aged(folder.part, 366)
    folder.aged(folder.ari, 366)
    assert sorted(folder.told()) == [("ST315", "manager.conf", 5), ("ST315", "users/b.conf", 2), ("ST413", "ari.conf", 4)]
    assert sorted(folder.told("--secret-age", "380")) == [("ST315", "manager.conf", 5)]
    assert folder.told("--secret-age", "400") == {} == folder.told("--secret-age", "0")
    code, out, _ = run(context, "audit", folder.path, "--json")
    assert code in (0, 1) and [f["code"] for f in json.loads(out)["findings"]].count("ST315") == 2, "365 days is what is usual"


def test_a_link_is_as_old_as_what_it_leads_to(context):
    folder = Folder(context)
    os.rename(folder.ari, context.path("elsewhere"))
    os.symlink(context.path("elsewhere"), folder.ari)
    folder.aged(context.path("elsewhere"), 500)
    assert list(folder.told()) == [("ST413", "ari.conf", 4)]


def test_what_rotate_has_recorded_stands_above_the_files_time(context):
    folder = Folder(context)
    for path in (folder.manager, folder.ari):
        folder.aged(path, 400)
    folder.recorded(("ami", "a", 30), ("ari", "c", 370), ("ami", "c", 2))
    told = folder.told()
    assert list(told) == [("ST413", "ari.conf", 4)] and "exchanged last 370 days ago" in told["ST413", "ari.conf", 4]["message"], told
    folder.aged(folder.ari, 1)
    assert list(folder.told()) == [("ST413", "ari.conf", 4)], "another line was changed yesterday"
    folder.recorded(("ari", "c", 370), ("ari", "c", 5))
    assert list(folder.told()) == [("ST315", "manager.conf", 5)]
    for damaged in ("", "{", "[]", '{"rotations":[{"door":7},{"node":"n","door":"ami","user":"a","at":"yesterday"},{"node":"n","door":"ami"}]}'):
        context.write("state/rotation.json", damaged)
        assert list(folder.told()) == [("ST315", "manager.conf", 5)], damaged


def test_secret_age_wrong_use(context):
    folder = Folder(context)
    for wrong in ("x", "-1", "1.5", ""):
        code, _, err = run(context, "audit", folder.path, "--secret-age", wrong)
        assert code == 2 and "--secret-age takes a number of days" in err, err
    code, _, err = run(context, "audit", folder.path, "--config", folder.conf)
    assert code == 2 and "--config goes with" in err, err
