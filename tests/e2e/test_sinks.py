"""The daemon and its sinks: a journal that waits is delivered to a file and to a webhook, once, and `sidetone sinks` tells how far they are."""
import fcntl
import http.server
import json
import os
import shutil
import ssl
import subprocess
import threading
import time

from ami_standin import authority
from daemon import Daemon, free_port, run
from runner import Skip


class Crm:
    """A webhook that keeps what it was sent."""

    def __init__(self, context, certificate=None):
        seen = self.seen = []
        self.paths = []
        crm = self
        self.refuses = lambda body: b'"refused"' in body
        self.goes_on = threading.Event()    # cleared: an answer has to wait for it
        self.goes_on.set()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                seen.append((self.headers["Idempotency-Key"], json.loads(body)))
                crm.paths.append(self.path)
                crm.goes_on.wait(60)
                self.send_response(422 if crm.refuses(body) else 204)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            tls.load_cert_chain(certificate + ".pem", certificate + ".key")
            # The handshake is the thread's, not the listener's: one that fails ends its own connection only.
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
            self.server.handle_error = lambda *_: None
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self.server.server_address[1]}/crm"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        context.at_end(self.close)

    def close(self):
        """Nobody listens any more."""
        self.goes_on.set()
        self.server.shutdown()
        self.server.server_close()


def sinks(context, config):
    code, out, err = run(context, "sinks", "--json", "--config", config)
    assert code == 0, out + err
    return {s["sink"]: s for s in map(json.loads, out.splitlines())}


def wait_for(what, seconds=30):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if what():
            return
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def test_a_waiting_journal_is_delivered_once(context):
    db = context.path("tap.db")
    stream = os.path.join(context.root, "tests", "ami", "queue-two-agents.txt")
    code, out, err = run(context, "tap", "replay", stream, "--db", db)
    assert code == 0, out + err
    crm = Crm(context)
    lines = context.path("out.jsonl")
    template = context.write("crm.json", '{"what": "{{kind}}", "caller": {{caller}}, "call": {{call}}}')
    config = context.write("sidetone.conf", f"""
[sidetone]
state_dir = {context.path("")}
workers = 1
[fastagi]
listen = 127.0.0.1:{free_port()}
[node replay]
ami = tcp://127.0.0.1:{free_port()}
ami_user = nobody
ami_secret = @env:SIDETONE_TEST_SECRET
[sink file]
driver = jsonl
carry = both
file = {lines}
[sink crm]
driver = webhook
url = {crm.url}
template = {template}
kinds = call.*
""")
    env = {"SIDETONE_TEST_SECRET": "s3cret"}
    before = sinks(context, config)
    assert before["file"]["depth"] > before["crm"]["depth"] > 0 and not before["file"]["began"], before
    daemon = Daemon(context, config, env=env, wait="event=sink name=crm")
    wait_for(lambda: all(s["depth"] == 0 for s in sinks(context, config).values()))
    assert daemon.stop() == 0, daemon.text()
    with open(lines, encoding="utf-8") as f:
        rows = [json.loads(line) for line in f]
    assert len(rows) >= before["file"]["depth"]
    assert len({r["key"] for r in rows}) == len(rows)
    facts = [r for r in rows if r["type"] == "fact" and r["kind"].startswith("call.")]
    assert [key for key, _ in crm.seen] == [r["key"] for r in facts], crm.seen
    assert {body["what"] for _, body in crm.seen} >= {"call.started", "call.ended"}, crm.seen
    code, out, err = run(context, "sinks", "--config", config)
    assert code == 0 and "webhook" in out and "dead letters" in out, out + err
    # Nothing comes twice after a restart.
    count = len(crm.seen)
    daemon = Daemon(context, config, env=env, wait="event=sink name=crm")
    assert daemon.stop() == 0, daemon.text()
    with open(lines, encoding="utf-8") as f:
        again = [json.loads(line)["key"] for line in f]
    assert len(set(again)) == len(again) and again[:len(rows)] == [r["key"] for r in rows]
    assert len({key for key, _ in crm.seen}) == len(crm.seen) and len(crm.seen) >= count
    assert "s3cret" not in daemon.text()


