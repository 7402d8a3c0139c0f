"""`sidetone rotate` killed before each of its steps, or failed at each: whatever is left, the next run says what it found and ends with one
secret everywhere."""
import fcntl
import json
import os
import resource
import shutil
import stat
import struct
import subprocess

from ami_standin import AmiStandin
from daemon import run
from runner import Skip

OLD = "old-secret-of-the-tap"
STEPS_MAX = 60
WHERE = {}  # the first step before which a kill leaves that state: found once


class InForce(AmiStandin):
    """Goes by what was in the file when Asterisk was told to read it last. Hangs up while there is no such file: Asterisk is stopped."""

    def __init__(self, context, path):
        self.path = path
        super().__init__(context)

    @property
    def secret(self):
        with open(self.path, encoding="utf-8") as f:
            return f.read().strip()

    @secret.setter
    def secret(self, value):
        pass


class Place:
    """Asterisk's file, ours, and what is in force. The reload works unless `broken` is there, which is run instead."""

    def __init__(self, context):
        self.context = context
        self.in_force = context.path("in-force")
        self.peer = InForce(context, self.in_force)
        self.begin()
        self.broken = context.path("broken")
        self.reload = f"sed -n 's/^secret = \\([^ ]*\\).*/\\1/p' {self.manager} > {self.in_force}.new && mv {self.in_force}.new {self.in_force}"
        self.asterisk = context.write("asterisk", f"#!/bin/sh\n[ -e {self.broken} ] && exec sh {self.broken}\n{self.reload}\n")
        os.chmod(self.asterisk, 0o755)

    def begin(self):
        """All as it was before the first rotation."""
        c = self.context
        subprocess.run(["rm", "-rf", c.path("etc"), c.path("own"), c.path("state"), c.path("broken")], check=True)
        os.makedirs(c.path("state"))
        self.manager = c.write("etc/manager.conf", f"[general]\nenabled = yes\n\n[tap]\nsecret = {OLD}   ; since spring\nread = all\n")
        os.chmod(self.manager, 0o640)
        self.own = c.write("own/pbx1.tap", OLD + "\n")
        os.chmod(self.own, 0o600)
        self.put_in_force(OLD)
        self.conf = c.write("sidetone.conf", f"[sidetone]\nstate_dir = {c.path('state')}\nworkers = 1\n[node pbx1]\nami = tcp://127.0.0.1:{self.peer.port}\n"
                                             "ami_user = tap\nami_secret = @file:own/pbx1.tap\n")

    def put_in_force(self, value):
        self.context.write("in-force", value + "\n")

    def breaks(self, script="exit 1"):
        self.context.write("broken", script + "\n")

    def mended(self):
        os.unlink(self.broken)

    def args(self, *more):
        return ["rotate", "pbx1", "--config", self.conf, "--asterisk-etc", self.context.path("etc"), "--asterisk", self.asterisk, *more]

    def rotate(self, *more):
        return run(self.context, *self.args(*more), timeout=60)

    def cut(self, n, how="CUT_BEFORE"):
        """A run that is killed before the nth step, or FAIL_AT it: its exit code (-9 when it was killed), and what it told."""
        program = os.path.join(self.context.build, "tests", "unit", "cut_rotate")
        done = subprocess.run([program, *self.args()], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False, env={**os.environ, how: str(n)})
        return done.returncode, (done.stdout + done.stderr).decode()

    def ours(self):
        with open(self.own, encoding="utf-8") as f:
            return f.read().strip()

    def theirs(self):
        with open(self.manager, encoding="utf-8") as f:
            return f.read().split("secret = ")[1].split()[0]

    def state(self):
        return self.ours(), self.theirs(), self.peer.secret

    def expect_whole(self, what):
        """One secret everywhere, files as they should be, nothing left beside them, and the record."""
        ours, theirs, in_force = self.state()
        assert ours == theirs == in_force != OLD and len(ours) == 48, what
        with open(self.manager, encoding="utf-8") as f:
            assert f.read() == f"[general]\nenabled = yes\n\n[tap]\nsecret = {ours}   ; since spring\nread = all\n", what
        assert stat.S_IMODE(os.stat(self.manager).st_mode) == 0o640 and stat.S_IMODE(os.stat(self.own).st_mode) == 0o600, what
        assert os.listdir(self.context.path("etc")) == ["manager.conf"] and os.listdir(self.context.path("own")) == ["pbx1.tap"], what
        with open(self.context.path("state", "rotation.json"), encoding="utf-8") as f:
            assert [e["user"] for e in json.load(f)["rotations"]] == ["tap"], what
        assert os.listdir(self.context.path("state")) == ["rotation.json"], what


    def cut_where(self, *is_old):
        """Killed so that this state is left: which of ours, theirs, what is in force is the old one."""
        for n in range(1, STEPS_MAX):
            if is_old in WHERE:
                break
            self.begin()
            code, told = self.cut(n)
            assert code == -9, (n, told)
            if self.is_under_way():
                WHERE.setdefault(tuple(value == OLD for value in self.state()), n)
        self.begin()
        assert self.cut(WHERE[is_old])[0] == -9

    def is_under_way(self):
        return os.path.exists(self.context.path("own", ".pbx1.tap.before-rotation"))


