"""Plays Asterisk's ARI: the event WebSocket, and REST requests that are written down and answered from a table."""
import base64
import hashlib
import json
import re
import socket
import struct
import threading
import time

from ports import stop_accepting

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class AriPeer:
    def __init__(self, answers=None):
        self.answers = answers or {}  # {"METHOD path-beginning": (status, body)}
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.requests = []  # (method, path with query, body)
        self.inside = {}  # channels of calls that have started and not ended: the daemon asks which exist, and believes the answer
        self.changed = threading.Condition()
        self.events = None
        self.closed = False
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def _accept(self):
        while not self.closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        stream = client.makefile("rb")
        try:
            while (line := stream.readline()):
                method, path, _ = line.decode().split(" ", 2)
                headers = {}
                while (h := stream.readline().strip()):
                    name, _, value = h.decode().partition(":")
                    headers[name.lower()] = value.strip()
                if headers.get("upgrade", "").lower() == "websocket":
                    self._open(client, headers)
                    while stream.read(1):
                        pass
                    return
                body = stream.read(int(headers.get("content-length", 0))).decode()
                self._answer(client, method, path, body)
        except (OSError, ValueError):
            pass
        finally:
            client.close()

    def _open(self, client, headers):
        proof = base64.b64encode(hashlib.sha1((headers["sec-websocket-key"] + GUID).encode()).digest()).decode()
        client.sendall(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                       f"Sec-WebSocket-Accept: {proof}\r\n\r\n".encode())
        with self.changed:
            self.events = client
            self.changed.notify_all()

    def _answer(self, client, method, path, body):
        path = re.sub(r"^/ari/", "", path)
        status, text = 204, ""
        for beginning, given in self.answers.items():
            if f"{method} {path}".startswith(beginning):
                status, text = given
        with self.changed:
            if (method, path, text) == ("GET", "channels", "[]"):
                text = json.dumps(list(self.inside.values()))
            text = text.replace('"channel_ids":[]', f'"channel_ids":{json.dumps(list(self.inside))}')
            self.requests.append((method, path, body))
            self.changed.notify_all()
        client.sendall(f"HTTP/1.1 {status} X\r\nContent-Length: {len(text)}\r\nContent-Type: application/json\r\n\r\n{text}".encode())

    def wait_events(self, seconds=10):
        with self.changed:
            assert self.changed.wait_for(lambda: self.events, seconds), "nobody opened the event WebSocket"

    def wait_request(self, method, path, seconds=10):
        """The first request whose path begins so."""
        limit = time.monotonic() + seconds
        with self.changed:
            while True:
                for r in self.requests:
                    if r[0] == method and r[1].startswith(path):
                        return r
                left = limit - time.monotonic()
                assert left > 0 and self.changed.wait(left), f"no {method} {path}: {self.requests}"

    def send(self, data, opcode=1):
        data = data.encode() if isinstance(data, str) else data
        size = bytes([len(data)]) if len(data) < 126 else b"\x7e" + struct.pack(">H", len(data))
        self.events.sendall(bytes([0x80 | opcode]) + size + data)

    def event(self, **fields):
        with self.changed:
            if fields["type"] in ("StasisStart", "StasisEnd"):
                self.inside.pop(fields["channel"]["id"], None)
            if fields["type"] == "StasisStart":
                self.inside[fields["channel"]["id"]] = fields["channel"]
        self.send(json.dumps({"timestamp": "2026-11-22T19:08:18.401+0000", "asterisk_id": "x", "application": "sidetone", **fields}))

    def close(self):
        self.closed = True
        stop_accepting(self.listener, self.accepting)
        if self.events:
            self.events.close()


def channel(ident="1700000000.7", **more):
    return {"id": ident, "name": "PJSIP/a-00000001", "state": "Up", "protocol_id": "", "caller": {"name": "Ann", "number": "2005"},
            "connected": {"name": "", "number": ""}, "accountcode": "", "language": "en",
            "dialplan": {"context": "in", "exten": "100", "priority": 3, "app_name": "Stasis", "app_data": "sidetone"},
            "creationtime": "2026-11-22T19:08:18.401+0000", **more}
