"""A second, independent stand-in for chat completions, transcription and speech over HTTP: written from the service's public reference, in Python,
so that the pipeline is not only tested with our own idea of the wire."""
import json
import math
import re
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MS_A_LETTER = 25


def tone(ms, rate=24000):
    return b"".join(struct.pack("<h", int(9000 * math.sin(2 * math.pi * 440 * i / rate))) for i in range(rate * ms // 1000))


class Services:
    """answers: of the model, one a request: a text, [(name, arguments)...], (text, calls), or an HTTP status. words: of the caller, one an upload."""

    def __init__(self, context, answers=(), words=(), speech_status=200, words_status=200):
        self.answers, self.words = list(answers), list(words)
        self.speech_status, self.words_status = speech_status, words_status
        self.chats, self.spoken, self.uploads, self.keys = [], [], [], {}
        self.changed = threading.Condition()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        context.at_end(self.close)

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def wait_chats(self, n, seconds=30):
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.chats) >= n, seconds), f"{len(self.chats)} questions, not {n}: {self.chats}"

    def _handler(services):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with services.changed:
                    services.keys.setdefault(self.path, set()).add(self.headers.get("Authorization"))
                try:
                    {"/v1/chat/completions": self.chat, "/v1/audio/speech": self.speech, "/v1/audio/transcriptions": self.words}[self.path](body)
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True   # taken back in the middle

            def plain(self, status, kind, data):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def refuse(self, status):
                self.plain(status, "application/json", json.dumps({"error": {"message": "not today", "type": "x", "code": None}}).encode())

            def chat(self, body):
                asked = json.loads(body)
                assert asked["stream"] is True and asked["model"] and asked["messages"], asked
                with services.changed:
                    services.chats.append(asked["messages"])
                    answer = services.answers.pop(0) if services.answers else "Is there anything else?"
                    services.changed.notify_all()
                if isinstance(answer, int):
                    self.refuse(answer)
                    return
                text, calls = (answer, []) if isinstance(answer, str) else answer if isinstance(answer, tuple) else ("", answer)
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                pieces = [{"content": piece} for piece in re.findall(r"\S+\s*", text)]
                for i, (name, arguments) in enumerate(calls):
                    pieces.append({"tool_calls": [{"index": i, "id": f"call_{len(services.chats)}_{i}", "type": "function",
                                                   "function": {"name": name, "arguments": ""}}]})
                    pieces += [{"tool_calls": [{"index": i, "function": {"arguments": c}}]} for c in re.findall(r".{1,4}", json.dumps(arguments))]
                self.event({"role": "assistant", "content": ""})
                for piece in pieces:
                    self.event(piece)
                self.event({}, "tool_calls" if calls else "stop")
                self.chunk("data: [DONE]\n\n")
                self.wfile.write(b"0\r\n\r\n")

            def event(self, delta, finish=None):
                self.chunk("data: " + json.dumps({"id": "x", "object": "chat.completion.chunk",
                                                  "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}) + "\n\n")

            def chunk(self, text):
                data = text.encode()
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

            def speech(self, body):
                asked = json.loads(body)
                if services.speech_status != 200:
                    self.refuse(services.speech_status)
                    return
                assert asked["response_format"] == "pcm" and asked["model"] and asked["voice"], asked
                with services.changed:
                    services.spoken.append(asked["input"])
                self.plain(200, "audio/pcm", tone(len(asked["input"]) * MS_A_LETTER))

            def words(self, body):
                if services.words_status != 200:
                    self.refuse(services.words_status)
                    return
                with services.changed:
                    services.uploads.append(body)
                    text = services.words.pop(0) if services.words else ""
                self.plain(200, "application/json", json.dumps({"text": text}).encode())

        return Handler
