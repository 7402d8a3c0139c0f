"""What `doctor` says on a real Asterisk is pasted word for word, and heals it: one node, broken in one way after another."""
import os
import shutil
import subprocess

from ami import Ami
from clinic import Ward
from daemon import free_port
from runner import Skip

MANAGER = """[tap]
secret = s3cret
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read = system,call,agent,dtmf,dialplan,agi
write =
[control]
secret = s3cret
read =
write = reporting
"""
ARI = "[bot]\ntype = user\nread_only = no\npassword = s3cret\npassword_format = plain\n"
USERS = {"manager": MANAGER, "ari": ARI}


def heal_each(ward, file, command, cases):
    """Each begins with a node on which nothing is to be mended."""
    for check, verdict, word, lines in cases:
        ward.spoil(file, lines, command)
        ward.heals(check, word, verdict=verdict)


def test_doctor_heals_manager_users(context):
    ward = Ward(context, configs=USERS)
    assert ward.bad() == []
    heal_each(ward, "manager.conf", "manager reload", [
        ("ami login", "FAIL", "refuses ami_user = tap", "[tap]\nsecret = another"),
        ("ami login", "FAIL", "refuses ami_user = tap", "[tap]\npermit = 127.0.0.2/255.255.255.255"),
        ("ami login", "FAIL", "refuses control_user = control", "[control] > [other]"),
        ("events", "FAIL", "does not read call:", "[tap]\nread = system,agent,dtmf,dialplan,agi"),
        ("events", "FAIL", "does not read system:", "[tap]\nread = call,agent,dtmf,dialplan,agi"),
        ("ami rights", "WARN", "may send Originate, Command", "[tap]\nwrite = all"),
        ("ami rights", "WARN", "ami_user = tap only needs to read, but may send Hangup", "[tap]\nwrite = system"),
        ("ami rights", "WARN", "may not list channels", "[control]\nwrite = call"),
        ("ami rights", "WARN", "control_user = control may send Originate, Command, which nothing here uses", "[control]\nwrite = reporting,command,originate"),
        ("ami rights", "WARN", "control_user = control may send AGI, which nothing", "[control]\nwrite = reporting,agi"),
        ("time stamps", "FAIL", "no time stamps", "[general]\ntimestampevents = no"),
        ("events", "WARN", "none of its own for", "[tap]\neventfilter = Event: Hangup"),
    ])


def test_doctor_heals_one_login_only(context):
    ward = Ward(context, configs={"manager": MANAGER.replace("[control]", "allowmultiplelogin = no\n[control]"), "ari": ARI})
    other = Ami(ward.pbx.ami_port, "tap", "s3cret", "off")
    context.at_end(other.close)
    ward.heals("ami login", "one login only")


def test_doctor_names_asterisks_open_files(context):
    """Mended by a restart only, which is systemd's."""
    ward = Ward(context, configs={**USERS, "asterisk": "maxfiles = 300\n"})
    found = [c for c in ward.ask() if c["check"] == "open files" and c["node"] == "a"]
    assert [c["verdict"] for c in found] == ["WARN"] and "may have 300 files open" in found[0]["said"], found
    assert "LimitNOFILE=65536" in found[0]["fix"] and "asterisk.service.d" in found[0]["file"], found


def test_doctor_heals_tls(context):
    """No TLS door where the configuration wants one; then a certificate that runs out soon, and a new one in its place."""
    if not shutil.which("openssl"):
        raise Skip("openssl is not installed")
    ward = Ward(context, configs=USERS)
    port, pem = free_port(), os.path.join(ward.etc, "asterisk.pem")

    def certify(days):
        key, cert = context.path("key.pem"), context.path("cert.pem")
        command = f"openssl req -x509 -newkey rsa:2048 -nodes -days {days} -subj /CN=pbx -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {cert}"
        subprocess.run(command.split(), check=True, capture_output=True, timeout=60)
        with open(pem, "w", encoding="utf-8") as to:
            for name in (cert, key):
                with open(name, encoding="utf-8") as f:
                    to.write(f.read())
        os.chmod(pem, 0o644)
        return cert

    ward.node, ward.ari_url = f"ca = {certify(5)}\n", f"https://127.0.0.1:{port}"
    ward.write_conf()
    found = ward.bad()
    assert [c["check"] for c in found] == ["http"] and f"tlsbindaddr = 127.0.0.1:{port}" in found[0]["fix"], found
    ward.apply({**found[0], "fix": found[0]["fix"].replace("/path/to/certificate-and-key.pem", pem)})
    found = ward.bad()
    assert [(c["check"], c["verdict"]) for c in found] == [("certificate", "WARN")] and "HTTP port runs out in" in found[0]["said"], found
    certify(400)
    ward.apply(found[0])
    assert ward.bad() == []
    certify(400)  # not read yet: what Asterisk shows is no longer what the configuration believes
    found = ward.bad()
    assert [c["check"] for c in found] == ["http"] and "not believed" in found[0]["said"], found


