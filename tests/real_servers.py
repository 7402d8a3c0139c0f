"""PostgreSQL and nats-server from the system's packages, run beside a test as an ordinary user: started, stopped, killed, and read."""
import base64
import glob
import json
import os
import pwd
import signal
import socket
import subprocess
import time

from daemon import free_port
from runner import Skip

# Nobody may run a server as root; nothing of the test's own is theirs.
ORDINARY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "--pdeathsig=KILL"] if os.geteuid() == 0 else []


def program(*patterns):
    found = [path for pattern in patterns for path in sorted(glob.glob(pattern))]
    if found:
        return found[-1]
    if os.environ.get("CI") == "true":
        raise AssertionError(f"none of {patterns} is installed")
    raise Skip(f"none of {patterns} is installed")


class Server:
    """One process with a folder of its own, on one port."""

    def __init__(self, context, name):
        self.dir = context.path(name)
        os.makedirs(self.dir)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self.dir, nobody.pw_uid, nobody.pw_gid)
        self.log = open(context.path(f"{name}.log"), "ab")
        self.port = free_port()
        self.process = None
        context.at_end(lambda: self.end(signal.SIGKILL))

    def spawn(self, command):
        self.process = subprocess.Popen([*ORDINARY, *command], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=self.dir)

    def end(self, number, seconds=20):
        if self.process and self.process.poll() is None:
            self.process.send_signal(number)
            self.process.wait(seconds)

    def wait(self, is_up, seconds=30):
        limit = time.monotonic() + seconds
        while not is_up():
            if self.process.poll() is not None or time.monotonic() > limit:
                with open(self.log.name, encoding="utf-8", errors="replace") as f:
                    raise AssertionError(f"{self.process.args} is not up: {f.read()[-2000:]}")
            time.sleep(0.02)


class Postgres(Server):
    def __init__(self, context, name="postgres"):
        self.bin = os.path.dirname(program("/usr/lib/postgresql/*/bin/initdb"))
        super().__init__(context, name)
        subprocess.run([*ORDINARY, f"{self.bin}/initdb", "-D", "data", "-U", "test", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"],
                       cwd=self.dir, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, check=True, timeout=60)
        self.user, self.url = "test", f"postgresql://127.0.0.1:{self.port}/postgres"

    def start(self):
        self.spawn([f"{self.bin}/postgres", "-D", "data", "-h", "127.0.0.1", "-p", str(self.port), "-k", self.dir, "-c", "shared_buffers=16MB"])
        self.wait(lambda: self.psql("SELECT 1").returncode == 0)

    def stop(self):
        """As an operator does it (fast): sessions are cut, what was committed stays."""
        self.end(signal.SIGINT)

    def psql(self, sql):
        return subprocess.run([f"{self.bin}/psql", "-XAtq", "-F", "\t", "-c", sql, "-U", self.user, self.url], stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=30, check=False)

    def rows(self, sql):
        done = self.psql(sql)
        assert done.returncode == 0, done.stderr
        return [tuple(line.split("\t")) for line in done.stdout.splitlines()]


class Nats(Server):
    def __init__(self, context, name="nats"):
        self.program = program("/usr/bin/nats-server", "/usr/sbin/nats-server")
        super().__init__(context, name)
        self.url = f"nats://127.0.0.1:{self.port}"
        self.conf = context.write(f"{name}.conf", f"listen: 127.0.0.1:{self.port}\njetstream {{ store_dir: \"{self.dir}/store\", max_mem: 16MB, max_file: 1GB }}\n")

    def start(self):
        self.spawn([self.program, "-c", self.conf])
        self.wait(self.listens)

    def listens(self):
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self):
        self.end(signal.SIGKILL)

    def count(self, stream="SIDETONE"):
        with NatsClient(self.port) as client:
            return client.ask(f"$JS.API.STREAM.INFO.{stream}")["state"]["messages"]

    def messages(self, stream="SIDETONE"):
        """Every message of the stream in its order: (id of the header, body)."""
        with NatsClient(self.port) as client:
            state = client.ask(f"$JS.API.STREAM.INFO.{stream}")["state"]
            out = []
            for number in range(state["first_seq"], state["last_seq"] + 1):
                message = client.ask(f"$JS.API.STREAM.MSG.GET.{stream}", {"seq": number})["message"]
                headers = base64.b64decode(message["hdrs"]).decode()
                ident = next(line.partition(": ")[2] for line in headers.split("\r\n") if line.lower().startswith("nats-msg-id:"))
                out.append((ident, json.loads(base64.b64decode(message["data"]))))
            return out


class NatsClient:
    """Asks, one question at a time, in the text protocol."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.file = self.socket.makefile("rb")
        self.file.readline()    # INFO
        self.socket.sendall(b'CONNECT {"verbose":false,"pedantic":false,"headers":false}\r\nSUB answer 1\r\n')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def ask(self, subject, question=None):
        body = json.dumps(question).encode() if question else b""
        self.socket.sendall(f"PUB {subject} answer {len(body)}\r\n".encode() + body + b"\r\n")
        while True:
            line = self.file.readline()
            if line.startswith(b"PING"):
                self.socket.sendall(b"PONG\r\n")
            elif line.startswith(b"MSG "):
                answer = json.loads(self.file.read(int(line.split()[-1]) + 2))
                assert "error" not in answer, (subject, answer)
                return answer
            elif not line or line.startswith(b"-ERR"):
                raise AssertionError(f"NATS: {subject}: {line!r}")
