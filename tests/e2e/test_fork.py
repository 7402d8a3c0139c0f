"""Python scripts as copies of a template process (start = fork): the same as processes of their own, and what happens when it cannot be."""
import json
import os
import pwd
import re
import signal
import time

from agi_peer import AgiPeer
from daemon import Daemon, free_port
from runner import Skip

PYTHON = os.environ.get("SIDETONE_PYTHON", "/usr/bin/python3")  # another version can be tried
READ = "#!" + PYTHON + """
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

    def __init__(self, context, scripts, keys="start = fork\n", more="", wait=True):
        if not os.path.exists(PYTHON):
            raise Skip(PYTHON + " is missing")
        if "tsan" in os.path.basename(context.build):
            raise Skip("gcc 12's thread sanitizer takes clone(CLONE_VM | CLONE_VFORK) for a fork and no longer sees what that thread locks")
        self.context, self.port = context, free_port()
        routes = ""
        for name, body in scripts.items():
            self.script(name, body)
            routes += f"[route {name}]\nscript = {context.path(name + '.py')}\ndeadline = 20s\n{keys}"
        conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\nworkers = 1\n"
                             f"[fastagi]\nlisten = 127.0.0.1:{self.port}\nscript_cwd = {context.dir}\n{routes}{more}")
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


def test_fork_a_script_runs_as_a_copy(context):
    house = House(context, {"ivr": "ask('SET VARIABLE WHO \"%s %s\"' % (env['agi_callerid'], '|'.join(sys.argv[1:])))\n"})
    for args in (["one", "two words"], [], ["q,c"]):
        told = house.call("ivr", args).variables
        assert told["WHO"] == "1001 " + "|".join(args) and told["SIDETONE_STATUS"] == "OK", told
    figures = house.figures("ivr")
    assert figures["calls"] == figures["forked"] == 3 and figures["started"] == figures["fork_missed"] == 0, figures


PROBE = """
import atexit, ctypes, io, random, resource, threading
def stream(s):
    return [s.name, s.mode, s.encoding, s.errors, s.line_buffering, s.write_through, type(s.buffer).__name__, s.newlines, s.isatty()]
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status") if ":\\t" in line)
facts = {
    "argv": sys.argv, "orig_argv": sys.orig_argv, "name": __name__, "file": __file__, "path": sys.path, "cwd": os.getcwd(),
    "environ": dict(os.environ),
    "fds": sorted(os.listdir("/proc/self/fd")), "leader": [os.getpid() == os.getpgid(0), os.getpid() == os.getsid(0)],
    "parent": os.getppid(), "comm": open("/proc/self/comm").read(), "umask": status["Umask"], "user": status["Uid"], "groups": status["Groups"],
    "signals": [status[k] for k in ("SigBlk", "SigIgn", "SigCgt", "NoNewPrivs", "Seccomp", "Seccomp_filters")],
    "handlers": [str(signal.getsignal(s)) for s in (1, 2, 13, 15, 25)],
    "limits": {k: resource.getrlimit(getattr(resource, k)) for k in dir(resource) if k.startswith("RLIMIT_")},
    "streams": [stream(s) for s in (sys.stdin, sys.stdout, sys.stderr)], "same": [sys.stdin is sys.__stdin__, sys.stdout is sys.__stdout__],
    "main": sorted(k for k in vars(sys.modules["__main__"]) if k.startswith("__")), "spec": str(__spec__), "loader": type(__loader__).__name__,
    "own": sys.modules["__main__"].__dict__ is globals(), "flags": str(sys.flags), "threads": [t.name for t in threading.enumerate()],
    "tid": threading.main_thread().native_id == os.getpid() == threading.get_native_id(), "hooks": sys.excepthook is sys.__excepthook__,
    "recursion": sys.getrecursionlimit(), "gc": __import__("gc").get_threshold(),
}
with open(sys.argv[1], "w") as out:
    json.dump(facts, out)
