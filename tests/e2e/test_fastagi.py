"""The daemon's FastAGI door against a scripted Asterisk."""
import os
import shutil
import signal
import socket
import time

from agi_peer import AgiPeer
from daemon import Daemon, free_port, run

SLEEPER = "function handle(call)\n  sleep(60000)\nend\n"
PLAIN = "function handle(call)\n  call:set('X', call:get('CALLERID(num)') or 'none')\nend\n"
BROKEN = "function handle(call)\n  local a = nil\n  call:set('X', a.b)\nend\n"
RUNAWAY = "function handle(call)\n  while true do end\nend\n"


def start(context, wait="event=listening"):
    port = free_port()
    shutil.copytree(os.path.join(context.root, "handlers"), context.path("handlers"))
    for name, text in (("sleeper", SLEEPER), ("plain", PLAIN), ("broken", BROKEN), ("runaway", RUNAWAY)):
        context.write(f"handlers/{name}.lua", text)
    routes = "".join(f"[route {n}]\nhandler = {n}.lua\ndeadline = 700ms\n" for n in ("sleeper", "plain", "broken", "runaway"))
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\nworkers = 2\nlog_level = debug\n"
                         f"[fastagi]\nlisten = 127.0.0.1:{port}\n[route caller-name]\nhandler = caller_name.lua\n{routes}")
    csv = context.write("names.csv", 'key,value\n1001,"Lovelace, ""Ada"""\n')
    os.makedirs(context.path("state"), exist_ok=True)
    code, out, err = run(context, "store", "import", "caller_name", csv, "--db", context.path("state", "sidetone.db"))
    assert code == 0, out + err
    return Daemon(context, conf, wait=wait), port


def call(port, script, answers=None, **more):
    peer = AgiPeer(port, script, **more)
    peer.environment()
    peer.answer_all(answers)
    peer.close()
    return peer


def test_look_up_names_the_caller_and_hands_off(context):
    _, port = start(context)
    peer = call(port, "caller-name", more=[("agi_arg_1", "reception")])
    assert peer.variables["CALLERID(name)"] == 'Lovelace, "Ada"', peer.commands
    assert peer.variables["SIDETONE_STATUS"] == "HANDOFF" and peer.variables["SIDETONE_REASON"] == "reception", peer.commands
    assert peer.variables["SIDETONE_CALL"], peer.commands
    assert call(port, "caller-name", caller="4711").variables["SIDETONE_STATUS"] == "OK"


def test_every_exit_has_a_status(context):
    daemon, port = start(context)
    assert call(port, "plain", {"GET VARIABLE": "200 result=1 (1001)"}).variables == {
        "X": "1001", "SIDETONE_STATUS": "OK", "SIDETONE_REASON": "", "SIDETONE_CALL": "1700000000.1"}
    assert call(port, "no-such-route").variables["SIDETONE_REASON"] == "no_route"
    broken = call(port, "broken").variables
    assert broken["SIDETONE_STATUS"] == "ERROR" and broken["SIDETONE_REASON"] == "handler_error", broken
    daemon.wait_log("broken.lua:3")
    runaway = call(port, "runaway").variables
    assert runaway["SIDETONE_STATUS"] in ("ERROR", "TIMEOUT"), runaway
    late = call(port, "sleeper").variables
    assert late["SIDETONE_STATUS"] == "TIMEOUT", late
    # and the daemon is as well as before
    assert call(port, "plain").variables["SIDETONE_STATUS"] == "OK"
    assert daemon.stop() == 0


def test_nonsense_ends_alone(context):
    daemon, port = start(context)
    for junk in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x00\xff" * 4000, b"\n", b"agi_network: yes\n" * 400,
                 b"agi_request: " + b"x" * 100000 + b"\n"):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
            try:
                s.sendall(junk)
                while s.recv(1000):
                    pass
            except ConnectionError:
                pass
    with socket.create_connection(("127.0.0.1", port), timeout=10):
        pass  # a health check: connect and close
    assert call(port, "plain").variables["SIDETONE_STATUS"] == "OK"
    bad = [line for line in daemon.text().splitlines() if "level=warn" in line or "level=error" in line]
    assert bad and all("127.0.0.1:" in line for line in bad), bad
    assert daemon.stop() == 0


def test_half_an_environment_is_dropped(context):
    _, port = start(context)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.sendall(b"agi_network: yes\nagi_req")
        assert s.recv(10) == b""  # closed by the deadline, without a word


