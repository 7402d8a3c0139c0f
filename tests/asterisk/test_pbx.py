"""The private Asterisk itself."""
import os
import shutil
import signal
import stat
import subprocess
import time

from pbx import Pbx, which

PLAN = """
[test]
exten => 1,1,Answer()
 same => n,Set(GLOBAL(WHO)=@WHO@)
 same => n,Wait(30)
"""


def gone(pid, seconds=5):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if not os.path.exists(f"/proc/{pid}"):
            return True
        time.sleep(0.02)
    return False


def test_it_boots_and_stops(context):
    pbx = Pbx(context, PLAN, marks={"WHO": "somebody"})
    ami = pbx.ami()
    assert int(pbx.version.split(".")[0]) >= 20, pbx.version
    assert "exten => 1,1,Answer()" in open(os.path.join(pbx.dir, "etc", "extensions.conf"), encoding="utf-8").read()
    status, info = pbx.ari().get("asterisk/info")
    assert status == 200 and info["system"]["version"].startswith(pbx.version), info
    assert info["config"]["name"] == "a", info
    status, _ = pbx.ari().get("asterisk/ping")
    assert status == 200
    ami.originate("Local/1@test/n", "test", "1")
    assert ami.wait("VarSet", Variable="WHO")["Value"] == "somebody"
    errors = [line for line in pbx.complaints() if "] ERROR[" in line]
    assert not errors, errors
    assert pbx.stop() == 0
    assert gone(pbx.pid)


def test_modules_that_calls_need_are_loaded(context):
    pbx = Pbx(context, PLAN, marks={"WHO": "x"})
    ami = pbx.ami("off")
    for module in ("res_agi", "app_stasis", "res_ari_channels", "chan_audiosocket", "app_audiosocket", "chan_rtp", "chan_pjsip",
                   "app_queue", "app_confbridge", "res_parking", "app_mixmonitor", "cdr_manager", "cel_manager", "format_gsm"):
        answer = ami.action("ModuleCheck", Module=module)
        assert answer["Response"] == "Success", (module, answer)
    declined = [line for line in pbx.complaints() if "declined" in line.lower() or "failed to load" in line.lower()]
    assert not declined, declined


def test_two_side_by_side(context):
    one = Pbx(context, PLAN, name="one", marks={"WHO": "1"})
    two = Pbx(context, PLAN, name="two", marks={"WHO": "2"})
    ports = {one.ami_port, one.http_port, one.sip_port, two.ami_port, two.http_port, two.sip_port}
    assert len(ports) == 6, ports
    assert one.ami_secret != two.ami_secret and one.ari_password != two.ari_password
    ids = {node.ari().get("asterisk/info")[1]["system"]["entity_id"] for node in (one, two)}
    assert len(ids) == 2, ids
    status, _ = two.ari().get("asterisk/ping")
    assert one.stop() == 0 and gone(one.pid)
    assert status == 200 and two.ari().get("asterisk/ping")[0] == 200  # one's end is nothing to two


def test_it_runs_without_root(context):
    pbx = Pbx(context, PLAN, marks={"WHO": "x"})
    with open(f"/proc/{pbx.pid}/status", encoding="ascii") as f:
        uid = next(line for line in f if line.startswith("Uid:")).split()[1:]
    assert "0" not in uid, uid
    mode = os.stat(os.path.join(pbx.dir, "etc", "manager.conf")).st_mode
    assert stat.S_IMODE(mode) == 0o600, oct(mode)
    with open(f"/proc/{pbx.pid}/cmdline", encoding="utf-8") as f:
        line = f.read()
    assert pbx.ami_secret not in line and pbx.ari_password not in line


def test_it_dies_with_its_starter(context):
    pbx = Pbx(context, PLAN, marks={"WHO": "x"})
    pbx.process.kill()
    pbx.process.wait(10)
    assert gone(pbx.pid)
    again = Pbx(context, PLAN, marks={"WHO": "y"})  # on the same directory, as after a crash
    assert again.ari().get("asterisk/ping")[0] == 200


def test_end_of_input_stops_it(context):
    pbx = Pbx(context, PLAN, marks={"WHO": "x"})
    pbx.process.stdin.close()
    assert pbx.process.wait(15) == 0
    assert gone(pbx.pid)


