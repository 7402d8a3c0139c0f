"""`sidetone init`: what it writes, what it refuses, and that no secret leaves its files."""
import os
import re
import stat

from daemon import run


def text(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as f:
        return f.read()


def test_init_writes_what_fits_together(context):
    out = context.path("out")
    code, told, err = run(context, "init", "--node", "pbx1", "--out", out)
    assert code == 0 and not err, err
    secrets = {name: text(out, f"pbx1.{name}").strip() for name in ("tap", "control", "ari")}
    assert len(set(secrets.values())) == 3 and all(re.fullmatch("[0-9a-f]{48}", s) for s in secrets.values())
    assert not any(s in told for s in secrets.values()), told
    for name in ("pbx1.tap", "pbx1.control", "pbx1.ari", "asterisk/manager.conf", "asterisk/ari.conf"):
        assert stat.S_IMODE(os.stat(os.path.join(out, name)).st_mode) == 0o600, name
    manager = text(out, "asterisk/manager.conf")
    tap, control = manager.split("[sidetone-tap]")[1].split("[sidetone-control]")
    assert f"secret = {secrets['tap']}\n" in tap and "\nwrite =\n" in tap and "deny = ::/0" in tap and "eventfilter(name(Hangup)) =" in tap, tap
    assert f"secret = {secrets['control']}\n" in control and "\nwrite = reporting\n" in control and "eventfilter" not in control, control
    assert f"password = {secrets['ari']}\n" in text(out, "asterisk/ari.conf")
    code, told, err = run(context, "config", "check", os.path.join(out, "sidetone.conf"))
    assert code == 0 and "warning" not in told, told + err


# What an Asterisk begins with: each server that init needs is there and off, and nobody is let in.
EMPTY = {"manager.conf": "[general]\nenabled = no\nbindaddr = 127.0.0.1\nport = 5038\n", "ari.conf": "[general]\nenabled = no\n",
         "http.conf": "[general]\nenabled = no\nbindaddr = 127.0.0.1\nbindport = 8088\n", "modules.conf": "[modules]\nautoload = yes\n",
         "extensions.conf": "[general]\n[globals]\n"}


def test_init_leaves_the_auditor_no_warning(context):
    """Whatever parts are chosen. The same folder with one more right is told, so the silence is worth something."""
    for number, parts in enumerate(("tap,ari,agi", "tap", "ari", "agi", "asyncagi", "tap,ari,agi,asyncagi")):
        out, etc = context.path(f"out{number}"), context.path(f"etc{number}")
        code, _, err = run(context, "init", "--node", "pbx1", "--out", out, "--with", parts)
        assert code == 0, err
        os.makedirs(etc)
        for name, lines in EMPTY.items():
            added = os.path.join(out, "asterisk", name)
            context.write(f"etc{number}/{name}", lines + (text(added) if os.path.exists(added) else ""))
        code, told, err = run(context, "audit", etc)
        assert code == 0 and not err, (parts, told, err)
    context.write("etc0/manager.conf", text(etc, "manager.conf").replace("write = reporting", "write = reporting,command"))
    code, told, err = run(context, "audit", context.path("etc0"))
    assert code == 1 and "ST305" in told, (told, err)


def test_init_overwrites_nothing(context):
    out = context.path("out")
    os.makedirs(os.path.join(out, "asterisk"))
    context.write("out/sidetone.conf", "mine\n")
    code, told, err = run(context, "init", "--node", "pbx1", "--out", out)
    assert code == 1 and told == "" and "sidetone.conf: is there already" in err, told + err
    assert text(out, "sidetone.conf") == "mine\n" and os.listdir(os.path.join(out, "asterisk")) == [] and not os.path.exists(os.path.join(out, "pbx1.tap"))


def test_init_prints_no_secret(context):
    code, told, err = run(context, "init", "--node", "pbx1")
    assert code == 0 and "secret = SECRET-OF-pbx1.tap" in told and "ari_secret = @file:pbx1.ari" in told and "--out" in err, told + err
    assert not re.search("[0-9a-f]{24}", told), told


def test_init_gives_what_is_asked_for(context):
    code, told, _ = run(context, "init", "--node", "b", "--with", "agi")
    assert code == 0 and "manager.conf" not in told and "ari.conf" not in told and "AGI(agi://127.0.0.1:4573/hello)" in told, told
    code, told, _ = run(context, "init", "--node", "b", "--with", "asyncagi", "--ami", "10.1.2.3:5039", "--from", "10.1.2.9")
    assert code == 0 and "permit = 10.1.2.9/255.255.255.255" in told and "write = reporting,agi" in told and "ami = tcp://10.1.2.3:5039" in told, told
    assert "[sidetone-tap]" not in told and "AGI(agi:async,hello)" in told, told


def test_init_of_a_configuration(context):
    """Only what its node uses, with its names and its secrets."""
    conf = context.write("sidetone.conf", "[sidetone]\nstate_dir = /tmp\n[node x]\nami = tcp://127.0.0.1:5038\nami_user = watcher\nami_secret = @env:A\n"
                         "[node y]\nari = http://127.0.0.1:8088\nari_user = voice\nari_secret = @env:B\napp = talk\n[agent amy]\nprovider = echo\n")
    out = context.path("out")
    code, told, err = run(context, "init", "--node", "y", "--config", conf, "--out", out, env={"A": "a-secret", "B": "b-secret"})
    assert code == 0, err
    assert sorted(os.listdir(out)) == ["asterisk"] and sorted(os.listdir(os.path.join(out, "asterisk"))) == ["ari.conf", "extensions.conf", "http.conf", "modules.conf"]
    assert "[voice]" in text(out, "asterisk/ari.conf") and "password = b-secret\n" in text(out, "asterisk/ari.conf") and "b-secret" not in told
    assert "Stasis(talk,amy)" in text(out, "asterisk/extensions.conf")
    code, told, _ = run(context, "init", "--node", "x", "--config", conf)
    assert code == 0 and "[watcher]" in told and "[sidetone-control]" not in told and "ari.conf" not in told, told
    code, _, err = run(context, "init", "--node", "x", "--config", conf, "--out", context.path("more"))
    assert code == 1 and "ami_secret" in err, err
    code, _, err = run(context, "init", "--node", "z", "--config", conf)
    assert code == 2 and "no node z" in err, err


def test_init_wrong_use(context):
    for args, word in (([], "--node"), (["--node", "a b"], "--node"), (["--node", "a", "--with", "tap,tea"], "tea"), (["--node", "a", "--ami", "host"], "--ami"),
                       (["--node", "a", "--ami", "h:1\n[x]"], "--ami"), (["--node", "a", "--ari", "ftp://x"], "--ari"), (["--node", "a", "--from", "x;y"], "--from"),
                       (["--node", "a", "--fastagi", "x"], "--fastagi"), (["--node", "a", "--state-dir", "x"], "--state-dir")):
        code, out, err = run(context, "init", *args)
        assert code == 2 and out == "" and word in err, (args, code, out, err)
