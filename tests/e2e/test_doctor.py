"""`sidetone doctor` against stand-ins: one thing is wrong in each test, and it is named with the lines that mend it."""
import json
import os
import re
import shutil
import socket
import subprocess

from ami_standin import AmiStandin, authority, event
from ari_peer import AriPeer
from daemon import free_port, run
from runner import Skip

BOOTED = "Event: FullyBooted\nPrivilege: system,all\nUptime: 3\nLastReload: 3\nStatus: Fully Booted\n\n"
COMMANDS = "Response: Success\nPing: Keepalive command. (Priv: <none>)\nCoreShowChannels: List. (Priv: system,reporting,all)\n"
INFO = '{"system":{"version":"22.10.1","entity_id":"x"},"config":{"name":"a","default_language":"en"}}'
MODULES = ["res_agi", "res_http_websocket", "res_stasis", "app_stasis", "res_ari", "res_ari_model", "res_ari_events", "res_ari_applications",
           "res_ari_asterisk", "res_ari_channels", "res_ari_bridges", "bridge_simple", "res_audiosocket", "chan_audiosocket"]
MANAGER = "[general]\nenabled = yes\ntimestampevents = yes\n[tap]\nsecret = s3\nread = system,call,agent,dtmf,dialplan,agi\nwrite =\n"


def modules(names):
    return json.dumps([{"name": n + ".so", "status": "Running", "use_count": 0} for n in names])


class Clinic:
    """An AMI and an ARI that are in order, and a configuration that uses them."""

    def __init__(self, context, scheme="tcp", certificate=None, manager=MANAGER, node="", extra="", loaded=MODULES):
        self.context = context
        self.ami = AmiStandin(context, certificate=certificate)
        self.ami.greeting = BOOTED
        self.ami.answers["ListCommands"] = COMMANDS
        self.ari = AriPeer({"GET asterisk/info": (200, INFO), "GET asterisk/modules": (200, modules(loaded)),
                            "GET applications/": (404, '{"message":"Application not found"}'), "DELETE channels/": (404, '{"message":"Channel not found"}')})
        context.at_end(self.ari.close)
        self.etc = context.path("etc")
        os.makedirs(self.etc)
        with open(os.path.join(self.etc, "manager.conf"), "w", encoding="utf-8") as f:
            f.write(manager)
        self.state = context.path("state")
        self.agent = context.write("reception.agent", "")
        self.scheme, self.node, self.extra = scheme, node, extra
        self.ami_port, self.ari_port, self.agi_port = self.ami.port, self.ari.port, free_port()

    def ask(self, *more, env=None):
        conf = self.context.write("sidetone.conf", f"""[sidetone]
state_dir = {self.state}
[fastagi]
listen = 127.0.0.1:{self.agi_port}
sessions_max = 64
[audiosocket]
listen = 127.0.0.1:{free_port()}
[node pbx1]
ami = {self.scheme}://127.0.0.1:{self.ami_port}
ami_user = tap
ami_secret = @env:S
ari = http://127.0.0.1:{self.ari_port}
ari_user = sidetone
ari_secret = @env:S
calls_max = 4
{self.node}
[route hello]
handler = {self.context.write("hello.lua", "function handle(call) end")}
{self.extra}""")
        code, out, err = run(self.context, "doctor", "--config", conf, "--asterisk-etc", self.etc, "--json", *more, env=env or {"S": "s3"})
        assert code in (0, 1) and not err, (code, err)
        told = json.loads(out)
        assert (code == 0) == told["ok"], told
        for check in told["checks"]:  # what is to be pasted into a shell is commands, and words only behind #
            assert check["file"] != "shell" or not any(re.search(r";\s", line.split("#")[0]) for line in check["fix"].splitlines()), check
        return told["checks"]

    def bad(self, verdicts=("FAIL",), **more):
        return [c for c in self.ask(**more) if c["verdict"] in verdicts and c["check"] not in ("open files", "disk")]


def only(found, check, *words, file=None, fix=None):
    """Exactly one finding, about this, with these words."""
    assert [c["check"] for c in found] == [check], found
    assert all(w in found[0]["said"] for w in words), found
    assert file is None or (found[0]["file"] or "").endswith(file), found
    assert fix is None or fix in found[0]["fix"], found


