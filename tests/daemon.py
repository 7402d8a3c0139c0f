"""Starts `sidetone serve` for a test and reads its log."""
import os
import signal
import subprocess
import time

from ports import free_port  # noqa: F401  (handed on)


def run(context, *args, timeout=30, env=None):
    """A verb to its end: (exit code, stdout, stderr)."""
    done = subprocess.run([context.program, *args], stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout,
                          env={**os.environ, **(env or {})}, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


class Daemon:
    """A running daemon; `wait_log` is how a test waits for what it does."""

    def __init__(self, context, config, env=None, wait="event=listening"):
        self.context = context
        self.log_path = context.path("daemon.log")
        self.log = open(self.log_path, "ab")
        self.began = self.log.tell()
        self.process = subprocess.Popen([context.program, "serve", "--config", config], stdin=subprocess.DEVNULL,
                                        stdout=self.log, stderr=self.log, env={**os.environ, **(env or {})})
        context.at_end(self.kill)
        if wait:
            self.wait_log(wait)

    def text(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            f.seek(self.began)
            return f.read()

    def wait_log(self, what, seconds=20, count=1):
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            if self.text().count(what) >= count:
                return
            if self.process.poll() is not None and self.text().count(what) < count:
                raise AssertionError(f"the daemon ended ({self.process.returncode}) before \"{what}\":\n{self.text()}")
            time.sleep(0.02)
        raise AssertionError(f"no \"{what}\" in the daemon's log after {seconds} s:\n{self.text()}")

    def stop(self, number=signal.SIGTERM, seconds=20):
        """Asks it to end and returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(seconds)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self.log.close()