def run_again(place, what):
    """Ends it, whatever was before; no secret is told."""
    before = place.state()
    code, out, err = place.rotate()
    assert code == 0 and not err and place.state()[0] not in out, (what, before, out, err)
    assert not any(secret in out for secret in before), out
    place.expect_whole((what, before, out))
    return out


def test_rotate_cut_before_every_step(context):
    place = Place(context)
    for n in range(1, STEPS_MAX):
        place.begin()
        code, _ = place.cut(n)
        if code == 0:
            break
        assert code == -9, (n, code)
        run_again(place, n)
    assert 10 < n < STEPS_MAX - 1
    place.expect_whole("not cut")


def test_rotate_cut_on_the_way_back(context):
    """Asterisk cannot be told: all is put back, and that is cut off."""
    place = Place(context)
    for n in range(1, STEPS_MAX):
        place.begin()
        place.breaks()
        code, _ = place.cut(n)
        if code == 1:
            break
        assert code == -9, (n, code)
        place.mended()
        run_again(place, n)
    assert 10 < n < STEPS_MAX - 1
    assert place.state() == (OLD, OLD, OLD) and os.listdir(place.context.path("own")) == ["pbx1.tap"]


def test_rotate_fails_at_every_step(context):
    """Each step finds the disk full, say: it is done all the same, or all is as it was."""
    place = Place(context)
    undone = 0
    for n in range(1, STEPS_MAX):
        place.begin()
        code, told = place.cut(n, "FAIL_AT")
        assert code in (0, 1) and len(set(place.state())) == 1, (n, told, place.state())
        assert place.state()[0] not in told and (place.state()[0] == OLD) == (code == 1), (n, told)
        if code == 1:
            undone += 1
            assert "nothing was changed" in told or "everything is as it was" in told, (n, told)
        elif told.count("\n") == 1 and os.listdir(context.path("own")) == ["pbx1.tap"] and os.listdir(context.path("etc")) == ["manager.conf"]:
            break
        run_again(place, n)
    assert 8 < undone < n < STEPS_MAX - 1


def test_rotate_says_how_far_it_had_come(context):
    place = Place(context)
    for state, words in (((True, True, True), "before anything was exchanged"), ((False, True, True), "manager.conf:5 was exchanged; it goes on"),
                         ((False, False, True), "before Asterisk read manager.conf again; it goes on"), ((False, False, False), "in force already; it ends now")):
        place.cut_where(*state)
        before = place.state()
        code, out, err = place.rotate("--dry-run")
        assert code == 0 and words in out and not err and place.state() == before, out + err
        out = run_again(place, state)
        assert words in out and out.count("\n") == 2, out
        assert (place.state()[0] == before[0]) == (state != (True, True, True)), "the fresh one that was there already is kept"
    assert "cut off" not in place.rotate()[1]