def test_doctor_nothing_is_wrong(context):
    clinic = Clinic(context)
    assert clinic.bad(("FAIL", "WARN")) == []
    found = clinic.ask()
    checks = {c["check"] for c in found if c["verdict"] == "OK" or c["check"] in ("open files", "disk")}
    assert {"configuration", "ami", "ami login", "ami rights", "events", "time stamps", "clock", "http", "ari login", "ari rights", "ari app", "version",
            "modules", "ports", "open files", "state folder", "disk", "files"} <= checks, found
    assert not os.path.exists(clinic.state)
    methods = {(m, p.split("/")[0]) for m, p, _ in clinic.ari.requests}
    assert methods == {("GET", "asterisk"), ("GET", "applications"), ("DELETE", "channels")} and clinic.ari.events is None, methods


def test_doctor_a_secret_is_never_told(context):
    clinic = Clinic(context)
    assert "s3cret-of-mine" not in json.dumps(clinic.ask(env={"S": "s3cret-of-mine"}))


def test_doctor_asterisk_is_down(context):
    """Said first; the rest is looked at all the same."""
    clinic = Clinic(context)
    clinic.ami_port, clinic.ari_port = free_port(), free_port()
    found = clinic.ask()
    failed = [c for c in found if c["verdict"] == "FAIL"]
    assert [c["check"] for c in failed] == ["ami", "http"], found
    assert "does not answer" in failed[0]["said"] and "enabled = yes" in failed[0]["fix"] and f"port = {clinic.ami_port}" in failed[0]["fix"], failed
    assert f"bindport = {clinic.ari_port}" in failed[1]["fix"] and failed[1]["file"].endswith("http.conf"), failed
    assert {"state folder", "ports", "files"} <= {c["check"] for c in found if c["verdict"] == "OK"}, found


def test_doctor_a_wrong_secret(context):
    clinic = Clinic(context)
    only(clinic.bad(env={"S": "another"}), "ami login", "refuses ami_user = tap", file="manager.conf", fix="read = system,call,agent,dtmf,dialplan,agi\nwrite =\n")


def test_doctor_no_manager_port_there(context):
    clinic = Clinic(context)
    clinic.ami_port = clinic.ari_port
    assert [c["check"] for c in clinic.bad()] == ["ami"]


def test_doctor_the_tap_may_do_too_much(context):
    clinic = Clinic(context)
    clinic.ami.answers["ListCommands"] = COMMANDS + "Originate: Call. (Priv: originate,all)\n"
    only(clinic.bad(("FAIL", "WARN")), "ami rights", "may send Originate", file="manager.conf", fix="[tap]\nwrite =\n")


def test_doctor_the_control_user_may_do_too_little(context):
    clinic = Clinic(context, node="control_user = control\ncontrol_secret = @env:S\nasyncagi = yes\n")
    clinic.ami.answers["ListCommands"] = "Response: Success\nPing: Keepalive command. (Priv: <none>)\n"
    only(clinic.bad(("FAIL", "WARN")), "ami rights", "may not send AGI", fix="write = reporting,agi")


def test_doctor_events_are_off(context):
    clinic = Clinic(context)
    clinic.ami.greeting = ""
    only(clinic.bad(), "events", "no FullyBooted", fix="read = system")


def test_doctor_a_class_is_not_read(context):
    clinic = Clinic(context, manager=MANAGER.replace("call,agent", "agent"))
    only(clinic.bad(), "events", "does not read call:", fix="read = system,call")


def test_doctor_a_filter_keeps_events_away(context):
    clinic = Clinic(context, manager=MANAGER + "eventfilter(action(exclude),name(Newexten)) =\n")
    only(clinic.bad(("FAIL", "WARN")), "events", "keeps events away", fix="sidetone tap advise --node pbx1")


