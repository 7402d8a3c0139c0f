"""The daemon's monitoring port: /metrics, /live, /ready, and clients that misuse it."""
import http.client
import os
import shutil
import socket
import time

from agi_peer import AgiPeer
from daemon import Daemon, free_port, run

SLOW = "function handle(call)\n  sleep(60000)\nend\n"


def start(context, more=""):
    agi, console = free_port(), free_port()
    shutil.copytree(os.path.join(context.root, "handlers"), context.path("handlers"))
    context.write("handlers/slow.lua", SLOW)
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\nworkers = 2\n"
                         f"[fastagi]\nlisten = 127.0.0.1:{agi}\n[console]\nlisten = 127.0.0.1:{console}\n"
                         f"[route slow]\nhandler = slow.lua\ndeadline = 300ms\n[route opening]\nhandler = opening_hours.lua\n{more}")
    return Daemon(context, conf, wait="what=console"), agi, console


def get(port, path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, answer.getheader("Content-Type")


def figures(port):
    """{'name{labels}': value} of a /metrics that keeps the text format's rules."""
    status, text, kind = get(port, "/metrics")
    assert status == 200 and kind.startswith("text/plain; version=0.0.4"), (status, kind)
    found, typed = {}, set()
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            assert line.split()[2] not in typed, line
            typed.add(line.split()[2])
        elif not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name not in found, f"twice: {name}"
            bare = name.split("{")[0]
            assert any(bare == t or bare in (t + "_bucket", t + "_sum", t + "_count") for t in typed), name
            found[name] = float(value)
    return found


def call(port, script):
    peer = AgiPeer(port, script)
    peer.environment()
    peer.answer_all()
    peer.close()
    return peer


def test_metrics_tell_what_happened(context):
    _, agi, console = start(context)
    before = figures(console)
    assert before['sidetone_agi_sessions_total{route="slow"}'] == 0, before
    assert call(agi, "slow").variables["SIDETONE_STATUS"] == "TIMEOUT"
    call(agi, "opening")
    call(agi, "no-such-route")
    limit = time.monotonic() + 10
    while figures(console)['sidetone_agi_sessions_total{route="(none)"}'] < 1 and time.monotonic() < limit:
        time.sleep(0.02)
    after = figures(console)
    assert after['sidetone_agi_sessions_total{route="slow"}'] == 1, after
    assert after['sidetone_agi_timeouts_total{route="slow"}'] == 1, after
    assert after['sidetone_agi_sessions_total{route="(none)"}'] == 1, after
    assert after['sidetone_agi_session_seconds_count{route="slow"}'] == 1, after
    assert after['sidetone_agi_session_seconds_bucket{route="slow",le="0.25"}'] == 0, after
    assert after['sidetone_agi_session_seconds_bucket{route="slow",le="+Inf"}'] == 1, after
    assert after['sidetone_agi_command_seconds_count{route="opening"}'] > 0, after
    assert after["process_resident_memory_bytes"] > 1e6 and after["sidetone_call_loops_late"] == 0, after


def test_live_and_ready(context):
    _, _, console = start(context)
    assert get(console, "/live")[:2] == (200, "live\n")
    assert get(console, "/ready")[:2] == (200, "ready\n")
    assert get(console, "/nothing")[0] == 404
    assert get(console, "/metrics", "POST")[0] == 405
    assert get(console, "/metrics", "HEAD")[:2] == (200, "")


def test_not_ready_while_a_node_is_away(context):
    _, _, console = start(context, f"[node pbx1]\nari = http://127.0.0.1:{free_port()}\nari_user = u\nari_secret = @env:HOME\n"
                          f"[audiosocket]\nlisten = 127.0.0.1:{free_port()}\n")
    assert get(console, "/ready")[:2] == (503, "waiting node pbx1: ari\n")
    assert get(console, "/live")[0] == 200
    assert figures(console)['sidetone_ari_connected{node="pbx1"}'] == 0


def test_bad_clients_cost_nothing(context):
    daemon, _, console = start(context)
    idle = [socket.create_connection(("127.0.0.1", console), timeout=10) for _ in range(40)]
    for i, s in enumerate(idle):
        s.sendall([b"GET /metr", b"\x16\x03\x01", b"GET /metrics HTTP/1.1\r\nHost: x\r\n", b""][i % 4])
    assert get(console, "/live")[0] == 200
    for s in idle:
        s.close()
    assert get(console, "/metrics")[0] == 200
    assert daemon.stop() == 0


def test_port_in_use_is_told(context):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()
        conf = context.write("taken.conf", f"[sidetone]\nstate_dir = {context.path('state')}\n"
                             f"[console]\nlisten = 127.0.0.1:{s.getsockname()[1]}\n")
        code, out, err = run(context, "serve", "--config", conf)
    assert code == 1 and "console/listen: cannot listen on 127.0.0.1:" in err and "address" in err.lower(), out + err
