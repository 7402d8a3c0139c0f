"""A caller on an AudioSocket: speaks and hears in real time, without an Asterisk. And what the daemon wrote down of the call."""
import array
import json
import socket
import sqlite3
import struct
import threading
import time
import uuid
import wave

from daemon import run

FRAME = 320
SILENCE = bytes(FRAME)


class Phone:
    def __init__(self, context, port):
        self.context = context
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.socket.sendall(b"\x01\x00\x10" + uuid.uuid4().bytes)
        self.said = []             # frames that wait
        self.heard = 0             # frames that were loud
        self.ended = threading.Event()
        self.lock = threading.Lock()
        context.at_end(self.hang_up)
        for work in (self._speak, self._listen):
            threading.Thread(target=work, daemon=True).start()

    def _speak(self):
        at = time.monotonic()
        try:
            while not self.ended.is_set():
                with self.lock:
                    frame = self.said.pop(0) if self.said else SILENCE
                self.socket.sendall(b"\x10\x01\x40" + frame)
                at += 0.02
                time.sleep(max(0.0, at - time.monotonic()))
        except OSError:
            self.ended.set()

    def _listen(self):
        stream = self.socket.makefile("rb")
        try:
            while len(head := stream.read(3)) == 3:
                kind, n = struct.unpack(">BH", head)
                samples = array.array("h", stream.read(n)) if kind == 0x10 else ()
                self.heard += any(abs(s) > 500 for s in samples)
                if kind == 0:
                    break
        except OSError:
            pass
        self.ended.set()

    def make(self, words):
        """Words as sound."""
        made = self.context.path("caller.wav")
        code, _, err = run(self.context, "sim", "say", words, "--output", made)
        assert code == 0, err
        with wave.open(made) as f:
            return f.readframes(f.getnframes())

    def say(self, words):
        self.sound(self.make(words))

    def sound(self, pcm):
        frames = [pcm[i:i + FRAME].ljust(FRAME, b"\0") for i in range(0, len(pcm), FRAME)]
        with self.lock:
            self.said += frames

    def press(self, digit):
        self.socket.sendall(b"\x03\x00\x01" + digit.encode())

    def hang_up(self):
        self.ended.set()
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()


class Facts:
    def __init__(self, path):
        self.path = path

    def all(self, kind=None):
        try:
            db = sqlite3.connect(f"file:{self.path}?mode=ro", uri=True, timeout=10)
        except sqlite3.OperationalError:
            return []              # not there yet
        try:
            rows = db.execute("SELECT kind, detail FROM fact ORDER BY id").fetchall()
        except sqlite3.OperationalError:
            return []
        finally:
            db.close()
        return [{"kind": k, **json.loads(d)} for k, d in rows if kind is None or k == kind]

    def wait(self, kind, seconds=30, **match):
        limit = time.monotonic() + seconds
        while time.monotonic() < limit:
            for fact in self.all(kind):
                if all(fact.get(k) == v for k, v in match.items()):
                    return fact
            time.sleep(0.05)
        raise AssertionError(f"no fact {kind} {match}: {self.all()}")
