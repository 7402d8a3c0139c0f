"""The daemon's ARI side against a scripted Asterisk that talks nonsense."""
import socket
import struct

from ari_peer import AriPeer, channel
from daemon import Daemon, free_port

NOBODY = {"GET applications": (200, '{"name":"sidetone","channel_ids":[],"bridge_ids":[],"endpoint_ids":[],"device_names":[]}'),
          "GET bridges": (200, "[]"), "GET channels": (200, "[]")}


def start(context, answers=None):
    peer = AriPeer({**NOBODY, **(answers or {})})
    context.at_end(peer.close)
    media = free_port()
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\nworkers = 1\n[audiosocket]\n"
                         f"listen = 127.0.0.1:{media}\n[node a]\nari = http://127.0.0.1:{peer.port}\nari_user = u\nari_secret = @env:X\n")
    daemon = Daemon(context, conf, env={"X": "s3cr3t"}, wait="event=ready")
    return daemon, peer, media


def test_nonsense_events_are_one_line_each_and_calls_go_on(context):
    daemon, peer, _ = start(context)
    junk = ["not json", "{}", '{"type":5}', '{"type":"StasisStart"}', '{"type":"StasisStart","channel":7}', "[" * 200, '{"type":"Unheard"}']
    for text in junk:
        peer.send(text)
    peer.send(b"\x00\x01binary", opcode=2)
    peer.event(type="StasisStart", args=["nobody-of-that-name"], channel=channel())
    peer.wait_request("POST", "channels/1700000000.7/continue")
    said = {r[1] + r[2] for r in peer.requests if "variable" in r[1]}
    assert any("SIDETONE_STATUS" in s and "ERROR" in s for s in said), peer.requests
    assert any("SIDETONE_REASON" in s and "no_agent" in s for s in said), peer.requests
    unreadable = [line for line in daemon.text().splitlines() if "event_unreadable" in line]
    assert len(unreadable) >= 5 and all("node=a" in line and "why=" in line for line in unreadable), daemon.text()
    assert "s3cr3t" not in daemon.text()
    assert daemon.stop() == 0


def test_a_lost_event_connection_comes_back(context):
    daemon, peer, _ = start(context)
    peer.events.shutdown(socket.SHUT_RDWR)
    daemon.wait_log("event=up", count=2)
    peer.event(type="StasisStart", args=["x"], channel=channel("1700000000.8"))
    peer.wait_request("POST", "channels/1700000000.8/continue")
    assert daemon.stop() == 0


def test_strangers_at_the_media_door_are_named_and_closed(context):
    daemon, _, media = start(context)
    uuid = bytes(range(16))
    for greeting in (b"\x01\x00\x10" + uuid, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x10\x01\x40" + bytes(320), struct.pack(">BH", 1, 0xffff) + uuid):
        with socket.create_connection(("127.0.0.1", media), timeout=10) as s:
            s.sendall(greeting)
            try:
                assert s.recv(100) == b"", greeting
            except ConnectionResetError:
                pass
    strangers = [line for line in daemon.text().splitlines() if "event=stranger" in line]
    assert len(strangers) == 4 and all("peer=127.0.0.1:" in line and "why=" in line for line in strangers), daemon.text()
    assert daemon.stop() == 0


def test_wrong_password_is_told(context):
    peer = AriPeer()
    context.at_end(peer.close)
    peer._open = lambda client, headers: client.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\n[audiosocket]\nlisten = 127.0.0.1:{free_port()}\n"
                         f"[node a]\nari = http://127.0.0.1:{peer.port}\nari_user = u\nari_secret = @env:X\n")
    daemon = Daemon(context, conf, env={"X": "s3cr3t"}, wait="event=unreachable")
    line = [t for t in daemon.text().splitlines() if "event=unreachable" in t][0]
    assert "401" in line and "s3cr3t" not in line, line
    assert daemon.stop() == 0