def test_sinks_without_a_journal(context):
    config = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('')}\n")
    code, out, err = run(context, "sinks", "--config", config)
    assert code == 1 and out == "" and "there is none yet" in err, out + err
    code, out, _ = run(context, "sinks", "--help")
    assert code == 0 and "dead letters" in out, out


def retry(context, config, name="crm"):
    code, out, err = run(context, "sinks", "retry", name, "--json", "--config", config, env={"SIDETONE_TEST_SECRET": "s3cret"})
    return code, json.loads(out) if out else None, err


def letters(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


def dead_house(context, crm):
    """A daemon whose receiver refused all that a stream made: (configuration, dead-letter file)."""
    stream = os.path.join(context.root, "tests", "ami", "queue-two-agents.txt")
    code, out, err = run(context, "tap", "replay", stream, "--db", context.path("tap.db"))
    assert code == 0, out + err
    config = context.write("sidetone.conf", f"""
[sidetone]
state_dir = {context.path("")}
workers = 1
[fastagi]
listen = 127.0.0.1:{free_port()}
[node replay]
ami = tcp://127.0.0.1:{free_port()}
ami_user = nobody
ami_secret = @env:SIDETONE_TEST_SECRET
[sink crm]
driver = webhook
url = {crm.url}
deadline = 20s
[sink log]
driver = jsonl
file = {context.path("out.jsonl")}
""")
    crm.refuses = lambda body: True
    daemon = Daemon(context, config, env={"SIDETONE_TEST_SECRET": "s3cret"}, wait="event=sink name=crm")
    wait_for(lambda: all(s["depth"] == 0 for s in sinks(context, config).values()))
    path = sinks(context, config)["crm"]["dead_letter_file"]
    assert [r["key"] for r in letters(path)] == [key for key, _ in crm.seen] and len(crm.seen) > 10
    crm.seen.clear()
    return config, path, daemon


def test_dead_letters_are_delivered_once_more(context):
    crm = Crm(context)
    config, path, daemon = dead_house(context, crm)
    dead = letters(path)
    owner, mode = os.stat(path).st_uid, os.stat(path).st_mode
    crm.refuses = lambda body: b'"call.ended"' in body
    ended = [r for r in dead if r["kind"] == "call.ended"]
    code, told, err = retry(context, config)
    assert code == 1 and (told["read"], told["delivered"], told["refused"], told["left"]) == (len(dead), len(dead) - len(ended), len(ended), 0), (told, err)
    assert "422" in told["why"], told
    # The receiver got what the list had, in its order; what stayed is the same row with a new reason.
    assert [key for key, _ in crm.seen] == [r["key"] for r in dead]
    own = ("sink", "dead_at", "why")
    assert [body for _, body in crm.seen] == [{k: v for k, v in r.items() if k not in own} for r in dead]
    left = letters(path)
    assert [{**r, "dead_at": ""} for r in left] == [{**r, "dead_at": ""} for r in ended] and ended
    assert all(a["dead_at"] >= b["dead_at"] for a, b in zip(left, ended))
    assert (os.stat(path).st_uid, os.stat(path).st_mode) == (owner, mode) and not os.path.exists(path + ".new")
    assert sinks(context, config)["crm"]["dead_letters"] == len(ended)
    # A line that is none of ours stays, and does not stop the rest.
    with open(path, "a", encoding="utf-8") as f:
        f.write('{"type":"fact","id":-1}\n')
    crm.refuses = lambda body: False
    code, told, _ = retry(context, config)
    assert code == 1 and (told["delivered"], told["refused"]) == (len(ended), 1) and letters(path) == [{"type": "fact", "id": -1}], told
    os.truncate(path, 0)
    assert retry(context, config)[:2] == (0, {"sink": "crm", "read": 0, "delivered": 0, "refused": 0, "left": 0, "why": ""})
    os.unlink(path)
    assert retry(context, config)[0] == 0
    assert daemon.stop() == 0, daemon.text()
    for name, what in (("log", "no dead letters"), ("nowhere", "no such")):
        code, told, err = retry(context, config, name)
        assert code == 1 and told is None and what in err, err
    code, out, _ = run(context, "sinks", "retry", "--help")
    assert code == 0 and "once more" in out, out
    assert run(context, "sinks", "retry")[0] == 2


def test_dead_letters_stay_when_the_receiver_is_down(context):
    crm = Crm(context)
    config, path, daemon = dead_house(context, crm)
    dead = letters(path)
    assert daemon.stop() == 0, daemon.text()
    crm.close()
    code, told, err = retry(context, config)
    assert code == 1 and (told["delivered"], told["refused"], told["left"]) == (0, 0, len(dead)) and told["why"], (told, err)
    assert [r["key"] for r in letters(path)] == [r["key"] for r in dead]
    assert {r["why"] for r in letters(path)} == {told["why"]}


def test_a_retry_and_what_is_added_meanwhile(context):
    crm = Crm(context)
    config, path, daemon = dead_house(context, crm)
    with open(path, "rb") as f:
        before = f.read()
    crm.refuses = lambda body: False
    command = [context.program, "sinks", "retry", "crm", "--json", "--config", config]
    env = {**os.environ, "SIDETONE_TEST_SECRET": "s3cret"}
    # Killed while it delivers: the list is as it was.
    crm.goes_on.clear()
    first = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=env)
    context.at_end(first.kill)
    wait_for(lambda: crm.seen)
    first.kill()
    first.communicate(timeout=10)
    with open(path, "rb") as f:
        assert f.read() == before
    # A second one is told to wait; one who adds, as the daemon does, is not kept out, and its line stays.
    crm.seen.clear()
    second = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=env)
    context.at_end(second.kill)
    wait_for(lambda: crm.seen)
    code, told, err = retry(context, config)
    assert code == 1 and told is None and "another retry" in err, err
    late = json.dumps({**json.loads(before.splitlines()[0]), "id": 999}).encode() + b"\n"
    with open(path, "ab") as f:
        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        f.write(late)
    crm.goes_on.set()
    out, _ = second.communicate(timeout=60)
    assert second.returncode == 0 and json.loads(out)["delivered"] == before.count(b"\n"), out
    with open(path, "rb") as f:
        assert f.read() == late
    assert daemon.stop() == 0, daemon.text()