def test_doctor_filters_of_our_own(context):
    """They are sent by the daemon, which takes a right that the tap has no other use for."""
    node = "ami_filter = eventfilter(action(exclude),name(RTCPSent)) =\nami_filter = eventfilter(action(exclude),name(RTCPReceived)) =\n"
    clinic = Clinic(context, node=node)
    lines = "eventfilter(action(exclude),name(RTCPSent)) =\neventfilter(action(exclude),name(RTCPReceived)) =\n"
    only(clinic.bad(("FAIL", "WARN")), "ami rights", "may not send Filter", file="manager.conf", fix="[tap]\nwrite =\n" + lines)
    clinic.ami.answers["ListCommands"] = COMMANDS + "Filter: Dynamically add filters. (Priv: system,all)\n"
    only(clinic.bad(("FAIL", "WARN")), "ami rights", "take no right", fix="[tap]\nwrite =\n" + lines)
    clinic.ami.answers["ListCommands"] = COMMANDS
    with open(os.path.join(clinic.etc, "manager.conf"), "a", encoding="utf-8") as f:
        f.write(lines)
    assert clinic.bad(("FAIL", "WARN")) == []


def test_doctor_no_time_stamps_in_the_file(context):
    clinic = Clinic(context, manager=MANAGER.replace("timestampevents = yes", ""))
    only(clinic.bad(), "time stamps", file="manager.conf", fix="timestampevents = yes")


def test_doctor_no_time_stamp_on_an_event(context):
    clinic = Clinic(context)
    clinic.ami.greeting = BOOTED + "".join(line + "\n" for line in event("Newchannel", "1.1").splitlines() if "Timestamp" not in line) + "\n"
    only(clinic.bad(), "time stamps", fix="timestampevents = yes")


def test_doctor_the_clock_is_off(context):
    clinic = Clinic(context)
    clinic.ami.shift = 90.0
    only(clinic.bad(), "clock", "ahead of this machine's")
    clinic.ami.shift = -5.0
    only(clinic.bad(("FAIL", "WARN")), "clock", "behind this machine's")


def test_doctor_ari_refuses_the_password(context):
    clinic = Clinic(context)
    clinic.ari.answers["GET asterisk/info"] = (401, "{}")
    found = clinic.bad()
    only(found, "ari login", "refuses ari_user = sidetone", file="ari.conf", fix="[sidetone]\ntype = user")


def test_doctor_ari_is_not_loaded(context):
    clinic = Clinic(context)
    clinic.ari.answers = {"": (404, "")}
    assert [c["check"] for c in clinic.bad()] == ["ari login"]


def test_doctor_the_ari_user_is_read_only(context):
    clinic = Clinic(context)
    clinic.ari.answers["DELETE channels/"] = (403, "{}")
    only(clinic.bad(), "ari rights", "read-only", file="ari.conf", fix="read_only = no")


def test_doctor_another_program_has_the_application(context):
    clinic = Clinic(context)
    clinic.ari.answers["GET applications/"] = (200, "{}")
    only(clinic.bad(("FAIL", "WARN")), "ari app", "another program", fix="Stasis(another-name)")


def test_doctor_a_module_is_missing(context):
    clinic = Clinic(context, loaded=[m for m in MODULES if m != "app_stasis"])
    only(clinic.bad(), "modules", "app_stasis is not loaded", file="modules.conf", fix="load = app_stasis.so")


def test_doctor_asterisk_is_too_old(context):
    clinic = Clinic(context)
    clinic.ari.answers["GET asterisk/info"] = (200, INFO.replace("22.10.1", "18.26.4"))
    only(clinic.bad(), "version", "18.26.4 is too old")


def test_doctor_words_of_a_peer_are_only_text(context):
    clinic = Clinic(context)
    clinic.ari.answers["GET asterisk/info"] = (200, INFO.replace("22.10.1", "18\\u001b[2J\\u009b\\n.26\\u202e"))
    found = clinic.bad()
    only(found, "version", "is too old")
    code, out, _ = run(context, "doctor", "--config", context.path("sidetone.conf"), "--asterisk-etc", clinic.etc, env={"S": "s3"})
    assert code == 1 and "18?[2J" in out and not [c for c in out if (ord(c) < 32 and c != "\n") or ord(c) in (0x7f, 0x9b, 0x202e)], out