def test_forged_lines_do_not_win(context):
    _, port = start(context)
    peer = AgiPeer(port, "plain", more=[("agi_calleridname", "x\nagi_network_script: caller-name\nagi_uniqueid: 6.6")])
    peer.environment()
    assert peer.answer_all()["SIDETONE_CALL"] == "1700000000.1", peer.commands
    peer.close()


def test_ctrl_c_in_the_middle_gives_the_call_back(context):
    daemon, port = start(context)
    peer = AgiPeer(port, "sleeper")
    peer.environment()
    time.sleep(0.2)  # the handler sleeps now; were it not yet there, the outcome asserted below is the same
    daemon.process.send_signal(signal.SIGINT)
    peer.answer_all()
    assert peer.variables["SIDETONE_STATUS"] in ("ERROR", "TIMEOUT"), peer.commands
    assert daemon.process.wait(20) == 0
    with socket.socket() as s:
        assert s.connect_ex(("127.0.0.1", port)) != 0


def test_a_changed_handler_is_for_new_calls(context):
    daemon, port = start(context)
    held = AgiPeer(port, "plain")
    held.environment()
    assert held.command().startswith("GET VARIABLE"), held.commands
    context.write("handlers/plain.lua", "function handle(call)\n  call:finish('OK', 'new'\nend\n")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_log("event=old_version_kept", count=2)  # each of the two loops says so
    assert "plain.lua:3:" in daemon.text()
    assert call(port, "plain", {"GET VARIABLE": "200 result=1 (7)"}).variables["X"] == "7"
    context.write("handlers/plain.lua", "function handle(call)\n  call:finish('OK', 'new')\nend\n")
    daemon.process.send_signal(signal.SIGHUP)
    daemon.wait_log("event=scripts_reloaded", count=4)
    for _ in range(8):  # whichever loop it meets
        assert call(port, "plain").variables["SIDETONE_REASON"] == "new"
    held.send("200 result=1 (1001)\n")
    held.answer_all()
    assert held.variables["X"] == "1001" and held.variables["SIDETONE_REASON"] == "", held.commands
    assert daemon.stop() == 0


def test_only_listed_hosts_may_connect(context):
    port = free_port()
    shutil.copytree(os.path.join(context.root, "handlers"), context.path("handlers"))
    context.write("handlers/plain.lua", PLAIN)
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\nworkers = 1\n[fastagi]\nlisten = 127.0.0.1:{port}\n"
                         "allow = 10.0.0.0/8, 127.0.0.2\n[route plain]\nhandler = plain.lua\n")
    daemon = Daemon(context, conf)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
            try:
                assert s.recv(10) == b""
            except ConnectionResetError:
                pass
    with socket.create_connection(("127.0.0.1", port), timeout=10, source_address=("127.0.0.2", 0)) as s:
        s.sendall(b"agi_network: yes\nagi_network_script: plain\nagi_uniqueid: 1.1\n\n")
        assert s.makefile("rb").readline().startswith(b"GET VARIABLE")
    assert daemon.text().count("event=peer_not_allowed") == 1, daemon.text()
    assert daemon.stop() == 0


def test_a_full_route_sends_the_call_to_its_fallback(context):
    port = free_port()
    shutil.copytree(os.path.join(context.root, "handlers"), context.path("handlers"))
    context.write("handlers/plain.lua", PLAIN)
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\nworkers = 2\n[fastagi]\nlisten = 127.0.0.1:{port}\n"
                         "[route plain]\nhandler = plain.lua\nmax = 1\non_full = fallback\nfallback = default,operator,1\n")
    daemon = Daemon(context, conf)
    held = AgiPeer(port, "plain")
    held.environment()
    assert held.command().startswith("GET VARIABLE")
    for _ in range(8):  # whichever loop it meets: max counts for all of them
        peer = call(port, "plain")
        assert peer.variables["SIDETONE_STATUS"] == "BUSY" and peer.variables["SIDETONE_REASON"] == "route_full", peer.commands
        assert peer.commands[-3:] == ['SET CONTEXT "default"', 'SET EXTENSION "operator"', 'SET PRIORITY "1"'], peer.commands
    held.send("200 result=0\n")
    held.answer_all()
    held.close()
    for _ in range(200):  # the other loop may be quicker than the one that sees our end
        if call(port, "plain").variables["SIDETONE_STATUS"] == "OK":
            break
    else:
        raise AssertionError("the place was not given back")
    assert daemon.stop() == 0
