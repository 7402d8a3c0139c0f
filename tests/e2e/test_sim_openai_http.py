"""The stand-in for OpenAI's HTTP endpoints (`sidetone sim openai --http`), asked by a client that is none of ours."""
import http.client
import json
import os
import socket
import ssl
import subprocess
import uuid
import wave

from daemon import run

HEAD = {"Authorization": "Bearer sk-test"}
SCRIPT = """hear what are your opening hours
hear goodbye
say We are open from nine to five.
call transfer {"to": "sales"}
say Good bye.
fail server_error
"""
TOOLS = [{"type": "function", "function": {"name": "transfer", "parameters": {"type": "object", "properties": {}}}}]


class StandIn:
    def __init__(self, context, *options, environment=None):
        file = context.write("talk.txt", SCRIPT)
        self.process = subprocess.Popen([context.program, "sim", "openai", "--script", file, "--voice", "kal", "--http", "127.0.0.1:0", "--speed", "40",
                                         *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        env={**os.environ, **(environment or {})})
        context.at_end(self.kill)
        url = json.loads(self.process.stdout.readline())["detail"]["http"]
        self.is_tls = url.startswith("https:")
        self.where = url.split("/")[2]

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()

    def moment(self, what):
        """The next moment of that kind."""
        while True:
            m = json.loads(self.process.stdout.readline())
            if m["what"] == what:
                return m["detail"]

    def connect(self, authority=None):
        if self.is_tls:
            return http.client.HTTPSConnection(self.where, timeout=20, context=ssl.create_default_context(cafile=authority))
        return http.client.HTTPConnection(self.where, timeout=20)

    def ask(self, path, body=None, head=HEAD, method="POST"):
        c = self.connect()
        try:
            return answer_of(c, path, body, head, method)
        finally:
            c.close()


def answer_of(c, path, body=None, head=HEAD, method="POST"):
    """Status and body; a body that is a dict goes and comes as JSON."""
    if isinstance(body, dict):
        body, head = json.dumps(body).encode(), {**head, "Content-Type": "application/json"}
    c.request(method, path, body, head)
    a = c.getresponse()
    got = a.read()
    return a.status, json.loads(got) if a.getheader("Content-Type") == "application/json" else got


def chat(messages, **more):
    return {"model": "gpt-4o-mini", "messages": messages, **more}


def user(words):
    return {"role": "user", "content": words}


def events(body):
    lines = [line for line in body.decode().split("\n\n") if line]
    assert all(line.startswith("data: ") for line in lines), lines
    assert lines[-1] == "data: [DONE]", lines[-1]
    return [json.loads(line[6:]) for line in lines[:-1]]


def upload(wav, **fields):
    mark = uuid.uuid4().hex
    parts = [f'--{mark}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()]
    parts.append(f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\nContent-Type: audio/wav\r\n\r\n'.encode() + wav + b"\r\n")
    return b"".join(parts) + f"--{mark}--\r\n".encode(), {**HEAD, "Content-Type": f"multipart/form-data; boundary={mark}"}


def recording(context, words):
    made = context.path("said.wav")
    code, _, err = run(context, "sim", "say", words, "--output", made)
    assert code == 0, err
    with open(made, "rb") as f:
        return f.read()


def silence(context):
    made = context.path("silence.wav")
    with wave.open(made, "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(8000)
        f.writeframes(bytes(16000))
    with open(made, "rb") as f:
        return f.read()


def test_chat_streamed_and_whole(context):
    peer = StandIn(context)
    talk = [{"role": "system", "content": "Be kind."}, user("when?")]
    status, body = peer.ask("/v1/chat/completions", chat(talk, stream=True, stream_options={"include_usage": True}, tools=TOOLS))
    assert status == 200
    seen = events(body)
    assert "".join(e["choices"][0]["delta"].get("content") or "" for e in seen[:-1]) == "We are open from nine to five."
    assert seen[-2]["choices"][0]["finish_reason"] == "stop" and seen[-1]["choices"] == [] and seen[-1]["usage"]["total_tokens"] > 0
    status, body = peer.ask("/v1/chat/completions", chat(talk))  # the same question gets the same answer
    assert status == 200 and body["choices"][0]["message"]["content"] == "We are open from nine to five."
    talk += [{"role": "assistant", "content": "We are open from nine to five."}, user("sales please")]
    seen = events(peer.ask("/v1/chat/completions", chat(talk, stream=True, tools=TOOLS))[1])
    calls = [c for e in seen for c in e["choices"][0]["delta"].get("tool_calls", [])]
    assert calls[0]["function"]["name"] == "transfer" and calls[0]["id"]
    assert json.loads("".join(c["function"]["arguments"] for c in calls)) == {"to": "sales"}
    assert seen[-1]["choices"][0]["finish_reason"] == "tool_calls"
    call = peer.ask("/v1/chat/completions", chat(talk, tools=TOOLS))[1]["choices"][0]["message"]
    assert call["content"] is None and call["tool_calls"][0]["function"]["name"] == "transfer"
    talk += [call, {"role": "tool", "tool_call_id": call["tool_calls"][0]["id"], "content": "done"}]
    assert peer.ask("/v1/chat/completions", chat(talk))[1]["choices"][0]["message"]["content"] == "Good bye."
    status, body = peer.ask("/v1/chat/completions", chat(talk + [user("more")]))
    assert status == 500 and body["error"]["code"] == "server_error"
    status, body = peer.ask("/v1/chat/completions", chat(talk + [user("more"), user("and more")]))  # behind the last line
    assert body["choices"][0]["message"]["content"] == "Good bye."


def test_speech_and_its_transcription(context):
    peer = StandIn(context)
    status, pcm = peer.ask("/v1/audio/speech", {"model": "gpt-4o-mini-tts", "input": "Hello there.", "voice": "alloy", "response_format": "pcm"})
    assert status == 200 and len(pcm) > 24000 and len(pcm) % 2 == 0 and any(pcm)
    status, wav = peer.ask("/v1/audio/speech", {"model": "tts-1", "input": "Hello there.", "voice": "nova", "response_format": "wav"})
    assert status == 200 and wav[:4] == b"RIFF" and wav[44:] == pcm
    said, quiet = recording(context, "hello hello"), silence(context)
    c = peer.connect()             # one connection for all
    for wav, fields, want in ((said, {}, "what are your opening hours"), (quiet, {}, ""), (said, {"language": "en"}, "goodbye"),
                              (said, {"response_format": "verbose_json"}, "what are your opening hours")):
        status, body = answer_of(c, "/v1/audio/transcriptions", *upload(wav, model="gpt-4o-mini-transcribe", **fields))
        assert status == 200 and body["text"] == want, (want, body)
    status, body = answer_of(c, "/v1/audio/transcriptions", *upload(said, model="whisper-1", response_format="text"))
    assert (status, body) == (200, b"goodbye\n"), body
    status, body = answer_of(c, "/v1/audio/transcriptions", *upload(said, model="whisper-1", stream="true"))
    seen = [json.loads(line[6:]) for line in body.decode().split("\n\n") if line]
    assert "".join(e["delta"] for e in seen[:-1]) == seen[-1]["text"] == "what are your opening hours", seen
    status, body = answer_of(c, "/v1/models", method="GET")
    assert status == 200 and "gpt-4o-mini" in [m["id"] for m in body["data"]]
    c.close()


def test_requests_are_judged(context):
    peer = StandIn(context)
    one = [user("x")]
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}
    speech = {"model": "tts-1", "input": "x", "voice": "alloy", "response_format": "pcm"}
    for path, body, code in (
            ("/v1/chat/completions", chat([]), "invalid_value"),
            ("/v1/chat/completions", {"messages": one}, "missing_required_parameter"),
            ("/v1/chat/completions", chat(one, mood=1), "unknown_parameter"),
            ("/v1/chat/completions", chat(one, stream="yes"), "invalid_type"),
            ("/v1/chat/completions", chat(one, stream_options={"include_usage": True}), "invalid_value"),
            ("/v1/chat/completions", chat(one, parallel_tool_calls=False), "invalid_value"),
            ("/v1/chat/completions", chat(one, tools=[{"type": "function", "name": "flat"}]), "unknown_parameter"),
            ("/v1/chat/completions", chat(one, tools=[{"type": "function", "function": {"name": "a b"}}]), "invalid_value"),
            ("/v1/chat/completions", chat([{"role": "robot", "content": "x"}]), "invalid_value"),
            ("/v1/chat/completions", chat(one + [call]), "invalid_value"),
            ("/v1/chat/completions", chat(one + [call, user("y")]), "invalid_value"),
            ("/v1/chat/completions", chat([{"role": "tool", "tool_call_id": "c1", "content": "x"}]), "invalid_value"),
            ("/v1/chat/completions", chat(one, max_tokens=5, max_completion_tokens=5), "invalid_value"),
            ("/v1/audio/speech", {**speech, "voice": "thalia"}, "invalid_value"),
            ("/v1/audio/speech", {**speech, "input": ""}, "invalid_value"),
            ("/v1/audio/speech", {**speech, "input": "x" * 4097}, "invalid_value"),
            ("/v1/audio/speech", {**speech, "response_format": "mp3"}, "invalid_value"),
            ("/v1/audio/speech", {**speech, "text": "x"}, "unknown_parameter"),
            ("/v1/audio/speech", {**speech, "speed": 9}, "invalid_value")):
        status, got = peer.ask(path, body)
        assert (status, got["error"]["code"]) == (400, code), (body, got)
        assert peer.moment("complaint")["path"] == path
    wav = recording(context, "hello")
    short = wav[:40] + bytes([wav[40] ^ 1]) + wav[41:]
    bad_end = upload(wav, model="whisper-1")
    cut = bad_end[0][:-10], bad_end[1]
    named = bad_end[0].replace(b'a.wav"', b'a.xyz"'), bad_end[1]
    for body, head in (upload(wav), upload(short, model="whisper-1"), upload(wav, model="whisper-1", mood="1"), cut, named,
                       (b"{}", {**HEAD, "Content-Type": "application/json"})):
        status, got = peer.ask("/v1/audio/transcriptions", body, head)
        assert status == 400, got
    assert peer.ask("/v1/audio/speech", method="GET")[0] == 405
    assert peer.ask("/v1/embeddings", {})[0] == 404
    assert peer.ask("/v1/models", method="GET", head={})[0] == 401


SPEECH = {"model": "tts-1", "input": "This is a sentence of some length, so that it is cut in the middle of a word.", "voice": "alloy", "response_format": "pcm"}


def broken(c, path, body, head=HEAD, patience=20):
    """How an answer ends that is not whole, and whether some of it came."""
    if isinstance(body, dict):
        body, head = json.dumps(body).encode(), {**head, "Content-Type": "application/json"}
    c.request("POST", path, body, head)
    a = c.getresponse()
    got = b""
    c.sock.settimeout(patience)
    try:
        while True:
            piece = a.read1(1000)
            if not piece:
                return "whole", bool(got)
            got += piece
    except (http.client.IncompleteRead, http.client.HTTPException):
        return "cut", bool(got)
    except TimeoutError:
        return "silent", bool(got)
    except ConnectionResetError:
        return "reset", bool(got)


def test_refusals_as_told(context):
    wav = silence(context)
    for fault, status, code in (("401", 401, "invalid_api_key"), ("429", 429, "rate_limit_exceeded"), ("quota", 429, "insufficient_quota"),
                                ("500", 500, "server_error"), ("failed", 429, "rate_limit_exceeded"), ("no-money", 429, "insufficient_quota"),
                                ("error", 500, "server_error")):
        peer = StandIn(context, "--fault", fault, "--fault-count", "3")
        for ask in (("/v1/chat/completions", chat([user("x")])), ("/v1/audio/speech", SPEECH), ("/v1/audio/transcriptions", *upload(wav, model="whisper-1"))):
            got, body = peer.ask(*ask)
            assert (got, body["error"]["code"]) == (status, code), (fault, ask[0], got, body)
        status, body = peer.ask("/v1/chat/completions", chat([user("x")]))  # the first three only
        assert status == 200, (fault, body)


def test_answers_that_break_off_as_told(context):
    wav = recording(context, "hello hello")
    for fault, how in (("close", "cut"), ("expired", "cut"), ("lost", "cut reset"), ("stall", "silent"), ("half-open", "silent")):
        peer = StandIn(context, "--fault", fault, "--fault-count", "4")
        for ask in (("/v1/chat/completions", chat([user("x")], stream=True)), ("/v1/chat/completions", chat([user("x")])), ("/v1/audio/speech", SPEECH),
                    ("/v1/audio/transcriptions", *upload(wav, model="whisper-1"))):
            c = peer.connect()
            end, some = broken(c, *ask, patience=0.3 if how == "silent" else 20)
            assert end in how and (some or end == "reset"), (fault, ask[0], end, some)
            c.close()
            assert fault == "half-open" or not peer.moment("answered")["whole"]  # a deaf one does not notice
        status, body = peer.ask("/v1/audio/transcriptions", *upload(wav, model="whisper-1"))
        assert (status, body["text"]) == (200, "what are your opening hours"), body  # what was not answered is asked again


def test_answers_that_are_strange_as_told(context):
    wav = recording(context, "hello hello")
    asks = (("/v1/chat/completions", chat([user("x")], stream=True)), ("/v1/audio/speech", SPEECH), ("/v1/audio/transcriptions", *upload(wav, model="whisper-1")))

    def all_of(fault):
        peer = StandIn(context, "--fault", fault)
        got = [peer.ask(*ask) for ask in asks[:2]]
        c = peer.connect()
        mine, head = asks[2][1:]
        c.request("POST", asks[2][0], mine, head)
        got.append((200, c.getresponse().read()))
        c.close()
        assert [status for status, _ in got] == [200, 200, 200], (fault, got)
        return [body for _, body in got]

    talk, sound, words = all_of("garbage")
    assert b"no JSON" in talk and sound.startswith(b"No sound") and not words.endswith(b"}")
    talk, sound, words = all_of("drift")
    assert b": keep-alive" in talk and b"reasoning_content" in talk and b"[DONE]" in talk and sound[:4] == b"RIFF" and b"mood" in words
    talk, sound, words = all_of("alien")
    assert isinstance([e["choices"][0]["delta"] for e in events(talk)][1]["content"], dict) and sound[20] == 3 and isinstance(json.loads(words)["text"], dict)
    talk, sound, words = all_of("burst")
    assert "".join(e["choices"][0]["delta"].get("content") or "" for e in events(talk)) == "We are open from nine to five." and len(sound) > 96000
    peer = StandIn(context, "--fault", "failed")
    assert b"rate_limit_exceeded" in peer.ask(*asks[0])[1]
    peer = StandIn(context, "--fault", "error")
    body = peer.ask(*asks[0])[1]
    assert b"We" in body and b"server_error" in body and b"[DONE]" not in body
    peer = StandIn(context, "--fault", "slow")
    try:
        c = peer.connect()
        c.request("POST", asks[0][0], json.dumps(asks[0][1]).encode(), HEAD)
        c.sock.settimeout(0.3)
        c.getresponse()
        assert False, "not slow"
    except TimeoutError:
        c.close()


def test_a_client_that_leaves(context):
    peer = StandIn(context, "--speed", "1")
    c = peer.connect()
    c.request("POST", "/v1/audio/speech", json.dumps(SPEECH).encode(), HEAD)
    assert c.getresponse().read(1000)
    c.close()
    assert peer.moment("answered") == {"session": 1, "path": "/v1/audio/speech", "whole": False}
    assert peer.ask("/v1/models", method="GET")[0] == 200


def test_requests_that_are_none(context):
    peer = StandIn(context)
    host, port = peer.where.split(":")
    for sent, status in ((b"GET /v1/models HTTP/1.0\r\n\r\n", 505), (b"nonsense\r\n\r\n", 505), (b"GET /" + b"x" * 20000, 431),
                         (b"POST /v1/audio/speech HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
                         (b"POST /v1/audio/speech HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n", 413),
                         (b"POST /v1/audio/speech HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 501)):
        with socket.create_connection((host, int(port)), 20) as c:
            c.sendall(sent)
            got = b""
            while piece := c.recv(1000):
                got += piece
        assert got.startswith(b"HTTP/1.1 %d " % status) and got.endswith(b"}"), (sent[:60], got)
    one = b"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer k\r\n"
    with socket.create_connection((host, int(port)), 20) as c:
        c.sendall((one + b"\r\n") * 3 + one + b"Connection: close\r\n\r\n")  # four at once; the connection ends behind the last
        got = b""
        while piece := c.recv(1000):
            got += piece
    assert got.count(b"HTTP/1.1 200 OK") == 4 and got.count(b'"object":"list"') == 4, got
    with socket.create_connection((host, int(port)), 20) as c:
        for byte in one + b"Content-Length: 2\r\n\r\n{}":
            c.sendall(bytes([byte]))
        assert c.recv(1000).startswith(b"HTTP/1.1 200 OK")


def test_http_over_tls_and_with_the_right_key(context):
    made, key = context.path("cert.pem"), context.path("key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", made], check=True, capture_output=True, timeout=60)
    peer = StandIn(context, "--cert", made, "--key", key, environment={"SIDETONE_SIM_KEY": "sk-test"})
    assert peer.is_tls
    for head, status in ((HEAD, 200), ({"Authorization": "Bearer sk-other"}, 401), ({"Authorization": "sk-test"}, 401)):
        c = peer.connect(made)
        got, body = answer_of(c, "/v1/audio/speech", SPEECH, head)
        assert got == status and (status != 200 or len(body) > 96000), (head, got)
        c.close()
    code, _, err = run(context, "sim", "openai", "--http", "nowhere")
    assert code == 2 and "--http" in err, err
    code, _, err = run(context, "sim", "deepgram", "--http", "127.0.0.1:0")
    assert code == 2 and "--http" in err, err
