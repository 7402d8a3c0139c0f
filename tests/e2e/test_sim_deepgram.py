"""The stand-in for Deepgram's transcription and speech (`sidetone sim deepgram`), asked by a client that is none of ours."""
import json
import socket
import subprocess
import wave

from daemon import run
from ws_client import Refused, WsClient

KEY = ["Authorization: Token dg-test"]
WORDS = "what are your opening hours on monday and tuesday"


class StandIn:
    def __init__(self, context, *options):
        script = context.write("talk.txt", f"hear {WORDS}\nsay Hello.\n")
        self.process = subprocess.Popen([context.program, "sim", "deepgram", "--script", script, "--voice", "kal", *options],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        context.at_end(self.kill)
        url = json.loads(self.process.stdout.readline())["detail"]["url"]
        self.base = url[:url.index("/v1")]

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()

    def open(self, target, authority=None):
        return WsClient(self.base + target, KEY, authority)


def speech(context):
    made = context.path("said.wav")
    code, _, err = run(context, "sim", "say", WORDS, "--output", made)
    assert code == 0, err
    with wave.open(made) as f:
        return f.readframes(f.getnframes())


def say(client, pcm):
    for i in range(0, len(pcm), 2560):
        client.send(pcm[i:i + 2560])
    client.send(bytes(24000))      # silence ends the turn
    client.send({"type": "CloseStream"})
    return client.until(lambda m: m[0] == "close")


def test_transcription_in_finals_and_interims(context):
    seen = say(StandIn(context).open("/v1/listen?model=nova-3&encoding=linear16&sample_rate=8000&interim_results=true&endpointing=300"
                                     "&utterance_end_ms=1000&vad_events=true"), speech(context))
    texts = [m[1] for m in seen if m[0] == "text"]
    finals = [t for t in texts if t["type"] == "Results" and t["is_final"] and t["channel"]["alternatives"][0]["transcript"]]
    assert texts[0]["type"] == "SpeechStarted" and texts[-1]["type"] == "Metadata", texts
    assert " ".join(t["channel"]["alternatives"][0]["transcript"] for t in finals) == WORDS
    assert [t["speech_final"] for t in finals] == [False, True]
    assert any(t["type"] == "Results" and not t["is_final"] for t in texts)
    assert [t["type"] for t in texts].count("UtteranceEnd") == 1
    assert seen[-1][1] == 1000, seen[-1]


def test_flux_tells_turns(context):
    seen = say(StandIn(context).open("/v2/listen?model=flux-general-en&encoding=linear16&sample_rate=8000&eager_eot_threshold=0.5"), speech(context))
    texts = [m[1] for m in seen if m[0] == "text"]
    assert texts[0]["type"] == "Connected", texts[0]
    events = [t["event"] for t in texts[1:]]
    assert events[0] == "StartOfTurn" and events[-1] == "EndOfTurn", events
    assert "Update" in events and events.count("EagerEndOfTurn") == 1 + events.count("TurnResumed"), events
    assert texts[-1]["transcript"] == WORDS and [t for t in texts[1:] if t["event"] == "EagerEndOfTurn"][-1]["transcript"] == WORDS


def test_speech_is_flushed_and_cleared(context):
    client = StandIn(context, "--speed", "40").open("/v1/speak?model=aura-2-thalia-en&encoding=mulaw&sample_rate=8000")
    assert client.take()[1]["type"] == "Metadata"
    client.send({"type": "Speak", "text": "Hello, this is a test."})
    client.send({"type": "Flush"})
    seen = client.until(lambda m: m[0] == "text")
    assert seen[-1][1]["type"] == "Flushed" and sum(len(m[1]) for m in seen[:-1]) > 8000
    client.send({"type": "Speak", "text": WORDS * 8})
    client.send({"type": "Clear"})
    seen = client.until(lambda m: m[0] == "text")
    assert seen[-1][1]["type"] == "Cleared", seen[-1]
    client.send({"type": "Flush"})  # nothing is left to be said
    assert client.take()[1]["type"] == "Flushed"
    client.send({"type": "Nonsense"})
    assert client.until(lambda m: m[0] == "close")[-1][1:] == ("close", 1008, "DATA-0000: the message is unknown")[1:]


def test_addresses_are_judged(context):
    peer = StandIn(context)
    for target, status in (("/v2/listen?model=flux-general-en&encoding=mulaw&sample_rate=8000&interim_results=true", 400),
                           ("/v2/listen?encoding=mulaw&sample_rate=8000", 400), ("/v1/listen?encoding=pcmu&sample_rate=8000", 400),
                           ("/v1/listen?encoding=mulaw&sample_rate=8000&utterance_end_ms=500", 400), ("/v1/speak?model=alloy", 400),
                           ("/v3/listen", 404)):
        try:
            peer.open(target)
            assert False, f"taken: {target}"
        except Refused as e:
            assert e.status == status, (target, e)
    try:
        WsClient(peer.base + "/v1/speak")
        assert False, "taken without a key"
    except Refused as e:
        assert e.status == 401, e


def test_refusals_and_ends_as_told(context):
    for fault, status in (("401", 401), ("429", 429), ("quota", 402), ("500", 500)):
        try:
            StandIn(context, "--fault", fault).open("/v1/speak")
            assert False, fault
        except Refused as e:
            assert e.status == status, (fault, e)
    client = StandIn(context, "--fault", "close", "--speed", "40").open("/v1/speak?encoding=mulaw&sample_rate=8000")
    client.send({"type": "Speak", "text": "This is a sentence of some length, so that it is cut in mid word."})
    client.send({"type": "Flush"})
    assert client.until(lambda m: m[0] == "close")[-1][1] == 1011
    seen = say(StandIn(context, "--fault", "expired").open("/v2/listen?model=flux-general-en&encoding=linear16&sample_rate=8000"), speech(context))
    assert seen[-1][1] == 1011 and "NET-0003" in seen[-1][2], seen[-1]


def certificate(context):
    made = context.path("cert.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=IP:127.0.0.1", "-keyout", context.path("key.pem"), "-out", made], check=True, capture_output=True, timeout=60)
    return made, context.path("key.pem")


