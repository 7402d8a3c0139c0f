"""The test caller (`sidetone sim caller`) for a test: its script, its moments, its recording."""
import array
import json
import subprocess
import threading
import time
import uuid
import wave


class Caller:
    def __init__(self, context, script, name="caller", voice="rms", arguments=()):
        self.context = context
        self.record = context.path(f"{name}.wav")
        self.uuid = str(uuid.uuid4())
        self.moments = []
        self.changed = threading.Condition()
        self.ended = False
        command = [context.program, "sim", "caller", "--listen", "127.0.0.1:0", "--script", context.write(f"{name}.script", script),
                   "--record", self.record, "--voice", voice, "--json", *arguments]
        self.errors = open(context.path(f"{name}.err"), "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.errors)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        context.at_end(self.kill)
        self.address = self.wait("listening", 20)["detail"]
        self.channel = f"AudioSocket/{self.address}/{self.uuid}"  # what Originate dials

    def _read(self):
        for line in self.process.stdout:
            with self.changed:
                self.moments.append(json.loads(line))
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def all(self, what):
        with self.changed:
            return [m for m in self.moments if m["what"] == what]

    def wait(self, what, seconds=20, nth=0):
        """The nth moment of a kind (from 0)."""
        limit = time.monotonic() + seconds
        with self.changed:
            while True:
                found = [m for m in self.moments if m["what"] == what]
                if len(found) > nth:
                    return found[nth]
                left = limit - time.monotonic()
                if left <= 0 or self.ended:
                    raise AssertionError(f"no \"{what}\" ({nth}) from the caller: {self.story()}\n{self.complaints()}")
                self.changed.wait(left)

    def finish(self, seconds=60):
        """Waits for the end of the call; exit status 0 means that the script was followed."""
        status = self.process.wait(seconds)
        self.reader.join(10)
        return status

    def story(self):
        return "\n".join(f"{m['at_us']} {m['what']} {m['detail']}" for m in self.moments)

    def complaints(self):
        with open(self.errors.name, encoding="utf-8", errors="replace") as f:
            return f.read()

    def recording(self):
        """(said, heard) as arrays of 8 kHz samples; position 0 is the moment "connected"."""
        with wave.open(self.record) as f:
            assert (f.getnchannels(), f.getsampwidth(), f.getframerate()) == (2, 2, 8000)
            both = array.array("h", f.readframes(f.getnframes()))
        return both[0::2], both[1::2]

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self.reader.join(10)
        self.process.stdout.close()
        self.errors.close()


def rms(samples):
    return (sum(s * s for s in samples) / len(samples)) ** 0.5 if len(samples) else 0.0