def test_rotate_cut_off_is_told_by_the_doctor(context):
    """With the command that ends it, word for word."""
    place = Place(context)

    def rotations():
        code, out, err = run(context, "doctor", "--config", place.conf, "--asterisk-etc", context.path("etc"), "--json", timeout=60)
        assert code in (0, 1) and not err, err
        return [check for check in json.loads(out)["checks"] if check["check"] == "rotation"]

    assert rotations() == []
    place.cut_where(False, False, True)
    told = rotations()
    assert [(c["verdict"], c["node"], c["file"]) for c in told] == [("FAIL", "pbx1", "shell")] and "ami_secret was cut off" in told[0]["said"], told
    command = told[0]["fix"].split()
    assert command[:4] == ["sidetone", "rotate", "pbx1", "--ami"], command
    code, out, err = run(context, *command[1:], "--asterisk", place.asterisk, timeout=60)
    assert code == 0 and not err and "it goes on" in out, out + err
    place.expect_whole(out)
    assert rotations() == []


def test_rotate_does_not_guess_when_it_was_edited_since(context):
    place = Place(context)
    place.cut_where(False, True, True)
    with open(place.manager, encoding="utf-8") as f:
        text = f.read()
    context.write("etc/manager.conf", text.replace(OLD, "by-hand"))
    before = place.state()
    code, out, err = place.rotate()
    assert code == 1 and out == "" and "was edited since" in err and ".pbx1.tap.before-rotation" in err and place.state() == before, out + err
    assert not any(secret in err for secret in before)


def test_rotate_while_asterisk_stops(context):
    """It is told to read, and ends instead: when it comes again, it has the old one, and so have both files."""
    place = Place(context)
    place.breaks(f"rm {place.in_force}; exit 1")
    code, out, err = place.rotate()
    assert code == 1 and out == "" and "both files are as they were; Asterisk does not answer" in err and "ends it: sidetone rotate pbx1 --ami" in err, out + err
    assert (place.ours(), place.theirs()) == (OLD, OLD)
    place.mended()
    code, out, err = place.rotate()
    assert code == 1 and "Asterisk does not answer" in err and "nothing was changed" in err and (place.ours(), place.theirs()) == (OLD, OLD), out + err
    place.put_in_force(OLD)
    run_again(place, "started again")


def test_rotate_cut_and_asterisk_started_again(context):
    place = Place(context)
    place.cut_where(False, False, True)
    place.put_in_force(place.theirs())
    assert "in force already" in run_again(place, "started again")


def test_rotate_says_so_when_there_is_no_way_back(context):
    """Asterisk reads the new one, says no, and cannot be told again."""
    place = Place(context)
    place.breaks(f"{place.reload}\necho exit 1 > {place.broken}\nexit 1")
    code, out, err = place.rotate()
    assert code == 1 and out == "" and "both files are as they were, but Asterisk has not read its one again" in err, out + err
    assert (place.ours(), place.theirs()) == (OLD, OLD) != place.peer.secret
    place.mended()
    run_again(place, "can be told again")


def test_rotate_cannot_put_asterisks_file_back(context):
    """Ours is what is in force, so that the daemon is let in; the next run ends it."""
    place = Place(context)
    spoilt = f"rm {context.path('etc', '.manager.conf.before-rotation')}; exit 1"
    place.breaks(spoilt)
    code, _, err = place.rotate()
    assert code == 1 and "manager.conf cannot be put back" in err and "ends it: sidetone rotate pbx1 --ami" in err, err
    assert place.ours() == place.peer.secret == OLD != place.theirs()
    place.mended()
    run_again(place, "the old one in force")

    place.begin()
    place.breaks(f"{place.reload}; {spoilt}")
    code, _, err = place.rotate()
    assert code == 1 and "manager.conf cannot be put back" in err and place.ours() == place.theirs() == place.peer.secret != OLD, err
    place.mended()
    assert "in force already" in run_again(place, "the new one in force")


