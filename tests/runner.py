"""Runs functions named test_* of the modules beside a suite, each in a folder of its own, and counts.

A test takes one argument, a Context, and fails by an exception. Skip(reason) skips, with the reason printed."""
import importlib.util
import os
import shutil
import sys
import tempfile
import time
import traceback


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


def run(tests, options):
    passed = failed = skipped = 0
    for test in tests:
        if options.only and not any(word in test.__name__ for word in options.only):
            continue
        context = Context(test.__name__, options)
        began = time.monotonic()
        keep = False
        try:
            test(context)
            passed += 1
            print(f"ok    {test.__name__} ({time.monotonic() - began:.1f} s)", flush=True)
        except Skip as why:
            skipped += 1
            print(f"skip  {test.__name__}: {why}", flush=True)
        except Exception:
            failed += 1
            keep = True
            print(f"FAIL  {test.__name__} (its folder is kept: {context.dir})", flush=True)
            traceback.print_exc(file=sys.stdout)
        finally:
            context.close(keep)
    line = f"{passed} passed, {failed} failed"
    print(line + (f", {skipped} skipped" if skipped else ""), flush=True)
    return 1 if failed else 0
