"""`sidetone doctor` before peers that are no Asterisk, or a bad one: each costs a few seconds and one clear line, and the rest is looked at."""
import concurrent.futures
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time

from ami_standin import AmiStandin, authority
from daemon import run
from ports import stop_accepting
from runner import Skip


class Peer:
    """A port that takes each connection and does one thing to it, until the other side or the test ends it."""

    def __init__(self, context, act):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.act = act
        self.connections = []
        self.is_over = threading.Event()
        self.accepting = threading.Thread(target=self.accept, daemon=True)
        self.accepting.start()
        context.at_end(self.close)

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        try:
            self.act(self, connection)
        except OSError:
            pass

    def close(self):
        self.is_over.set()
        stop_accepting(self.listener, self.accepting)
        for connection in self.connections:
            connection.close()


def say_nothing(peer, _connection):
    peer.is_over.wait(60)


def close_at_once(_peer, connection):
    connection.close()


def say_garbage(peer, connection):
    connection.sendall(bytes(range(256)) * 4 + b"\r\n\r\n")
    peer.is_over.wait(60)


def never_end_a_line(peer, connection):
    while not peer.is_over.is_set():
        connection.sendall(b"x" * 65536)


def never_end_a_head(peer, connection):
    while not peer.is_over.is_set():
        connection.sendall(b"X-Filler: yes\r\n" * 1000)


def greet_and_say_nothing(peer, connection):
    connection.sendall(b"Asterisk Call Manager/11.0.0\r\n")
    peer.is_over.wait(60)


def http(status, kind, body):
    def act(_peer, connection):
        connection.recv(65536)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}".encode())
        connection.close()
    return act


def http_without_end(peer, connection):
    connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n[")
    while not peer.is_over.is_set():
        connection.sendall(b"1," * 30000)


def configure(context, name, ami, ari, more=""):
    return context.write(f"{name}.conf", f"""[sidetone]
state_dir = {context.path("state")}
[node pbx1]
ami = {ami}
ami_user = tap
ami_secret = @env:S
control_user = control
control_secret = @env:S
ari = {ari}
ari_user = sidetone
ari_secret = @env:S
{more}""")


def ask(context, conf):
    """What failed, by check. Valid JSON in a bounded time, whatever the peer does, and this machine is looked at."""
    began = time.monotonic()
    code, out, err = run(context, "doctor", "--config", conf, "--asterisk-etc", context.path("etc"), "--json", env={"S": "s3"}, timeout=60)
    took = time.monotonic() - began
    told = json.loads(out)
    checks = told["checks"]
    assert code == 1 and not err and not told["ok"], (code, err, told)
    assert took < 30, (took, conf)  # it is 4 s; the machine may be busy
    assert {"state folder", "files"} <= {c["check"] for c in checks if c["verdict"] == "OK"}, checks
    failed = {}
    for c in checks:
        if c["verdict"] == "FAIL":
            assert c["check"] == "certificate" or c["check"] not in failed, checks
            assert "\n" not in c["said"] and c["fix"], c
            failed[c["check"]] = c
    return failed


def expect(failed, words):
    assert set(failed) == set(words), failed
    for check, word in words.items():
        assert word in failed[check]["said"], (word, failed)


TIMED_OUT, NO_MANAGER, NO_HTTP, NO_ARI = "(Connection timed out)", "is no manager port", "is no HTTP server of Asterisk", "is no ARI (status "
HOSTILE = {
    "silent": (say_nothing, {"ami": TIMED_OUT, "http": TIMED_OUT}),
    "closing": (close_at_once, {"ami": NO_MANAGER, "http": NO_HTTP}),
    "garbage": (say_garbage, {"ami": NO_MANAGER, "http": NO_HTTP}),
    "line": (never_end_a_line, {"ami": NO_MANAGER, "http": NO_HTTP}),
    "head": (never_end_a_head, {"ami": NO_MANAGER, "http": NO_HTTP}),
    "greeting": (greet_and_say_nothing, {"ami": TIMED_OUT, "http": NO_HTTP}),
    "500": (http("500 Oops", "text/plain", "no"), {"ami": TIMED_OUT, "ari login": NO_ARI + "500"}),
    "html": (http("200 OK", "text/html", "<html>hello</html>"), {"ami": TIMED_OUT, "ari login": NO_ARI + "200, but not ARI's words"}),
    "302": (http("302 Found\r\nLocation: http://192.0.2.1/", "text/html", ""), {"ami": TIMED_OUT, "ari login": NO_ARI + "302"}),
    "body": (http_without_end, {"ami": TIMED_OUT, "http": "the answer is longer"}),
}


def test_doctor_hostile_peers(context):
    """All at once, since each waits."""
    def one(name):
        peer = Peer(context, HOSTILE[name][0])
        failed = ask(context, configure(context, name, f"tcp://127.0.0.1:{peer.port}", f"http://127.0.0.1:{peer.port}"))
        peer.close()
        return failed

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for name, failed in zip(HOSTILE, pool.map(one, HOSTILE)):
            expect(failed, HOSTILE[name][1])


def test_doctor_hostile_name(context):
    """Too long for a name: the resolver says so itself, and asks no server, which might be silent."""
    host = "x" * 70 + ".invalid"
    failed = ask(context, configure(context, "name", f"tcp://{host}:5038", f"http://{host}:8088"))
    expect(failed, {"ami": "name that is not known here", "http": "name that is not known here"})


def test_doctor_hostile_tls(context):
    """A certificate that has run out is named as such, not as one of an unknown authority; TLS where none is spoken."""
    if not shutil.which("openssl"):
        raise Skip("openssl is not installed")
    plain = AmiStandin(context)
    failed = ask(context, configure(context, "plain", f"tls://127.0.0.1:{plain.port}", f"https://127.0.0.1:{plain.port}"))
    expect(failed, {"ami": NO_MANAGER, "http": NO_HTTP})
    ca, name = authority(context, "gone", days=0)
    late = AmiStandin(context, certificate=name)
    failed = ask(context, configure(context, "gone", f"tls://127.0.0.1:{late.port}", f"https://127.0.0.1:{late.port}", f"ca = {ca}\n"))
    expect(failed, {"certificate": "has run out"})
    ca, name = authority(context, "elsewhere", names="DNS:pbx.example")
    other = AmiStandin(context, certificate=name)
    failed = ask(context, configure(context, "elsewhere", f"tls://127.0.0.1:{other.port}", f"https://127.0.0.1:{other.port}", f"ca = {ca}\n"))
    expect(failed, {"ami": "not believed", "http": "not believed"})
    assert "stands in the certificate" in failed["ami"]["fix"] and "stands in the certificate" in failed["http"]["fix"], failed


def test_doctor_hostile_is_interrupted(context):
    """Control-C while a peer says nothing: at once, long before the time is up."""
    peer = Peer(context, say_nothing)
    conf = configure(context, "quiet", f"tcp://127.0.0.1:{peer.port}", f"http://127.0.0.1:{peer.port}")
    doctor = subprocess.Popen([context.program, "doctor", "--config", conf, "--json"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, "S": "s3"})
    limit = time.monotonic() + 20
    while not peer.connections:
        assert time.monotonic() < limit
        time.sleep(0.01)
    began = time.monotonic()
    doctor.send_signal(signal.SIGINT)
    out, _ = doctor.communicate(timeout=20)
    assert doctor.returncode != 0 and time.monotonic() - began < 3 and out == b"", (doctor.returncode, out)