def test_rotate_two_at_once(context):
    """One waits for Asterisk; another one finds that out, and touches nothing."""
    place = Place(context)
    here, go = context.path("here"), context.path("go")
    os.mkfifo(here)
    os.mkfifo(go)
    place.breaks(f"echo here > {here}\nread x < {go}\n{place.reload}")
    first = subprocess.Popen([context.program, *place.args()], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    context.at_end(first.kill)
    with open(here, encoding="utf-8") as f:
        assert f.read() == "here\n"
    before = place.state()
    code, out, err = place.rotate()
    assert code == 1 and out == "" and "another rotation" in err and "nothing was changed" in err and place.state() == before, out + err
    with open(go, "w", encoding="utf-8") as f:
        f.write("go\n")
    told = first.communicate(timeout=60)[0].decode()
    assert first.returncode == 0 and "a login with it works" in told, told
    place.expect_whole(told)


def test_rotate_waits_for_the_record_only_so_long(context):
    """Somebody holds the state folder: the secret is exchanged, and it is said that the record is not written."""
    place = Place(context)
    fd = os.open(context.path("state"), os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    code, out, err = place.rotate()
    os.close(fd)
    assert code == 0 and "a login with it works" in out and "rotation.json cannot be written" in err, out + err
    run_again(place, "let go")


def test_rotate_in_a_folder_that_may_not_be_written(context):
    """The file may be, but not its folder, in which the new one would be made: found before anything is touched."""
    place = Place(context)
    nobody = 65534 if os.geteuid() == 0 else os.geteuid()
    program = context.path("program")
    shutil.copy(context.program, program)
    for folder, _, names in os.walk(context.dir):
        for path in [folder] + [os.path.join(folder, name) for name in names]:
            os.chown(path, nobody, -1)
    for folder in ("etc", "own"):
        os.chmod(context.path(folder), 0o555)
        done = subprocess.run([program, *place.args()], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
                              user=nobody if os.geteuid() == 0 else None)
        os.chmod(context.path(folder), 0o755)
        assert done.returncode == 1 and b"its folder must be writable" in done.stderr and not done.stdout, (folder, done)
        assert place.state() == (OLD, OLD, OLD) and os.listdir(context.path(folder)) in (["manager.conf"], ["pbx1.tap"])


def test_rotate_on_a_full_disk_changes_nothing(context):
    """No file may grow beyond 64 KiB, and Asterisk's is bigger."""
    place = Place(context)
    with open(place.manager, "a", encoding="utf-8") as f:
        f.write("; a long story\n" * 8192)
    with open(place.manager, encoding="utf-8") as f:
        before = f.read()
    done = subprocess.run([context.program, *place.args()], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False, restore_signals=False,
                          preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)))
    assert done.returncode == 1 and b"nothing was changed" in done.stderr, done
    with open(place.manager, encoding="utf-8") as f:
        assert f.read() == before
    assert place.state() == (OLD, OLD, OLD)
    assert os.listdir(context.path("etc")) == ["manager.conf"] and os.listdir(context.path("own")) == ["pbx1.tap"]


def test_rotate_looks_at_the_state_folder_first(context):
    """One that cannot be written is found before anything is touched; one that is not there yet hinders nobody."""
    place = Place(context)
    os.rmdir(context.path("state"))
    context.write("state", "a file")
    code, out, err = place.rotate()
    assert code == 1 and out == "" and "must be writable, for the record" in err and place.state() == (OLD, OLD, OLD), out + err
    assert os.listdir(context.path("etc")) == ["manager.conf"] and os.listdir(context.path("own")) == ["pbx1.tap"]
    os.unlink(context.path("state"))
    code, out, err = place.rotate()
    assert code == 0 and "a login with it works" in out and "rotation.json cannot be written" in err and len(set(place.state())) == 1, out + err