def test_a_webhook_over_tls_goes_to_no_receiver_that_is_not_proved(context):
    if not shutil.which("openssl"):
        raise Skip("openssl is not installed")
    ca, certificate = authority(context, "ca")
    other, _ = authority(context, "other")
    named, elsewhere = authority(context, "named", "DNS:crm.example.org")
    crm, stranger = Crm(context, certificate), Crm(context, elsewhere)
    stream = os.path.join(context.root, "tests", "ami", "queue-two-agents.txt")
    code, out, err = run(context, "tap", "replay", stream, "--db", context.path("tap.db"))
    assert code == 0, out + err
    # All but the first two are to fail: an authority of somebody else, the system's alone, and a certificate of another name.
    receivers = {"own": (crm, f"ca = {ca}"), "open": (crm, "insecure = yes"), "wrong": (crm, f"ca = {other}"), "system": (crm, ""),
                 "name": (stranger, f"ca = {named}")}
    sections = "".join(f"[sink {name}]\ndriver = webhook\nkinds = call.ended\nurl = {to.url}/{name}\nsecret = @env:SIDETONE_TEST_SECRET\n{line}\n"
                       for name, (to, line) in receivers.items())
    config = context.write("sidetone.conf", f"""
[sidetone]
state_dir = {context.path("")}
workers = 1
[fastagi]
listen = 127.0.0.1:{free_port()}
[node replay]
ami = tcp://127.0.0.1:{free_port()}
ami_user = nobody
ami_secret = @env:SIDETONE_TEST_SECRET
{sections}""")
    daemon = Daemon(context, config, env={"SIDETONE_TEST_SECRET": "s3cret"}, wait="event=sink name=name")
    for name in ("wrong", "system", "name"):
        daemon.wait_log(f"event=sink_failing sink={name}")
    wait_for(lambda: all(sinks(context, config)[name]["depth"] == 0 for name in ("own", "open")))
    standing = sinks(context, config)
    for name in ("wrong", "system", "name"):
        assert standing[name]["depth"] > 0 and standing[name]["dead_letters"] == 0, standing
    assert daemon.stop() == 0, daemon.text()
    text = daemon.text()
    assert set(crm.paths) == {"/crm/own", "/crm/open"} and not stranger.seen, (crm.paths, stranger.seen)
    assert "event=tls_not_verified sink=open" in text and "tls_not_verified sink=own" not in text, text
    assert "s3cret" not in text
