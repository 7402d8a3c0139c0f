"""A private Asterisk for a test, through `sidetone sim pbx`."""
import json
import os
import re
import select
import shutil
import signal
import subprocess
import time

from ami import Ami
from ari import Ari
from ports import free_port
from runner import Skip


def which(context):
    """Options that say which Asterisk to run. Skips the test when there is none; on CI that is a failure."""
    root = context.asterisk
    if root and os.path.exists(os.path.join(root, ".complete")):
        return ["--root", os.path.abspath(root)]
    program = shutil.which("asterisk", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if program:
        said = subprocess.run([program, "-V"], capture_output=True, text=True, timeout=10, check=False).stdout
        version = re.match(r"Asterisk (?:certified/)?(\d+)\.", said)
        if version and int(version.group(1)) >= 20:
            return []
    why = f"no Asterisk: {root} is not unpacked (tools/get-asterisk) and none of version 20 or newer is installed"
    if os.environ.get("CI") == "true":
        raise AssertionError(why)
    raise Skip(why)


def read_line(process, seconds, what):
    """The next line of a process's output, within a deadline."""
    limit = time.monotonic() + seconds
    line = b""
    while not line.endswith(b"\n"):
        left = limit - time.monotonic()
        if left <= 0 or not select.select([process.stdout], [], [], left)[0]:
            raise AssertionError(f"{what} said nothing for {seconds} s")
        byte = os.read(process.stdout.fileno(), 1)
        if not byte:
            process.wait(10)
            raise AssertionError(f"{what} ended ({process.returncode}): {process.stderr.read().decode('utf-8', 'replace')}")
        line += byte
    return line.decode("utf-8")


class Pbx:
    """A running node: ports and secrets as attributes, `ami()` and `ari()` clients, its log."""

    def __init__(self, context, dialplan, name="a", marks=None, configs=None, dialplan_file=None, arguments=()):
        chosen = which(context)
        self.context = context
        self.dir = context.path(name)
        plan = dialplan_file or context.write(f"{name}.dialplan", dialplan)
        command = [context.program, "sim", "pbx", "--dir", self.dir, "--dialplan", plan, "--name", name, "--json", *chosen, *arguments]
        for option in ("--ami-port", "--http-port", "--sip-port"):
            command += [] if option in arguments else [option, str(free_port())]
        for key, value in (marks or {}).items():
            command += ["--mark", f"{key}={value}"]
        for key, text in (configs or {}).items():
            command += ["--config", f"{key}=" + context.write(f"{name}.{key}.conf", text)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0)
        context.at_end(self.kill)
        facts = json.loads(read_line(self.process, 30, "sim pbx"))
        self.pid = facts["pid"]
        self.version = facts["version"]
        self.ami_port, self.http_port, self.sip_port = facts["ami_port"], facts["http_port"], facts["sip_port"]
        self.ami_user, self.ami_secret = facts["ami_user"], facts["ami_secret"]
        self.ari_user, self.ari_password = facts["ari_user"], facts["ari_password"]

    def ami(self, events="on"):
        client = Ami(self.ami_port, self.ami_user, self.ami_secret, events)
        self.context.at_end(client.close)
        return client

    def ari(self):
        return Ari(self.http_port, self.ari_user, self.ari_password)

    def log(self):
        with open(os.path.join(self.dir, "log", "full.log"), encoding="utf-8", errors="replace") as f:
            return f.read()

    def complaints(self):
        """Lines of the log at ERROR or WARNING."""
        return [line for line in self.log().splitlines() if re.search(r"\] (ERROR|WARNING)\[", line)]

    def stop(self, seconds=15):
        """In order; returns the exit status of `sim pbx`."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self):
        """However it stands: the child dies with its parent."""
        if self.process.poll() is None:
            try:
                self.stop()
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()