def test_doctor_heals_rights_of_asyncagi(context):
    ward = Ward(context, configs=USERS, node="asyncagi = yes\n")
    found = ward.bad()
    assert [(c["check"], c["verdict"]) for c in found] == [("ami rights", "FAIL"), ("events", "FAIL")], found
    ward.apply(found[0])
    assert ward.bad() == []
    heal_each(ward, "manager.conf", "manager reload", [
        ("events", "FAIL", "does not read agi", "[control]\nread = call"),
        ("ami rights", "FAIL", "may not send AGI", "[control]\nwrite = reporting"),
    ])


def test_doctor_heals_http_and_ari(context):
    ward = Ward(context, configs=USERS)
    heal_each(ward, "http.conf", "module reload http", [
        ("http", "FAIL", "does not answer", "[general]\nenabled = no"),
        ("http", "FAIL", "does not answer", f"[general]\nbindport = {free_port()}"),
    ])
    heal_each(ward, "ari.conf", "module reload res_ari.so", [
        ("ari login", "FAIL", "but no ARI (status 404)", "[general]\nenabled = no"),
        ("ari login", "FAIL", "refuses ari_user = bot", "[bot] > [other]"),
        ("ari login", "FAIL", "refuses ari_user = bot", "[bot]\npassword = another"),
        ("ari rights", "FAIL", "read-only", "[bot]\nread_only = yes"),
        ("ari login", "FAIL", "from other addresses only", "[bot]\nacl = nobody"),
        ("ari login", "FAIL", "from other addresses only", "[bot]\ndeny = 0.0.0.0/0.0.0.0\npermit = 127.0.0.2/255.255.255.255"),
    ])
    heal_each(ward, "http.conf", "module reload http", [("ari login", "FAIL", "behind the prefix pbx", "[general]\nprefix = pbx")])


def test_doctor_heals_modules_and_codecs(context):
    agent = "[agent echo]\nprovider = echo\nmedia = audiosocket,rtp\n[rtp]\nformat = ulaw\n"
    ward = Ward(context, configs=USERS, extra=agent)
    bad = ward.bad()
    assert bad == [], bad
    for check, module in (("modules", "app_stasis"), ("modules", "res_ari_channels"), ("modules", "chan_audiosocket"), ("modules", "bridge_simple"), ("codecs", "codec_ulaw")):
        said = ward.cli(f"module unload {module}.so")
        assert "Unloaded" in said, said
        ward.heals(check, f"{module} is not loaded")
        assert f"load = {module}.so" in ward.read("modules.conf")


def test_doctor_heals_scripts(context):
    """By the rights of the process behind the manager's port, which is no other than the one here: it runs as nobody when root runs the test."""
    ward = Ward(context, "[test]\nexten => 1,1,AGI(look.py,a)\n same => n,AGI(/no/such/script.py)\n same => n,AGI(${WHICH})\n same => n,Hangup()\n", configs=USERS)
    folder = os.path.join(ward.pbx.dir, "agi", "in")
    os.makedirs(folder)
    os.chmod(folder, 0o755)
    script = os.path.join(folder, "look.py")

    def write(text, mode=0o755):
        with open(script, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(script, mode)

    good = "#!/bin/sh\nexit 0\n"
    write(good)
    found = ward.ask()
    assert [c["said"] for c in found if c["check"] == "scripts" and c["verdict"] == "SKIP"] == ["AGI scripts whose name the dialplan computes: 1, not looked at"], found
    bad = ward.bad()
    assert sorted("is not there" in c["said"] for c in bad) == [True, True] and {c["check"] for c in bad} == {"scripts"}, bad
    assert any("extensions.conf:4" in c["said"] and "/no/such/script.py" in c["fix"] for c in bad), bad

    ward.write("extensions.conf", "[test]\nexten => 1,1,AGI(in/look.py,a)\n same => n,Hangup()\n")
    fine = [c for c in ward.ask() if c["check"] == "scripts"]
    assert [c["verdict"] for c in fine] == ["OK"] and f"as process {ward.pbx.pid} runs" in fine[0]["said"], fine
    for verdict, word, text, mode in (("FAIL", "may not be executed", good, 0o644), ("WARN", "can be changed by everyone", good, 0o757),
                                      ("FAIL", "no #!", "exit 0\n", 0o755), ("FAIL", "as on Windows", good.replace("\n", "\r\n"), 0o755),
                                      ("FAIL", "interpreter in its first line that is not there", "#!/no/such/python\n", 0o755)):
        write(text, mode)
        ward.heals("scripts", word, verdict=verdict)
    write(good)
    os.chmod(folder, 0o777)
    ward.heals("scripts", "may exchange it", verdict="WARN")
    if os.getuid() == 0:  # Asterisk is another user than we
        os.chmod(folder, 0o750)
        ward.heals("scripts", "behind a folder that is closed for nobody")
        write(good, 0o700)
        ward.heals("scripts", "may not be read by nobody")