ask('SET VARIABLE RANDOM "%.12f"' % random.random())
"""


def differing(one, two):
    return {k: (one[k], two[k]) for k in one if one[k] != two[k]}


def both(context, body, keys=""):
    """The same script as a copy, and as a process: routes probe-fork and probe."""
    house = House(context, {"probe": body}, keys=keys, wait=False,
                  more=f"[route probe-fork]\nscript = {context.path('probe.py')}\nstart = fork\ndeadline = 20s\n{keys}")
    house.ready(1)
    return house


def test_fork_a_copy_finds_what_a_process_finds(context):
    house = both(context, PROBE)
    facts, randoms = {}, set()
    for kind in ("probe", "probe-fork", "probe-fork"):
        where = context.path(kind + ".json")
        told = house.call(kind, [where, "a b"]).variables
        assert told["SIDETONE_STATUS"] == "OK", house.daemon.text()
        randoms.add(told["RANDOM"])
        with open(where, encoding="utf-8") as f:
            facts[kind] = json.load(f)
        facts[kind]["argv"][1] = facts[kind]["orig_argv"][2] = "-"
    assert not differing(facts["probe"], facts["probe-fork"]), differing(facts["probe"], facts["probe-fork"])
    assert len(randoms) == 3, randoms
    assert house.figures("probe-fork")["forked"] == 2


ENDS = {
    "status": ("sys.exit(3)", "ERROR", "exit_3", []),
    "text": ("sys.exit('good bye')", "ERROR", "exit_1", ["good bye"]),
    "none": ("sys.exit()", "OK", "", []),
    "hard": ("os._exit(4)", "ERROR", "exit_4", []),
    "big": ("sys.exit(256)", "OK", "", []),
    "signal": ("os.kill(os.getpid(), signal.SIGTERM)", "ERROR", "signal_15", []),
    "segv": ("import ctypes; ctypes.string_at(0)", "ERROR", "signal_11", []),
    "abort": ("os.abort()", "ERROR", "signal_6", []),
    "interrupt": ("os.kill(os.getpid(), signal.SIGINT); time.sleep(5)", "ERROR", "signal_2", ["KeyboardInterrupt"]),
    "raise": ("def inner():\n    raise ValueError('oh no')\ninner()", "ERROR", "exit_1",
              ["Traceback (most recent call last):", 'line 14, in inner', "ValueError: oh no"]),
    "chain": ("try:\n    1/0\nexcept Exception as e:\n    raise KeyError('b') from e", "ERROR", "exit_1", ["ZeroDivisionError", "KeyError: 'b'"]),
    "hook": ("def hook(t, v, tb):\n    print('hooked', t.__name__, tb.tb_lineno, file=sys.stderr)\nsys.excepthook = hook\n1/0", "ERROR", "exit_1",
             ["hooked ZeroDivisionError 16"]),
    "atexit": ("import atexit\natexit.register(ask, 'VERBOSE last')\natexit.register(ask, 'VERBOSE first')\n", "OK", "", []),
    "unflushed": ("sys.stdout.write('VERBOSE unflushed')", "OK", "", []),
    "file": ("f = open('FILE', 'w'); f.write('not closed')", "OK", "", []),
    "elsewhere": ("json.kept = open('FILE', 'w'); json.kept.write('not closed')", "OK", "", []),
    "raw": ("f = open('FILE', 'wb'); f.write(b'not closed')", "OK", "", []),
    "del": ("class A:\n    def __del__(self, say=os.write):\n        say(2, b'gone\\n')\na = A()", "OK", "", ["gone"]),
    "cycle": ("class A:\n    def __del__(self, say=os.write):\n        say(2, b'gone\\n')\na = A(); a.a = a", "OK", "", ["gone"]),
    "thread": ("import threading\ndef work():\n    time.sleep(0.2); ask('VERBOSE thread')\nthreading.Thread(target=work).start()", "OK", "", []),
    "daemon": ("import threading\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()", "OK", "", []),
    "pool": ("import concurrent.futures as c\np = c.ThreadPoolExecutor(2)\np.submit(ask, 'VERBOSE pool')", "OK", "", []),
    "broken": ("print('VERBOSE x'); os.close(1)", "ERROR", "exit_120", []),
    "exec": ("os.execv('/bin/sh', ['sh', '-c', 'echo VERBOSE sh; read x; exit 5'])", "ERROR", "exit_5", []),
    "child": ("import subprocess\nask('VERBOSE ' + subprocess.run(['echo', 'hi'], capture_output=True, text=True).stdout.strip())", "OK", "", []),
    "forks": ("pid = os.fork()\nif pid == 0:\n    sys.exit(7)\nask('VERBOSE %d' % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))", "OK", "", []),
    "multi": ("import multiprocessing as m\np = m.get_context('fork').Process(target=ask, args=('VERBOSE multi',)); p.start(); p.join()", "OK", "", []),
    "pickle": ("import pickle\nclass P: pass\nask('VERBOSE ' + type(pickle.loads(pickle.dumps(P()))).__module__)", "OK", "", []),
    "deep": ("def f(n):\n    return f(n + 1)\ntry:\n    f(0)\nexcept RecursionError:\n    ask('VERBOSE deep')", "OK", "", []),
    "closed": ("sys.stdout.close()", "OK", "", []),
    "bool": ("sys.exit(True)", "ERROR", "exit_1", []),
}


def test_fork_a_copy_ends_as_a_process_ends(context):
    """Every way to end, as a process and as a copy: status, reason, commands, complaints, what was left in files."""
    scripts = {"s-" + n: e[0].replace("FILE", context.path("s-" + n + ".out")) for n, e in ENDS.items()}
    more = "".join(f"[route {n}-process]\nscript = {context.path(n + '.py')}\ndeadline = 20s\n" for n in scripts)
    house = House(context, scripts, more=more)
    wrong = []
    for name in scripts:
        _, status, reason, complaints = ENDS[name[2:]]
        seen = []
        for kind in (name, name + "-process"):
            where = context.path(name + ".out")
            if os.path.exists(where):
                os.remove(where)
            before = len(house.daemon.text())
            peer = house.call(kind)
            left = open(where, encoding="utf-8").read() if os.path.exists(where) else None
            told = (peer.variables.get("SIDETONE_STATUS"), peer.variables.get("SIDETONE_REASON"))
            lines = [re.sub(r".*? line=", "", x) for x in house.daemon.text()[before:].splitlines() if "event=script_stderr" in x]
            seen.append((told, peer.commands, left, lines))
            if told != (status, reason) or any(not any(c in x for x in lines) for c in complaints):
                wrong.append(f"{kind}: {told} {lines}")
        if seen[0] != seen[1]:
            wrong.append(f"{name}:\n  copy    {seen[0]}\n  process {seen[1]}")
    assert not wrong, "\n".join(wrong)
    assert house.figures("s-del")["forked"] == 1


def test_fork_what_a_template_cannot_hold_runs_as_processes(context):
    """Each says why, once, and its calls are answered all the same."""
    context.write("noisy.py", "print('NOOP')\n")
    context.write("crash.py", "import os\nos._exit(9)\n")
    context.write("server.py", "import socket\ns = socket.socket()\n")
    context.write("busy.py", "import threading, time\nthreading.Thread(target=time.sleep, args=(100,), daemon=True).start()\n")
    cases = {
        "shell": ("#!/bin/sh\nwhile read -r l && [ -n \"$l\" ]; do :; done\necho VERBOSE shell; read x\n", "its first line names no python3"),
        "two": ("#!/usr/bin/python2\nprint 'x'\n", "its first line names no python3"),
        "noisy": ("#!" + PYTHON + "\nimport noisy, sys\n" + READ.split("\n", 1)[1], "writes to standard output"),
        "connects": ("#!" + PYTHON + "\nimport server\n" + READ.split("\n", 1)[1], "open a connection"),
        "threads": ("#!" + PYTHON + "\nimport busy\n" + READ.split("\n", 1)[1], "start threads"),
        "wrong": ("#!" + PYTHON + "\nthis is no python\n", "it cannot be compiled"),
        "exits": ("#!" + PYTHON + "\nimport crash\n", "it ended"),
    }
    house = House(context, {n + "-x": c[0] for n, c in cases.items()}, wait=False)
    for name, (_, why) in cases.items():
        house.daemon.wait_log(why, count=2 if "names no" in why else 1)
    wanted = {"shell": ("OK", ""), "two": ("ERROR", "start"), "noisy": ("OK", ""), "connects": ("OK", ""),
              "threads": ("OK", ""), "wrong": ("ERROR", "exit_1"), "exits": ("ERROR", "exit_9")}
    for name, want in wanted.items():
        if name == "two" and os.path.exists("/usr/bin/python2"):
            continue
        told = house.call(name + "-x").variables
        assert (told["SIDETONE_STATUS"], told["SIDETONE_REASON"]) == want, f"{name}: {told}\n{house.daemon.text()}"
    text = house.daemon.text()
    assert text.count("calls start a process of their own") == len(cases), text
    assert house.figures("noisy-x")["fork_missed"] == 1


def test_fork_a_missing_module_is_the_scripts_own_matter(context):
    body = "try:\n    import no_such_module\nexcept ImportError:\n    ask('VERBOSE none')\n"
    house = House(context, {"x": "#!" + PYTHON + "\nimport sys\ntry:\n    import no_such_module\nexcept ImportError:\n    pass\n" + READ.split("\n", 1)[1] + body,
                            "y": "#!" + PYTHON + "\nimport no_such_module\n"})
    assert "VERBOSE none" in house.call("x").commands
    told = house.call("y").variables
    assert told["SIDETONE_REASON"] == "exit_1", told
    house.daemon.wait_log("ModuleNotFoundError: No module named 'no_such_module'")
    assert house.figures("y")["forked"] == 1


def test_fork_a_path_that_the_script_sets_is_kept(context):
    """A module of the same name that only the script's own path would show first."""
    context.write("mod.py", "WHERE = 'beside the script'\n")
    context.write("other/mod.py", "WHERE = 'on its path'\n")
    house = House(context, {"x": "#!" + PYTHON + f"\nimport sys\nsys.path.insert(0, '{context.path('other')}')\nimport mod\n"
                            + READ.split("\n", 1)[1] + "ask('VERBOSE ' + mod.WHERE)\n"})
    assert "VERBOSE on its path" in house.call("x").commands
    assert house.figures("x")["forked"] == 1