def test_doctor_a_port_is_taken(context):
    clinic = Clinic(context)
    with socket.create_server(("127.0.0.1", clinic.agi_port)):
        only(clinic.bad(), "ports", "fastagi/listen", "is taken by", "python", file="sidetone.conf", fix="[fastagi]\nlisten = ")


def test_doctor_everybody_may_change_a_handler(context):
    clinic = Clinic(context)
    handler = context.write("open.lua", "function handle(call) end")
    os.chmod(handler, 0o666)
    clinic.extra = f"[route open]\nhandler = {handler}\n"
    only(clinic.bad(("FAIL", "WARN")), "files", "changed by everyone", fix=f"chmod o-w {handler}")


def test_doctor_a_script_of_another_user(context):
    """root:root 0750 is nothing for nobody; nor is what lies in a folder that nobody may pass. Pasted, the commands mend it."""
    if os.getuid() != 0:
        raise Skip("only root's scripts can be run by another user")
    folder = context.path("scripts")
    os.makedirs(folder)
    script = context.write("scripts/a.sh", "#!/bin/sh\n")
    clinic = Clinic(context, extra=f"[route other]\nscript = {script}\nuser = nobody\n[fastagi](+)\nscript_cwd = /\n")
    os.chmod(context.path(""), 0o755)
    for folder_mode, script_mode, word, fix in ((0o755, 0o750, "may not be read by nobody", f"chmod a+rx {script}"),
                                                (0o755, 0o754, "may not be executed by nobody", f"chmod a+rx {script}"),
                                                (0o700, 0o755, "behind a folder that is closed for nobody", f"chmod a+x {folder}")):
        os.chmod(folder, folder_mode)
        os.chmod(script, script_mode)
        found = clinic.bad(("FAIL", "WARN"))
        only(found, "files", "route other", word)
        assert found[0]["fix"] == fix, found
        subprocess.run(["sh", "-c", fix], check=True, timeout=10)
        assert clinic.bad(("FAIL", "WARN")) == []


def test_doctor_a_mistake_in_the_configuration(context):
    """The node is looked at all the same when only a secret cannot be had."""
    clinic = Clinic(context, node="control_user = x\ncontrol_secret = @env:NOT_THERE\n")
    found = clinic.ask()
    assert [c["check"] for c in found if c["verdict"] == "FAIL"] == ["configuration"], found
    assert any(c["check"] == "version" and "22.10.1" in c["said"] for c in found), found
    assert any(c["verdict"] == "SKIP" and "control_user = x: its secret is not known" in c["said"] for c in found), found


def test_doctor_no_configuration_at_all(context):
    code, out, err = run(context, "doctor", "--config", context.path("none.conf"), "--json")
    told = json.loads(out)
    assert code == 1 and not err and told["failed"] == 1 and "sidetone init" in told["checks"][0]["fix"], told


def test_doctor_wrong_use(context):
    clinic = Clinic(context)
    clinic.ask()
    conf = context.path("sidetone.conf")
    code, _, err = run(context, "doctor", "--config", conf, "--node", "nobody", env={"S": "s3"})
    assert code == 2 and "no node nobody" in err, err
    code, out, _ = run(context, "doctor", "--config", conf, "--asterisk-etc", clinic.etc, env={"S": "s3"})
    assert code == 0 and "node pbx1" in out and "this machine" in out and out.rstrip().splitlines()[-1].endswith("not looked at"), out


def test_doctor_certificates(context):
    if not shutil.which("openssl"):
        raise Skip("openssl is not installed")
    ca, name = authority(context, "short", days=5)
    clinic = Clinic(context, scheme="tls", certificate=name, node=f"ca = {ca}\n")
    only(clinic.bad(("FAIL", "WARN")), "certificate", "manager port runs out in")
    _, other = authority(context, "long", days=400)
    clinic = Clinic2(context, other, ca)
    only(clinic.bad(), "ami", "not believed", fix="ca = ")


def Clinic2(context, certificate, ca):
    """Another node, whose certificate an unknown authority signed."""
    os.rename(context.path("etc"), context.path("etc.before"))
    return Clinic(context, scheme="tls", certificate=certificate, node=f"ca = {ca}\n")
