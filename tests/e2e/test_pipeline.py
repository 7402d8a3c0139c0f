"""Talks with provider = pipeline: the daemon, a caller on an AudioSocket, and services behind two independent stand-ins."""
import json
import os

from daemon import Daemon, free_port, run
from openai_http import Services
from phone import Facts, Phone
from test_sim_deepgram import WORDS, StandIn as Deepgram
from test_sim_openai_http import StandIn

KEYS = {"TEST_MODEL_KEY": "sk-model-1111", "TEST_EAR_KEY": "sk-ear-2222", "TEST_VOICE_KEY": "sk-voice-3333"}
QUIET = "sorry = none\ngive_up = none\nfiller = none\n"    # what is heard is the agent's words only
LONG = ("We are open from nine in the morning to five in the afternoon on every working day of the week, and on saturday from ten to two, "
        "and if you come by car you find a place to leave it right behind the house, next to the big old tree that you can see from far away.")


class Line:
    """A daemon whose agent takes every call at its AudioSocket port."""

    def __init__(self, context, agent):
        port = free_port()
        conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\nworkers = 1\n[audiosocket]\n"
                             f"listen = 127.0.0.1:{port}\naccept = any\nagent = a\n[agent a]\nprovider = pipeline\n"
                             f"tool_dir = {os.path.join(context.root, 'handlers', 'tools')}\n{QUIET}{agent}")
        self.conf = conf
        self.daemon = Daemon(context, conf, env=KEYS, wait="event=ready")
        self.facts = Facts(os.path.join(context.path("state"), "sidetone.db"))
        self.phone = Phone(context, port)

    def said(self):
        return [f["text"] for f in self.facts.all("agent.said")]

    def end(self):
        """Everything is let go of, and nobody told a key."""
        fact = self.facts.wait("talk.end")
        text = self.daemon.text() + json.dumps(self.facts.all())
        assert self.daemon.stop() == 0, self.daemon.text()[-2000:]
        assert not [k for k in KEYS.values() if k in text]
        assert "event=session" in self.daemon.text(), self.daemon.text()[-2000:]
        return fact["how"], fact["reason"]


def three(peer, more="", key="key = @env:TEST_MODEL_KEY\nstt_key = @env:TEST_EAR_KEY\ntts_key = @env:TEST_VOICE_KEY\n"):
    return f"url = {peer.url}\nstt = openai\nstt_url = {peer.url}\ntts = openai\ntts_url = {peer.url}\n{key}greeting = Good morning, how can I help?\n{more}"


def test_a_whole_talk_with_a_tool_a_cut_and_a_farewell(context):
    peer = Services(context, words=["What are your opening hours?", "Connect me, please."], answers=[
        ("One moment, I look that up.", [("opening_hours", {"weekday": "monday"})]), "Certainly. " + LONG, ("One moment, I connect you.", [("hand_back", {"reason": "operator"})])])
    line = Line(context, three(peer, "tools = opening_hours, hand_back\ninstructions = " + context.write("a.md", "Be brief.") + "\n"))
    line.facts.wait("agent.heard", item=1)
    code, out, err = run(context, "config", "check", line.conf, env=KEYS)
    assert code == 0 and "warning" not in out + err, out + err
    line.phone.say("what are your opening hours")
    cut_in = line.phone.make("connect me please")
    line.facts.wait("agent.heard", item=line.facts.wait("agent.said", text="Certainly.")["item"])
    first = line.phone.heard
    while line.phone.heard < first + 25:   # half a second of LONG
        assert not line.phone.ended.wait(0.05), line.facts.all()
    line.phone.sound(cut_in)
    assert line.end() == ("hand_back", "operator")
    assert line.phone.ended.wait(20)
    assert [f["text"] for f in line.facts.all("caller.said")] == ["What are your opening hours?", "Connect me, please."]
    assert line.said() == ["Good morning, how can I help?", "One moment, I look that up.", "Certainly.", LONG, "One moment, I connect you."], line.said()
    assert [(t["name"], t["outcome"]) for t in line.facts.all("tool")] == [("opening_hours", "ok"), ("hand_back", "ok")]
    # the last words were heard to their end before the call went back
    assert line.facts.all("agent.heard")[-1]["item"] == line.facts.all("agent.said")[-1]["item"]
    # each key went where it belongs, and nowhere else
    assert peer.keys == {"/v1/chat/completions": {"Bearer sk-model-1111"}, "/v1/audio/speech": {"Bearer sk-voice-3333"},
                         "/v1/audio/transcriptions": {"Bearer sk-ear-2222"}}, peer.keys
    assert all(b"RIFF" in u for u in peer.uploads)
    # the model knows the tool's result, and of what was cut off only what was heard
    asked = peer.chats[1]
    assert [m["role"] for m in asked] == ["system", "assistant", "user", "assistant", "tool"], asked
    assert asked[3]["content"] == "One moment, I look that up." and asked[3]["tool_calls"][0]["id"] == asked[4]["tool_call_id"]
    assert "nine in the morning" in asked[4]["content"], asked[4]
    cut = line.facts.all("barge_in")
    assert len(cut) == 1 and cut[0]["by"] == "voice", cut
    heard = peer.chats[2][-2]
    assert heard["role"] == "assistant" and heard["content"].endswith("..."), peer.chats[2]
    words = heard["content"][len("Certainly. "):-3]
    share = len(words) / len(LONG)
    assert heard["content"].startswith("Certainly. ") and LONG.startswith(words) and share <= cut[0]["played_ms"] / (len(LONG) * 25) + 0.001, (heard, cut)
    assert peer.chats[2][-1] == {"role": "user", "content": "Connect me, please."}