def template_of(house, name):
    """The number of the newest template of a route."""
    return [int(re.search(r" pid=(\d+)", x)[1]) for x in house.daemon.text().splitlines() if " ready_ms=" in x and f"route={name} " in x][-1]


def gone(pid, seconds=10):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        try:
            with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
                if f.read().rsplit(")", 1)[1].split()[0] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


ASKING = "ask('VERBOSE %d %s' % (os.getpid(), env.get('agi_arg_1')))\nask('WAIT FOR DIGIT -1')\nask('VERBOSE after')\n"


def test_fork_a_killed_template_costs_no_call(context):
    house = House(context, {"x": ASKING})
    peer = AgiPeer(house.port, "x")
    peer.environment()
    assert peer.command().startswith("VERBOSE ")
    peer.send("200 result=1\n")
    assert peer.command() == "WAIT FOR DIGIT -1"
    old = template_of(house, "x")
    os.kill(old, signal.SIGKILL)
    house.daemon.wait_log("event=script_template route=x script")
    assert "VERBOSE after" in house.call("x").commands  # as a process
    peer.send("200 result=0\n")
    assert peer.answer_all()["SIDETONE_STATUS"] == "OK" and "VERBOSE after" in peer.commands, peer.commands
    house.ready(2)
    assert template_of(house, "x") != old and gone(old)
    assert "VERBOSE after" in house.call("x").commands
    figures = house.figures("x")
    assert figures["forked"] == 2 and figures["templates"] == 2, figures


