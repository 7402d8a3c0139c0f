"""ARI on connections that Asterisk opens: a scripted Asterisk dials the daemon, rightly and wrongly."""
import base64
import json
import os
import socket
import struct

from ari_peer import AriPeer, channel
from daemon import Daemon, free_port


class Dialer:
    """Plays Asterisk's outbound_websocket: masks what it sends, answers requests."""

    def __init__(self, context, port, user="u", password="s3cr3t", app="sidetone"):
        self.s = socket.create_connection(("127.0.0.1", port), timeout=10)
        context.at_end(self.s.close)
        proof = base64.b64encode(f"{user}:{password}".encode()).decode()
        self.s.sendall(f"GET /ari HTTP/1.1\r\nSec-WebSocket-Version: 13\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nHost: x\r\n"
                       f"Authorization: Basic {proof}\r\nSec-WebSocket-Protocol: ari\r\n"
                       f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}\r\n\r\n".encode())
        self.rest = b""
        while b"\r\n\r\n" not in self.rest:
            piece = self.s.recv(4096)
            if not piece:
                break
            self.rest += piece
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        self.status = int(head.split(b" ")[1])
        self.requests = []
        if self.status == 101 and app:
            self.event(type="ApplicationRegistered", application=app)

    def frame(self, data, opcode=1):
        key = os.urandom(4)
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        self.s.sendall(bytes([0x80 | opcode]) + size + key + bytes(c ^ key[i % 4] for i, c in enumerate(data)))

    def event(self, **fields):
        self.frame(json.dumps({"timestamp": "2026-11-22T19:08:18.401+0000", "asterisk_id": "x", "application": "sidetone", **fields}).encode())

    def _need(self, n):
        while len(self.rest) < n:
            piece = self.s.recv(65536)
            if not piece:
                raise EOFError
            self.rest += piece
        out, self.rest = self.rest[:n], self.rest[n:]
        return out

    def read(self):
        """The next frame: (opcode, bytes). Frames of a server are not masked."""
        first, n = self._need(2)
        assert not n & 0x80, "the server masks"
        if n == 126:
            n = struct.unpack(">H", self._need(2))[0]
        return first & 0x0f, self._need(n)

    def serve_until(self, method, path):
        """Answers requests until this one has come."""
        while True:
            opcode, data = self.read()
            if opcode == 9:
                self.frame(data, 10)
            if opcode != 1:
                assert opcode != 8, data
                continue
            asked = json.loads(data)
            self.requests.append((asked["method"], asked["uri"], asked.get("message_body", "")))
            body = "[]" if asked["method"] == "GET" else ""
            answer = {"type": "RESTResponse", "request_id": asked["request_id"], "status_code": 200 if body else 204, "reason_phrase": "OK"}
            if body:
                answer.update(content_type="application/json", message_body=body)
            self.event(**answer)
            if asked["method"] == method and asked["uri"].startswith(path):
                return


def start(context, more="", wait="mod=serve event=listening"):
    port = free_port()
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\nworkers = 1\n[audiosocket]\n"
                         f"listen = 127.0.0.1:{free_port()}\n[node a]\nari_listen = 127.0.0.1:{port}\nari_user = u\nari_secret = @env:X\n{more}")
    return Daemon(context, conf, env={"X": "s3cr3t"}, wait=wait), port


def give_back(peer, ident, app="sidetone"):
    """A call without an agent is given back over the same connection, and its end is awaited."""
    peer.event(type="StasisStart", application=app, args=["nobody-of-that-name"], channel=channel(ident))
    peer.serve_until("POST", f"channels/{ident}/continue")
    peer.event(type="StasisEnd", application=app, channel=channel(ident))
    said = [body for method, uri, body in peer.requests if "variable" in uri]
    assert any("no_agent" in s for s in said), peer.requests


def test_asterisk_opens_the_connection(context):
    daemon, port = start(context)
    assert "event=ready" not in daemon.text()
    for user, password in (("u", "wrong"), ("", ""), ("other", "s3cr3t")):
        assert Dialer(context, port, user, password).status == 401
    daemon.wait_log("event=stranger", count=2)
    peer = Dialer(context, port)
    assert peer.status == 101
    peer.serve_until("GET", "asterisk/ping")
    daemon.wait_log("event=ready")
    assert "opened_by=asterisk" in daemon.text()
    give_back(peer, "1700000000.7")
    daemon.wait_log("mod=stasis event=end")
    assert "s3cr3t" not in daemon.text()
    assert daemon.stop() == 0


def test_asterisk_opens_one_for_each_call(context):
    daemon, port = start(context, "ari_per_call = yes\n", wait="event=ready")
    app = "sidetone:PJSIP/a-00000001"
    peer = Dialer(context, port, app=app)
    give_back(peer, "1700000000.8", app)
    daemon.wait_log("mod=stasis event=end")
    assert daemon.stop() == 0


def test_connections_that_are_none_of_ours(context):
    daemon, port = start(context)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.sendall(b"POST /ari HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(100).startswith(b"HTTP/1.1 400 ")
    peer = Dialer(context, port, app="somebody-else")
    daemon.wait_log("event=wrong_app")
    assert peer.read()[0] == 8
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.sendall(b"\x00" * 20000)
        try:
            while s.recv(1000):
                pass
        except ConnectionResetError:
            pass
    peer = Dialer(context, port)
    peer.serve_until("GET", "asterisk/ping")
    daemon.wait_log("event=ready")
    assert daemon.stop() == 0


def test_a_port_that_is_taken_is_told(context):
    taken = socket.create_server(("127.0.0.1", 0))
    context.at_end(taken.close)
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\n[audiosocket]\nlisten = 127.0.0.1:{free_port()}\n"
                         f"[node a]\nari_listen = 127.0.0.1:{taken.getsockname()[1]}\nari_user = u\nari_secret = @env:X\n")
    daemon = Daemon(context, conf, env={"X": "s3cr3t"}, wait=None)
    assert daemon.process.wait(20) == 1
    assert "node a: cannot be set up" in daemon.text(), daemon.text()


def test_requests_over_the_connection_that_we_open(context):
    """A node without requests over the WebSocket is asked once, and then served over HTTP."""
    peer = AriPeer({"GET applications": (200, '{"name":"sidetone","channel_ids":[],"bridge_ids":[]}'), "GET": (200, "[]")})
    context.at_end(peer.close)
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\n[audiosocket]\nlisten = 127.0.0.1:{free_port()}\n"
                         f"[node a]\nari = http://127.0.0.1:{peer.port}\nari_user = u\nari_secret = @env:X\n")
    daemon = Daemon(context, conf, env={"X": "s3cr3t"}, wait="event=ready")
    daemon.wait_log("event=rest node=a by=http")
    peer.event(type="StasisStart", args=["nobody"], channel=channel())
    peer.wait_request("POST", "channels/1700000000.7/continue")
    assert daemon.stop() == 0
