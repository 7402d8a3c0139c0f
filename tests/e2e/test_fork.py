"""Python scripts as copies of a template process (start = fork): the same as processes of their own, and what happens when it cannot be."""
import os

from agi_peer import AgiPeer
from daemon import Daemon, free_port
from runner import Skip

READ = """#!/usr/bin/python3
import json, os, re, signal, sys, time
env = {}
while (line := sys.stdin.readline().strip()):
    key, _, value = line.partition(": ")
    env[key] = value

def ask(command):
    sys.stdout.write(command + "\\n")
    sys.stdout.flush()
    return sys.stdin.readline().strip()

"""


class House:
    """A daemon with one route of each name, whose scripts these are."""

    def __init__(self, context, scripts, keys="start = fork\n", wait=True):
        if not os.path.exists("/usr/bin/python3"):
            raise Skip("/usr/bin/python3 is missing")
        self.context, self.port = context, free_port()
        routes = ""
        for name, body in scripts.items():
            self.script(name, body)
            routes += f"[route {name}]\nscript = {context.path(name + '.py')}\ndeadline = 20s\n{keys}"
        conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\nworkers = 1\n"
                             f"[fastagi]\nlisten = 127.0.0.1:{self.port}\nscript_cwd = {context.dir}\n{routes}")
        self.daemon = Daemon(context, conf)
        if wait:
            self.ready(len(scripts))

    def script(self, name, body):
        path = self.context.write(name + ".py.new", body if body.startswith("#!") else READ + body)
        os.chmod(path, 0o755)
        os.replace(path, self.context.path(name + ".py"))

    def ready(self, count):
        self.daemon.wait_log(" ready_ms=", count=count)

    def call(self, name, args=(), answers=None):
        peer = AgiPeer(self.port, name, more=[(f"agi_arg_{i + 1}", a) for i, a in enumerate(args)])
        peer.environment()
        peer.answer_all(answers)
        peer.close()
        return peer

    def figures(self, name):
        """What the daemon counted, told when it stops."""
        assert self.daemon.stop() == 0
        for line in self.daemon.text().splitlines():
            if "event=script_figures" in line and f"route={name} " in line:
                return {k: int(v) for k, v in (w.split("=") for w in line.split(f"route={name} ")[1].split())}
        raise AssertionError(self.daemon.text())


def test_a_script_runs_as_a_copy(context):
    house = House(context, {"ivr": "ask('SET VARIABLE WHO \"%s %s\"' % (env['agi_callerid'], '|'.join(sys.argv[1:])))\n"})
    for args in (["one", "two words"], [], ["q,c"]):
        told = house.call("ivr", args).variables
        assert told["WHO"] == "1001 " + "|".join(args) and told["SIDETONE_STATUS"] == "OK", told
    figures = house.figures("ivr")
    assert figures["calls"] == figures["forked"] == 3 and figures["started"] == figures["fork_missed"] == 0, figures
