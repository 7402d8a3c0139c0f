"""The daemon and its sinks: a journal that waits is delivered to a file and to a webhook, once, and `sidetone sinks` tells how far they are."""
import http.server
import json
import os
import threading
import time

from daemon import Daemon, free_port, run


class Crm:
    """A webhook that keeps what it was sent."""

    def __init__(self, context):
        seen = self.seen = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                seen.append((self.headers["Idempotency-Key"], json.loads(body)))
                refused = b'"refused"' in body
                self.send_response(422 if refused else 204)
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/crm"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        context.at_end(self.server.shutdown)


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
