"""The stand-ins for services (`sidetone sim openai`, `sim deepgram`) for a test: their script, what they saw."""
import json
import os
import subprocess
import threading
import time

KEY = "sk-test-0123456789-secret"


class OpenAi:
    verb = "openai"

    def __init__(self, context, script=None, fault="none", fault_count=0, speed=4, name="service", key=KEY, options=()):
        self.moments = []
        self.changed = threading.Condition()
        command = [context.program, "sim", self.verb, "--fault", fault, "--fault-count", str(fault_count), "--speed", str(speed), *options]
        if script:
            command += ["--script", context.write(f"{name}.script", script)]
        self.errors = open(context.path(f"{name}.err"), "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors,
                                        env={**os.environ, "SIDETONE_SIM_KEY": key})
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        context.at_end(self.kill)
        self.url = self.wait("listening")["url"]
        self.http = self.wait("listening").get("http")

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                moment = json.loads(line)
                self.moments.append((moment["what"], moment["detail"]))
                self.changed.notify_all()

    def all(self, what):
        with self.changed:
            return [d for w, d in self.moments if w == what]

    def wait(self, what, seconds=20, nth=0):
        limit = time.monotonic() + seconds
        with self.changed:
            while True:
                found = [d for w, d in self.moments if w == what]
                if len(found) > nth:
                    return found[nth]
                left = limit - time.monotonic()
                assert left > 0 and self.process.poll() is None, f"no \"{what}\" ({nth}) from the stand-in: {self.moments[-20:]}"
                self.changed.wait(left)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self.reader.join(10)
        self.process.stdout.close()
        self.errors.close()


class Deepgram(OpenAi):
    verb = "deepgram"
