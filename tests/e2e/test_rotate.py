"""`sidetone rotate` against a stand-in of the manager port: the way there, the way back, and what is refused before anything is touched."""
import json
import os
import stat
import time

from ami_standin import AmiStandin
from daemon import Daemon, run

OLD = "old-secret-of-the-tap"


class Place:
    """Asterisk's files and ours; `reads_again` is what the stand-in does when it is told to read its file again."""

    def __init__(self, context, section=f"[tap]\nsecret = {OLD}   ; since spring\nread = all\n", secret="@file:pbx1.tap", reload="exit 0"):
        self.context = context
        self.peer = AmiStandin(context, secret=OLD)
        self.etc, self.state = context.path("etc"), context.path("state")
        os.makedirs(self.etc)
        os.makedirs(self.state)
        self.manager = context.write("etc/manager.conf", "[general]\nenabled = yes\n\n" + section)
        os.chmod(self.manager, 0o640)
        self.own = context.write("pbx1.tap", OLD + "\n")
        os.chmod(self.own, 0o600)
        self.conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {self.state}\nworkers = 1\n[node pbx1]\nami = tcp://127.0.0.1:{self.peer.port}\n"
                                                   f"ami_user = tap\nami_secret = {secret}\n")
        self.asterisk = context.write("asterisk", f"#!/bin/sh\necho \"$@\" >> {context.path('reloads')}\n{reload}\n")
        os.chmod(self.asterisk, 0o755)
        self.before = self.files()

    def files(self):
        out = []
        for path in (self.manager, self.own):
            with open(path, encoding="utf-8") as f:
                out.append(f.read())
        return out

    def reloads(self):
        try:
            with open(self.context.path("reloads"), encoding="utf-8") as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def rotate(self, *more, env=None):
        return run(self.context, "rotate", "pbx1", "--config", self.conf, "--asterisk-etc", self.etc, "--asterisk", self.asterisk, *more, env=env or {"T": OLD},
                   timeout=60)


class Following(AmiStandin):
    """Looks its secret up in the file at each login."""

    def __init__(self, context, path):
        self.path = path
        super().__init__(context)

    @property
    def secret(self):
        with open(self.path, encoding="utf-8") as f:
            return f.read().split("secret = ")[1].split()[0]

    @secret.setter
    def secret(self, value):
        pass


def following(context, **more):
    place = Place(context, **more)
    place.peer = Following(context, place.manager)
    with open(place.conf, encoding="utf-8") as f:
        text = f.read()
    lines = [f"ami = tcp://127.0.0.1:{place.peer.port}" if line.startswith("ami = ") else line for line in text.splitlines()]
    context.write("sidetone.conf", "\n".join(lines) + "\n")
    return place


def test_rotate_exchanges_both_and_proves_it(context):
    place = following(context)
    code, out, err = place.rotate()
    assert code == 0 and not err, out + err
    manager, own = place.files()
    fresh = own.strip()
    assert fresh != OLD and len(fresh) == 48 and manager == place.before[0].replace(OLD, fresh), manager
    assert place.reloads() == [f"-C {place.etc}/asterisk.conf -rx manager reload"]
    assert stat.S_IMODE(os.stat(place.manager).st_mode) == 0o640 and stat.S_IMODE(os.stat(place.own).st_mode) == 0o600
    assert fresh not in out + err and OLD not in out + err
    with open(os.path.join(place.state, "rotation.json"), encoding="utf-8") as f:
        record = f.read()
    entry = json.loads(record)["rotations"]
    assert [(e["node"], e["door"], e["user"]) for e in entry] == [("pbx1", "ami", "tap")] and entry[0]["at"].endswith("Z") and fresh not in record
    assert place.rotate("--ami")[0] == 0
    with open(os.path.join(place.state, "rotation.json"), encoding="utf-8") as f:
        assert len(json.load(f)["rotations"]) == 1
    assert os.listdir(place.etc) == ["manager.conf"] and not [name for name in os.listdir(context.dir) if name.startswith(".")]


def test_rotate_dry_run_changes_nothing(context):
    place = following(context)
    code, out, err = place.rotate("--dry-run")
    assert code == 0 and "would exchange" in out and "manager.conf:5" in out and not err, out + err
    assert place.files() == place.before and place.reloads() == [] and os.listdir(place.etc) == ["manager.conf"] and os.listdir(place.state) == []


def test_rotate_goes_back_when_asterisk_does_not_take_it(context):
    """The reload says yes, but the old secret stays in force."""
    place = Place(context)
    code, out, err = place.rotate()
    assert code == 1 and out == "" and "does not take the new secret" in err and "everything is as it was" in err, out + err
    assert place.files() == place.before and len(place.reloads()) == 2 and not os.path.exists(os.path.join(place.state, "rotation.json"))
    assert OLD not in err


def test_rotate_goes_back_when_the_reload_fails(context):
    place = Place(context, reload="[ -e \"$0.done\" ] && exit 0\ntouch \"$0.done\"\nexit 1")
    code, out, err = place.rotate()
    assert code == 1 and "could not be told" in err and "everything is as it was" in err, out + err
    assert place.files() == place.before


def refused(context, words, **more):
    place = Place(context, **more)
    code, out, err = place.rotate()
    assert code == 1 and out == "" and words in err and OLD not in err, out + err
    assert place.files() == place.before and place.reloads() == [], err


def test_rotate_refuses_a_template(context):
    refused(context, "comes from a template", section=f"[base](!)\nsecret = {OLD}\n[tap](base)\nread = all\n")


def test_rotate_refuses_another_value(context):
    refused(context, "another value stands there", section="[tap]\nsecret = something-else\n")


def test_rotate_refuses_a_missing_section(context):
    refused(context, "no such section", section=f"[taps]\nsecret = {OLD}\n")


def test_rotate_refuses_what_is_no_file(context):
    refused(context, "must be @file:PATH", secret="@env:T")


def test_rotate_refuses_while_the_login_fails(context):
    place = Place(context)
    place.peer.secret = "another"
    code, _, err = place.rotate()
    assert code == 1 and "does not let it in now" in err and place.files() == place.before and place.reloads() == [], err


def test_rotate_wrong_use(context):
    place = Place(context)
    code, _, err = run(context, "rotate", "--config", place.conf)
    assert code == 2, err
    code, _, err = run(context, "rotate", "nobody", "--config", place.conf)
    assert code == 2 and "no node nobody" in err, err
    code, _, err = place.rotate("--ari")
    assert code == 1 and "no such user" in err, err


def test_rotate_and_the_daemon_goes_on(context):
    """A daemon that is cut off after the rotation finds the new secret by itself, at once: not after the long pause of a refusal."""
    place = following(context)
    daemon = Daemon(context, place.conf, wait="event=ready")
    place.peer.session("tap")
    assert place.rotate()[0] == 0
    limit = time.monotonic() + 15
    place.peer.lose()
    while "tap" not in place.peer.sessions:
        assert time.monotonic() < limit, daemon.text()
        time.sleep(0.02)
    assert daemon.text().count("event=login_refused") == 1, daemon.text()
    assert daemon.stop() == 0