def test_fork_a_template_that_hangs_is_replaced(context):
    """Stopped: the call that waits for its copy gets a process, after the time that a template has."""
    house = House(context, {"x": ASKING})
    old = template_of(house, "x")
    os.kill(old, signal.SIGSTOP)
    peer = house.call("x")
    assert peer.variables["SIDETONE_STATUS"] == "OK" and "VERBOSE after" in peer.commands
    house.daemon.wait_log("it hangs")
    house.ready(2)
    assert gone(old)
    figures = house.figures("x")
    assert figures["forked"] == 0 and figures["fork_missed"] == 1, figures


def test_fork_a_changed_script_or_module_is_read_again(context):
    context.write("helper.py", "VALUE = 'one'\n")
    body = "#!" + PYTHON + "\nimport helper\n" + READ.split("\n", 1)[1] + "ask('VERBOSE ' + helper.VALUE + ' FIRST')\n"
    house = House(context, {"x": body})
    assert "VERBOSE one FIRST" in house.call("x").commands
    house.script("x", body.replace("FIRST", "SECOND"))
    assert "VERBOSE one SECOND" in house.call("x").commands
    house.ready(2)
    assert "VERBOSE one SECOND" in house.call("x").commands
    context.write("helper.py", "VALUE = 'two!'\n")
    assert "VERBOSE two! SECOND" in house.call("x").commands
    house.daemon.wait_log("event=script_template_stale")
    house.ready(3)
    assert "VERBOSE two! SECOND" in house.call("x").commands
    house.daemon.process.send_signal(signal.SIGHUP)
    house.ready(4)
    assert "VERBOSE two! SECOND" in house.call("x").commands
    figures = house.figures("x")
    assert figures["forked"] == 4 and figures["fork_missed"] == 2 and figures["stale"] == 2, figures