def test_a_rehearsal_with_our_own_stand_ins(context):
    """The model at one, ear (Flux) and voice at the other, over WebSockets."""
    model, deepgram = StandIn(context), Deepgram(context)
    line = Line(context, f"url = http://{model.where}/v1\nkey = @env:TEST_MODEL_KEY\nstt = flux\nstt_url = {deepgram.base}\nstt_key = @env:TEST_EAR_KEY\n"
                f"tts = deepgram\ntts_url = {deepgram.base}\ngreeting = Good morning.\ntools = transfer\ntransfer = sales: default,1,1\n")
    line.facts.wait("agent.heard", item=1)
    assert line.phone.heard > 25, line.phone.heard
    line.phone.say("what are your opening hours")
    line.facts.wait("agent.heard", item=2)
    assert line.said() == ["Good morning.", "We are open from nine to five."]
    assert [f["text"] for f in line.facts.all("caller.said")] == [WORDS]
    line.phone.hang_up()
    assert line.end()[0] == "leg_lost"


def test_a_model_on_this_machine_and_nothing_else(context):
    """No key, no service: the embedded recogniser and voice, a model behind url."""
    peer = Services(context, answers=["We are open from nine to five.", ("Good bye.", [("hang_up", {})])])
    agents = os.path.join(context.root, "agents", "reception.agent")
    line = Line(context, f"url = {peer.url}\nmodel = llama3.2\nstt = local\nfile = {agents}\ntts = local\nvoice = rms\ngreeting = Good morning.\ntools = hang_up\n")
    line.facts.wait("agent.heard", item=1)
    line.phone.say("what are your opening hours")
    line.facts.wait("agent.heard", item=2)
    line.phone.press("9")
    assert line.end() == ("hang_up", "agent")
    assert peer.chats[0][-1] == {"role": "user", "content": "what are your opening hours"}
    assert peer.chats[1][-1] == {"role": "user", "content": "[the caller pressed 9]"}
    assert peer.keys == {"/v1/chat/completions": {None}}, peer.keys


def test_parts_that_are_refused(context):
    """The voice: the embedded one speaks. The model: the talk ends. The ear is Deepgram's Listen."""
    peer, deepgram = Services(context, answers=[401], speech_status=401), Deepgram(context)
    line = Line(context, f"url = {peer.url}\nkey = @env:TEST_MODEL_KEY\nstt = deepgram\nstt_url = {deepgram.base}\nstt_key = @env:TEST_EAR_KEY\n"
                f"tts = openai\ntts_url = {peer.url}\ngreeting = Good morning.\nvoice_fallback = slt\n")
    line.facts.wait("agent.heard", item=1)
    assert line.phone.heard > 25, line.phone.heard
    assert "event=voice_failed" in line.daemon.text()
    line.phone.say("what are your opening hours")
    assert line.end() == ("error", "provider_auth")
    assert [f["text"] for f in line.facts.all("caller.said")] == [WORDS]
    assert peer.keys == {"/v1/chat/completions": {"Bearer sk-model-1111"}, "/v1/audio/speech": {"Bearer sk-model-1111"}}, peer.keys