def test_rotate_keeps_link_owner_and_mode(context):
    place = Place(context)
    os.makedirs(context.path("real"))
    os.rename(place.own, context.path("real", "tap"))
    os.symlink("../real/tap", place.own)
    os.chmod(place.own, 0o440)
    owner = 65534 if os.geteuid() == 0 else os.geteuid()
    os.chown(place.own, owner, -1)
    os.chown(place.manager, owner, -1)
    for n in (None, 12):
        if n:
            assert place.cut(n)[0] == -9
        code, out, err = place.rotate()
        assert code == 0 and not err, out + err
        assert os.path.islink(place.own) and os.listdir(context.path("real")) == ["tap"] and os.listdir(context.path("own")) == ["pbx1.tap"]
        for path, mode in ((place.own, 0o440), (place.manager, 0o640)):
            st = os.stat(path)
            assert (st.st_uid, stat.S_IMODE(st.st_mode)) == (owner, mode), (path, st)
        assert len(set(place.state())) == 1 and place.ours() != OLD


def test_rotate_refuses_what_others_go_by(context):
    """One file for two users, or one user with two files: an exchange would shut one of them out."""
    place = Place(context)
    with open(place.conf, encoding="utf-8") as f:
        text = f.read()
    other = context.write("own/other", OLD + "\n")
    os.chmod(other, 0o600)
    os.symlink("pbx1.tap", context.path("own", "linked"))
    elsewhere = "[node pbx2]\nami = tcp://127.0.0.1:1\nami_user = tap\nami_secret = @file:own/linked\n"
    for more, words in (("control_user = control\ncontrol_secret = @file:own/pbx1.tap\n", "the file of control_secret of node pbx1 as well"),
                        ("control_user = tap\ncontrol_secret = @file:own/other\n", "control_secret is the same user with another secret"),
                        (elsewhere, "the file of ami_secret of node pbx2 as well")):
        context.write("sidetone.conf", text + more)
        code, out, err = place.rotate("--ami")
        assert code == 1 and out == "" and words in err and place.state() == (OLD, OLD, OLD), out + err
    context.write("sidetone.conf", text + "control_user = tap\ncontrol_secret = @file:own/pbx1.tap\n")
    code, out, err = place.rotate()
    assert code == 0 and out.count("a login with it works") == 2 and len(set(place.state())) == 1 and place.ours() != OLD, out + err


def test_rotate_keeps_the_access_list(context):
    """The one by which the daemon's user may read our file."""
    place = Place(context)
    name = "system.posix_acl_access"
    entries = ((1, 6, 2 ** 32 - 1), (2, 4, 65534), (4, 0, 2 ** 32 - 1), (16, 4, 2 ** 32 - 1), (32, 0, 2 ** 32 - 1))
    acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)
    try:
        os.setxattr(place.own, name, acl)
    except OSError as err:
        raise Skip("this file system keeps no access lists") from err
    code, out, err = place.rotate()
    assert code == 0 and not err and os.getxattr(place.own, name) == acl and place.ours() != OLD, out + err
    assert name not in os.listxattr(place.manager)


def test_rotate_in_a_folder_of_which_all_is_read(context):
    """What a rotation that was cut off leaves beside the file must not be read as a section more."""
    place = Place(context)
    place.cut_where(False, False, False)
    context.write("etc/manager.conf", "[general]\nenabled = yes\n#include \"manager.d/*\"\n")
    part = context.write("etc/manager.d/tap.conf", f"[tap]\nsecret = {OLD}\n")
    reload = place.reload.replace(place.manager, context.path("etc", "manager.d") + "/*")
    context.write("asterisk", f"#!/bin/sh\n{reload}\n")
    place.manager = part
    for state in ((True, True, True), (False, True, True), (False, False, True), (False, False, False)):
        context.write("etc/manager.d/tap.conf", f"[tap]\nsecret = {OLD}\n")
        context.write("own/pbx1.tap", OLD + "\n")
        place.put_in_force(OLD)
        assert place.cut(WHERE[state])[0] == -9 and len(os.listdir(context.path("etc", "manager.d"))) > 1
        code, out, err = place.rotate()
        assert code == 0 and not err, (state, out, err)
        assert len(set(place.state())) == 1 and place.ours() != OLD and os.listdir(context.path("etc", "manager.d")) == ["tap.conf"]
