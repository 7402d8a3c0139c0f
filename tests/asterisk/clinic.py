"""A private Asterisk that is broken on purpose, and an operator who pastes what `doctor` says, word for word."""
import json
import os
import re
import shutil
import subprocess

from daemon import free_port, run
from pbx import Pbx, which


def console(context):
    """A program that talks to the node as `asterisk` does: the unpacked one has its own loader."""
    if not which(context):
        return "asterisk"
    root = os.path.abspath(context.asterisk)
    libraries = os.path.join(root, "usr/lib/x86_64-linux-gnu")
    program = context.write("console", f"#!/bin/sh\nexec {libraries}/ld-linux-x86-64.so.2 --library-path {libraries} {root}/usr/sbin/asterisk \"$@\"\n")
    os.chmod(program, 0o755)
    return program


def paste(text, fix):
    """What an editor would make of it: a key of a section that is there is written anew, others come at its end, a section that is not there at the end."""
    lines = text.splitlines()
    section, done = None, set()
    for line in fix.splitlines():
        head = re.match(r"\[([^\]]+)\]", line)
        key = re.match(r"([a-z_]+)\s*=", line)
        more = line.startswith("eventfilter(")
        if head:
            section, done = head.group(1), set()
            if not any(re.match(r"\[" + re.escape(section) + r"\]", have) for have in lines):
                lines += ["", f"[{section}]"]
        elif key or more:
            begin = next(i for i, have in enumerate(lines) if re.match(r"\[" + re.escape(section) + r"\]", have)) + 1
            end = next((i for i in range(begin, len(lines)) if lines[i].startswith("[")), len(lines))
            name = key.group(1) if key else None
            old = r"(" + re.escape(name or "-") + r")\s*=(?!>)"
            kept = [have for have in lines[begin:end] if (name in done) or not re.match(old, have)]
            done.add(name)
            lines[begin:end] = kept + [line]
    return "\n".join(lines) + "\n"


class Ward:
    """The node, its files, our configuration, and the two moves of each test: `broken` and `mended`."""

    def __init__(self, context, plan="[test]\nexten => 1,1,Hangup()\n", node="", extra="", configs=None, fixed=None):
        self.context = context
        self.pbx = Pbx(context, plan, configs=configs)
        self.etc = os.path.join(self.pbx.dir, "etc")
        self.program = console(context)
        self.values = {"S": "s3cret"}
        self.fixed = fixed or {}
        self.node, self.extra = node, extra
        self.agi_port, self.audio_port = free_port(), free_port()
        self.ami_url, self.ari_url = f"tcp://127.0.0.1:{self.pbx.ami_port}", f"http://127.0.0.1:{self.pbx.http_port}"
        os.makedirs(context.path("state"), exist_ok=True)
        self.handler = context.write("hello.lua", "function handle(call) end")
        self.conf = context.path("sidetone.conf")
        self.write_conf()

    def write_conf(self):
        self.context.write("sidetone.conf", f"""[sidetone]
state_dir = {self.context.path("state")}
[fastagi]
listen = 127.0.0.1:{self.agi_port}
sessions_max = 64
[audiosocket]
listen = 127.0.0.1:{self.audio_port}
[node a]
ami = {self.ami_url}
ami_user = tap
ami_secret = @env:S
control_user = control
control_secret = @env:S
ari = {self.ari_url}
ari_user = bot
ari_secret = @env:S
calls_max = 4
{self.node}
[route hello]
handler = {self.handler}
{self.extra}""")

    def read(self, name):
        with open(os.path.join(self.etc, name), encoding="utf-8") as f:
            return f.read()

    def write(self, name, text):
        with open(os.path.join(self.etc, name), "w", encoding="utf-8") as f:
            f.write(text)

    def cli(self, command):
        done = subprocess.run([self.program, "-C", os.path.join(self.etc, "asterisk.conf"), "-rx", command], stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=20, check=False)
        assert done.returncode == 0, (command, done.stdout, done.stderr)
        return done.stdout.decode("utf-8", "replace")

    def ask(self):
        code, out, err = run(self.context, "doctor", "--config", self.conf, "--asterisk-etc", self.etc, "--json", env=self.values)
        assert code in (0, 1) and not err, (code, err)
        told = json.loads(out)
        assert (code == 0) == told["ok"], told
        return told["checks"]

    def bad(self, verdicts=("FAIL", "WARN")):
        """What is to be mended; what the machine of the test is like does not count."""
        return [c for c in self.ask() if c["verdict"] in verdicts and c["check"] not in ("open files", "disk")]

    def spoil(self, name, lines, command):
        """The wrong lines go in as the right ones will; "[old] > [new]" renames a section."""
        if ">" in lines:
            old, new = lines.split(" > ")
            text = self.read(name)
            assert old in text, (old, text)
            self.write(name, text.replace(old, new, 1))
        else:
            self.write(name, paste(self.read(name), lines))
        self.cli(command)

    def apply(self, finding):
        """The lines into the file, then the commands that they name."""
        fix = finding["fix"].replace("; what", "s3cret ; what")  # the one thing that the doctor does not print
        name = os.path.basename(finding["file"])
        if finding["file"] == "shell":
            done = subprocess.run(["bash", "-ec", fix.replace("asterisk -rx", f"{self.program} -C {self.etc}/asterisk.conf -rx")], stdin=subprocess.DEVNULL,
                                  capture_output=True, timeout=20, check=False)
            assert done.returncode == 0, (fix, done.stderr)
            return
        if finding["file"] == self.conf:
            with open(self.conf, encoding="utf-8") as f:
                text = f.read()
            self.context.write("sidetone.conf", paste(text, fix))
            return
        assert finding["file"] == os.path.join(self.etc, name), finding
        self.write(name, paste(self.read(name), fix))
        for command in re.findall(r'asterisk -rx "([^"]+)"', fix):
            self.cli(command)

    def heals(self, check, *words, verdict="FAIL"):
        """One finding, which is about this; its lines make all of it good."""
        found = self.bad()
        assert [(c["check"], c["verdict"]) for c in found] == [(check, verdict)], found
        assert all(w in found[0]["said"] for w in words), found
        self.apply(found[0])
        left = self.bad()
        assert left == [], (found, left)
