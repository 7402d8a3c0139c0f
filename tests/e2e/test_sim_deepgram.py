"""The stand-in for Deepgram's transcription and speech (`sidetone sim deepgram`), asked by a client that is none of ours."""
import json
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
        self.base = "ws://" + json.loads(self.process.stdout.readline())["detail"]["address"]

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()

    def open(self, target):
        return WsClient(self.base + target, KEY)


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