def test_its_own_death_is_told(context):
    pbx = Pbx(context, PLAN, marks={"WHO": "x"})
    os.kill(pbx.pid, signal.SIGKILL)
    assert pbx.process.wait(15) == 1
    assert b"ended by itself" in pbx.process.stderr.read()


def test_more_configuration_is_added(context):
    pbx = Pbx(context, PLAN, marks={"WHO": "x", "PHONE": "phone7"},
              configs={"pjsip": "[@PHONE@]\ntype = aor\nmax_contacts = 1\n[@PHONE@]\ntype = endpoint\naors = @PHONE@\nallow = ulaw\n"})
    status, endpoint = pbx.ari().get("endpoints/PJSIP/phone7")
    assert status == 200 and endpoint["resource"] == "phone7", endpoint
    assert pbx.ari().get("endpoints/PJSIP/anonymous")[0] == 200  # ours is still there


def refused(context, *arguments):
    done = subprocess.run([context.program, "sim", "pbx", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, check=False)
    assert not done.stdout, done.stdout
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, lines
    return done.returncode, lines[0]


def test_refusals_are_one_line(context):
    chosen = which(context)
    plan = context.write("plan", PLAN)
    directory = context.path("d")
    status, line = refused(context, "--dir", directory)
    assert status == 2 and "--dialplan" in line, line
    status, line = refused(context, "--dir", directory, "--dialplan", plan, *chosen)
    assert status == 1 and "plan:4: the mark @WHO@ has no value" in line, line
    status, line = refused(context, "--dir", "/tmp/" + "x" * 100, "--dialplan", plan, "--mark", "WHO=x", *chosen)
    assert status == 1 and "control socket" in line, line
    os.rmdir("/tmp/" + "x" * 100)
    status, line = refused(context, "--dir", context.dir, "--dialplan", plan, "--mark", "WHO=x", *chosen)
    assert status == 1 and "not empty" in line, line
    status, line = refused(context, "--dir", directory, "--dialplan", plan, "--mark", "who=x", *chosen)
    assert status == 1 and "is not NAME=value" in line, line


def test_a_taken_port_is_told(context):
    pbx = Pbx(context, PLAN, marks={"WHO": "x"})
    plan = context.write("plan", PLAN)
    status, line = refused(context, "--dir", context.path("other"), "--dialplan", plan, "--mark", "WHO=x", "--ami-port", str(pbx.ami_port),
                           *which(context))
    assert status == 1 and str(pbx.ami_port) in line and "cannot be had" in line, line


def test_an_installed_one_is_found(context):
    """The layout of an installed Asterisk: prefix/sbin, prefix/lib, prefix/share; here it leads to the unpacked one."""
    chosen = which(context)
    if not chosen:
        assert Pbx(context, PLAN, marks={"WHO": "x"}).pid  # it is the installed one that runs in all these tests
        return
    # An installed one lies where everybody may enter; the unpacked one may lie below root's home.
    root = context.path("root")
    shutil.copytree(chosen[1], root, symlinks=True)
    loader = next(os.path.join(folder, f) for folder, _, files in os.walk(os.path.join(root, "usr", "lib")) for f in files
                  if f.startswith("ld-linux") and folder.endswith("-linux-gnu"))
    prefix = context.path("prefix")
    os.makedirs(os.path.join(prefix, "sbin"))
    os.symlink(os.path.join(root, "usr", "lib"), os.path.join(prefix, "lib"))
    os.symlink(os.path.join(root, "usr", "share"), os.path.join(prefix, "share"))
    program = context.write("prefix/sbin/asterisk", f"#!/bin/sh\nexec {loader} --library-path {os.path.dirname(loader)} "
                                                    f"{root}/usr/sbin/asterisk \"$@\"\n")
    os.chmod(program, 0o755)
    plan = context.write("plan", PLAN)
    env = {**os.environ, "PATH": os.path.join(prefix, "sbin") + ":" + os.environ["PATH"]}
    env.pop("SIDETONE_ASTERISK", None)
    done = subprocess.run([context.program, "sim", "pbx", "--dir", context.path("d"), "--dialplan", plan, "--mark", "WHO=x", "--json"],
                          input=b"", capture_output=True, timeout=60, env=env, check=False)
    assert done.returncode == 0 and b'"version"' in done.stdout, done
