"""The stand-in for OpenAI's HTTP endpoints (`sidetone sim openai --http`), asked by a client that is none of ours."""
import http.client
import json
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
    def __init__(self, context, *options, script=SCRIPT):
        file = context.write("talk.txt", script)
        self.process = subprocess.Popen([context.program, "sim", "openai", "--script", file, "--voice", "kal", "--http", "127.0.0.1:0", "--speed", "40",
                                         *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
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