def test_the_stand_in_over_tls(context):
    cert, key = certificate(context)
    peer = StandIn(context, "--cert", cert, "--key", key, "--fault", "burst")
    assert peer.base.startswith("wss://"), peer.base
    client = peer.open("/v1/speak?encoding=linear16&sample_rate=48000", cert)
    client.send({"type": "Speak", "text": WORDS})
    client.send({"type": "Flush"})
    seen = client.until(lambda m: m[0] == "text" and m[1]["type"] == "Flushed")
    assert sum(len(m[1]) for m in seen if m[0] == "binary") > 96 * 1000   # more than a second, in small pieces
    seen = say(peer.open("/v2/listen?model=flux-general-en&encoding=linear16&sample_rate=8000", cert), speech(context))
    assert [m[1].get("transcript") for m in seen if m[0] == "text"][-1] == WORDS and seen[-1][1] == 1000, seen[-1]
    for start in (b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01"):           # no TLS; half a hello: others are served all the same
        with socket.create_connection(("127.0.0.1", int(peer.base.rpartition(":")[2])), 10) as stranger:
            stranger.sendall(start)
            peer.open("/v1/speak", cert).close()
            if len(start) > 5:
                stranger.settimeout(20)
                while stranger.recv(1000):
                    pass


def test_a_certificate_that_is_none(context):
    not_one = context.write("not.pem", "hello")
    for arguments, words in ((["--cert", not_one], "key"), (["--cert", context.path("nowhere.pem")], "no such file"), (["--key", not_one], "--cert")):
        code, out, err = run(context, "sim", "deepgram", *arguments)
        assert code in (1, 2) and out == "" and words in err.lower(), (arguments, code, err)