def test_fork_a_copy_hears_the_hangup_and_meets_the_deadline(context):
    body = ("def hup(*_):\n    ask('VERBOSE hup')\n    sys.exit(0)\nsignal.signal(signal.SIGHUP, hup)\n"
            "if len(sys.argv) > 1:\n    if os.fork() == 0:\n        open(sys.argv[1], 'w').write(str(os.getpid()))\n        time.sleep(600)\n"
            "    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "ask('VERBOSE ready')\nopen('asleep', 'w').close()\nwhile True:\n    time.sleep(0.05)\n")  # a signal just before a sleep is seen after it
    house = House(context, {"x": body})
    peer = AgiPeer(house.port, "x")
    peer.environment()
    assert peer.command() == "VERBOSE ready"
    peer.send("200 result=1\n")
    limit = time.monotonic() + 10
    while not os.path.exists(context.path("asleep")) and time.monotonic() < limit:
        time.sleep(0.01)
    peer.send("HANGUP\n")  # not while it asks: its handler asks, too, and Python's streams refuse that
    told = peer.answer_all()
    assert "VERBOSE hup" in peer.commands and told["SIDETONE_STATUS"] == "HANGUP", peer.commands
    house.daemon.stop()
    conf = context.path("sidetone.conf")
    with open(conf, encoding="utf-8") as f:
        text = f.read().replace("deadline = 20s", "deadline = 1s")
    context.write("sidetone.conf", text)
    house.daemon = Daemon(context, conf)
    house.ready(1)
    where = context.path("child")
    told = house.call("x", [where]).variables
    assert told["SIDETONE_STATUS"] == "TIMEOUT" and told["SIDETONE_REASON"] == "deadline", told
    assert gone(int(open(where, encoding="ascii").read())), "its child outlived the deadline"


def test_fork_limits_hold_for_each_copy(context):
    """Of each copy, not of the template: which has served many by then."""
    scripts = {
        "cpu": "while True:\n    pass\n",
        "memory": "try:\n    x = bytearray(400 * 1024 * 1024)\nexcept MemoryError:\n    ask('VERBOSE full')\n",
        "files": "import resource\nask('VERBOSE %s' % (resource.getrlimit(resource.RLIMIT_NOFILE),))\n",
    }
    keys = "start = fork\ncpu_seconds = 1\nmemory = 300M\nopen_files = 12\n"
    house = House(context, scripts, keys=keys)
    assert "VERBOSE full" in house.call("memory").commands
    for _ in range(30):
        assert "VERBOSE (12, 12)" in house.call("files").commands
    for _ in range(2):
        told = house.call("cpu").variables
        assert told["SIDETONE_STATUS"] == "ERROR" and told["SIDETONE_REASON"] == "cpu_seconds", told
    figures = house.figures("files")
    assert figures["forked"] == 30, figures


def test_fork_the_fence_holds_for_copies(context):
    body = PROBE.replace("ask('SET", "try:\n    open('/etc/sidetone-test', 'w')\nexcept OSError as e:\n    ask('VERBOSE ' + type(e).__name__)\nask('SET")
    keys = f"sandbox = strict\nallow_write = {context.dir}\n" + ("user = nobody\n" if os.geteuid() == 0 else "")
    os.chmod(context.dir, 0o777)
    house = both(context, body, keys)
    facts = {}
    for kind in ("probe", "probe-fork"):
        where = context.path(kind + ".json")
        peer = house.call(kind, [where, "a b"])
        if peer.variables["SIDETONE_STATUS"] != "OK" and "no landlock" in house.daemon.text():
            raise Skip("this kernel has no landlock")
        assert "VERBOSE PermissionError" in peer.commands, peer.commands
        with open(where, encoding="utf-8") as f:
            facts[kind] = json.load(f)
        facts[kind]["argv"][1] = facts[kind]["orig_argv"][2] = "-"
    assert not differing(facts["probe"], facts["probe-fork"]), differing(facts["probe"], facts["probe-fork"])
    assert os.geteuid() != 0 or facts["probe-fork"]["user"].split()[0] == "65534"
    assert house.figures("probe-fork")["forked"] == 1


def alone(uid, count, seconds=30):
    """Waits until that user has no more than so many processes, those that nobody has reaped yet among them: the kernel counts them."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        n = 0
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as f:
                    n += re.search(r"\nUid:\t(\d+)", f.read())[1] == str(uid)
            except (OSError, TypeError):
                pass
        if n <= count:
            return
        time.sleep(0.05)
    raise AssertionError(f"user {uid} has {n} processes")


def test_fork_a_bomb_meets_the_ceiling_of_its_user(context):
    """As a process and as a copy. Into a full house the daemon can bring one more, which can start nothing."""
    if os.geteuid() != 0:
        raise Skip("only root can run scripts as another user")
    body = ("n = 0\ntry:\n    for n in range(60):\n        if os.fork() == 0:\n            time.sleep(20)\n"
            "except OSError as e:\n    ask('VERBOSE %d %s' % (n, type(e).__name__))\nask('VERBOSE wait')\nos.killpg(0, signal.SIGKILL)\n")
    uid = pwd.getpwnam("uucp").pw_uid
    alone(uid, 0)
    house = both(context, body, "user = uucp\nprocesses = 16\n")
    for kind in ("probe", "probe-fork"):
        alone(uid, 1)  # the template
        peer = AgiPeer(house.port, kind)
        peer.environment()
        n, what = peer.command().split()[1:]
        assert 1 < int(n) < 16 and what == "BlockingIOError", peer.commands
        assert house.call("probe-fork").commands[0] == "VERBOSE 0 BlockingIOError"
        peer.send("200 result=1\n")
        assert peer.answer_all()["SIDETONE_REASON"] == "signal_9"
    figures = house.figures("probe-fork")
    assert figures["forked"] == 1 and figures["fork_missed"] == 2 and figures["templates"] == 1, figures


def test_fork_nothing_outlives_the_daemon(context):
    """Killed: the template goes with it, and a copy gets SIGHUP."""
    house = House(context, {"x": ASKING})
    peer = AgiPeer(house.port, "x")
    peer.environment()
    copy = int(peer.command().split()[1])
    template = template_of(house, "x")
    house.daemon.process.kill()
    house.daemon.process.wait(10)
    assert gone(copy) and gone(template)


def test_fork_many_at_once(context):
    """More than two hundred calls together: each is answered once, with its own arguments, and no process is left."""
    house = House(context, {"x": "ask('VERBOSE ' + sys.argv[1])\nask('VERBOSE second')\n"})
    peers = [AgiPeer(house.port, "x", more=[("agi_arg_1", f"n{i}")], seconds=60) for i in range(220)]
    for peer in peers:
        peer.environment()
    for i, peer in enumerate(peers):
        peer.answer_all()
        assert peer.commands[:2] == [f"VERBOSE n{i}", "VERBOSE second"] and len(peer.commands) == 3, peer.commands
        peer.close()
    figures = house.figures("x")
    assert figures["calls"] == 220 and figures["forked"] + figures["started"] == 220 and figures["forked"] > 100, figures
