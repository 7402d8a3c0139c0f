"""Runs functions named test_* of the modules beside a suite, each in a folder of its own, and counts.

A test takes one argument, a Context, and fails by an exception. Skip(reason) skips, with the reason printed.
With several lanes each is a process of its own that takes the next test when it has ended one; what a test prints comes out whole."""
import importlib.util
import json
import multiprocessing
import os
import selectors
import shutil
import sys
import tempfile
import time
import traceback

import ports


class Skip(Exception):
    """This test cannot run here; the text says why."""


class Context:
    """What a test is given: a private folder, the build under test, and things to close at the end, last first."""

    def __init__(self, name, options):
        self.name = name
        self.build = options.build
        self.asterisk = getattr(options, "asterisk", None)
        self.root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        self.program = os.path.join(os.path.abspath(options.build), "sidetone")
        self.dir = tempfile.mkdtemp(prefix="st-", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self._closers = []

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def write(self, name, text):
        where = self.path(name)
        os.makedirs(os.path.dirname(where), exist_ok=True)
        with open(where, "w", encoding="utf-8") as out:
            out.write(text)
        return where

    def at_end(self, close):
        self._closers.append(close)

    def close(self, keep):
        while self._closers:
            try:
                self._closers.pop()()
            except Exception:  # the next ones must be closed all the same
                traceback.print_exc()
        if not keep:
            shutil.rmtree(self.dir, ignore_errors=True)


def load(folder):
    """All tests of a folder, in order of file and line."""
    tests = []
    if folder not in sys.path:
        sys.path.insert(0, folder)
    for name in sorted(os.listdir(folder)):
        if not (name.startswith("test_") and name.endswith(".py")):
            continue
        spec = importlib.util.spec_from_file_location(name[:-3], os.path.join(folder, name))
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        found = [f for n, f in vars(module).items() if n.startswith("test_") and callable(f)]
        tests += sorted(found, key=lambda f: f.__code__.co_firstlineno)
    return tests


def run_one(test, options):
    """Runs a test, prints how it went. "ok", "skip" or "FAIL"."""
    context = Context(test.__name__, options)
    began = time.monotonic()
    how = "FAIL"
    try:
        test(context)
        how = "ok"
        print(f"ok    {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
    except Skip as why:
        how = "skip"
        print(f"skip  {test.__name__}: {why}", flush=True)
    except Exception:
        print(f"FAIL  {test.__name__} (its folder is kept: {context.dir})", flush=True)
        traceback.print_exc(file=sys.stdout)
    finally:
        context.close(how == "FAIL")
        sys.stdout.flush()
    return how


class _Lane:
    """A process that takes tests; its end of a pipe says which one it began, and how that one went, a line each."""

    def __init__(self, index, count, tests, options, taken):
        self.now = None
        self.rest = b""
        self.reads, writes = os.pipe()
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                os.close(self.reads)
                ports.take_lane(index, count)
                self._work(tests, options, taken, writes)
                code = 0
            finally:
                os._exit(code)
        os.close(writes)

    def _work(self, tests, options, taken, writes):
        while True:
            with taken.get_lock():
                index = taken.value
                taken.value += 1
            if index >= len(tests):
                return
            os.write(writes, json.dumps({"began": index}).encode() + b"\n")
            with tempfile.TemporaryFile() as said:
                os.dup2(said.fileno(), 1)
                os.dup2(said.fileno(), 2)
                how = run_one(tests[index], options)
                sys.stderr.flush()
                said.seek(0)
                text = said.read().decode("utf-8", "replace")
            line = memoryview(json.dumps({"how": how, "said": text}).encode() + b"\n")
            while line:
                line = line[os.write(writes, line):]

    def lines(self):
        """What it said since; None at its end."""
        more = os.read(self.reads, 65536)
        if not more:
            return None
        *whole, self.rest = (self.rest + more).split(b"\n")
        return [json.loads(line) for line in whole]


def _run_lanes(tests, options, count, counts):
    taken = multiprocessing.Value("i", 0)
    ears = selectors.DefaultSelector()
    for index in range(count):
        lane = _Lane(index, count, tests, options, taken)
        ears.register(lane.reads, selectors.EVENT_READ, lane)
    while ears.get_map():
        for key, _ in ears.select():
            lane = key.data
            lines = lane.lines()
            for line in lines or []:
                if "began" in line:
                    lane.now = tests[line["began"]].__name__
                else:
                    lane.now = None
                    counts[line["how"]] += 1
                    print(line["said"], end="", flush=True)
            if lines is not None:
                continue
            ears.unregister(lane.reads)
            os.close(lane.reads)
            _, status = os.waitpid(lane.pid, 0)
            if lane.now or status:
                counts["FAIL"] += 1
                print(f"FAIL  {lane.now or 'a lane'}: its process ended ({status})", flush=True)


def run(tests, options):
    lanes = getattr(options, "lanes", 1)
    tests = [t for t in tests if not options.only or any(word in t.__name__ for word in options.only)]
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    if lanes > 1:
        _run_lanes(tests, options, lanes, counts)
    else:
        for test in tests:
            counts[run_one(test, options)] += 1
    line = f"{counts['ok']} passed, {counts['FAIL']} failed"
    print(line + (f", {counts['skip']} skipped" if counts["skip"] else ""), flush=True)
    return 1 if counts["FAIL"] else 0
