"""A small WebSocket client for tests: one thread, blocking, with deadlines."""
import base64
import json
import os
import socket
import ssl
import struct
import time


class Refused(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status} {body}")
        self.status, self.body = status, body


class WsClient:
    """authority: a file with the certificate that wss:// is trusted by."""
    def __init__(self, url, headers=(), authority=None):
        scheme, _, rest = url.partition("://")
        host, _, target = rest.partition("/")
        name, _, port = host.partition(":")
        self.socket = socket.create_connection((name, int(port)), 10)
        if scheme == "wss":
            self.socket = ssl.create_default_context(cafile=authority).wrap_socket(self.socket, server_hostname=name)
        self.rest = b""
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [f"GET /{target} HTTP/1.1", f"Host: {host}", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                 f"Sec-WebSocket-Key: {key}", *headers]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.rest:
            self._more()
        head, _, self.rest = self.rest.partition(b"\r\n\r\n")
        status = int(head.split()[1])
        if status != 101:
            raise Refused(status, self.rest.decode())

    def _more(self):
        got = self.socket.recv(65536)
        if not got:
            raise ConnectionError("the server is gone")
        self.rest += got

    def _take(self, n):
        while len(self.rest) < n:
            self._more()
        out, self.rest = self.rest[:n], self.rest[n:]
        return out

    def send(self, payload):
        """bytes: binary; a dict: JSON text."""
        is_text = not isinstance(payload, (bytes, bytearray))
        data = json.dumps(payload).encode() if is_text else bytes(payload)
        mask = os.urandom(4)
        head = bytes([0x81 if is_text else 0x82])
        head += bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        self.socket.sendall(head + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(data)))

    def take(self, seconds=20):
        """("text", dict) ("binary", bytes) ("close", status, reason)."""
        self.socket.settimeout(seconds)
        while True:
            first, second = self._take(2)
            n = second & 0x7f
            if n == 126:
                n = struct.unpack(">H", self._take(2))[0]
            elif n == 127:
                n = struct.unpack(">Q", self._take(8))[0]
            data = self._take(n)
            kind = first & 0x0f
            if kind == 1:
                return "text", json.loads(data)
            if kind == 2:
                return "binary", data
            if kind == 8:
                return "close", struct.unpack(">H", data[:2])[0] if len(data) >= 2 else 1005, data[2:].decode()

    def until(self, wanted, seconds=20):
        """Messages up to the first that `wanted` accepts, that one included."""
        limit = time.monotonic() + seconds
        seen = []
        while True:
            left = limit - time.monotonic()
            assert left > 0, f"not seen in time: {seen[-10:]}"
            seen.append(self.take(left))
            if wanted(seen[-1]):
                return seen

    def close(self):
        self.socket.close()
