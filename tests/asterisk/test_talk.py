"""What the caller hears when a provider fails or he cuts in: a real Asterisk, the daemon, the stand-in, a caller who hears and speaks only sound."""
import array
import json
import os
import time
import wave

from caller import Caller, rms
from house import House
from openai import KEY, OpenAi
from test_call import recognise

LONG = ("We are open from nine in the morning to five in the afternoon on every working day, and on saturday from ten to two, "
        "and if you come by car you find a place behind the house, next to the big tree.")
SORRY, GIVE_UP = "please wait a moment", "i connect you with a colleague"
OTHERS = ["good morning example company how can i help you", "what are your opening hours", "thank you and goodbye"]
PLACE = """
exten => rescued,1,UserEvent(Mark,What: rescued,Status: ${SIDETONE_STATUS},Reason: ${SIDETONE_REASON})
 same => n,Hangup(16)
"""
OFFLINE = """
[agent offline]
provider = local
file = reception.agent
tools = opening_hours
"""


def house_with(context, url, more):
    house = House(context, plan_more=PLACE, agent_conf=f"""provider = openai
key = @env:TEST_OPENAI_KEY
url = {url}
sorry = {SORRY}
give_up = {GIVE_UP}
fallback = test,rescued,1
{more}
""", env={"TEST_OPENAI_KEY": KEY})
    house.start()
    return house


def first_heard(context, caller):
    """The words of the first sound that the caller heard, and milliseconds from the connection to it."""
    zero, begin, end = (caller.wait(w)["at_us"] for w in ("connected", "heard-start", "heard-stop"))
    heard = recognise(context, caller.record, [SORRY, GIVE_UP, *OTHERS], (begin - zero) / 1000 - 200, (end - zero) / 1000 + 200)
    return heard["words"], (begin - zero) / 1000


def test_the_next_agent_takes_over_behind_a_phrase(context):
    peer = OpenAi(context, key="sk-another")             # 401
    house = house_with(context, peer.url, "next = offline" + OFFLINE)
    caller = Caller(context, "wait-speech 20s\nwait-silence 1200ms 30s\nsay connect me with the operator\nwait-hangup 30s\n")
    house.ami.originate(caller.channel, "test", "talk")
    back = house.resumed()
    assert (back["Status"], back["Reason"]) == ("OK", "operator"), (back, house.facts())
    assert caller.finish() == 0, caller.story() + caller.complaints()
    failed = house.facts("provider.failed")
    assert [(f["error"], f["next"]) for f in failed] == [("auth", "yes")], failed
    assert [f["why"] for f in house.facts("agent.phrase")] == ["failed"], house.facts()
    assert house.facts("agent.said")[0]["text"].startswith("Good morning, Example Company"), house.facts("agent.said")
    house.nothing_left()
    assert house.daemon.stop() == 0


def test_nobody_is_left_and_the_caller_is_told(context):
    peer = OpenAi(context, key="sk-another")
    house = house_with(context, peer.url, "")
    caller = Caller(context, "wait-hangup 40s\n")
    house.ami.originate(caller.channel, "test", "talk")
    back = house.ami.wait("UserEvent", seconds=30, UserEvent="Mark", What="rescued")
    assert (back["Status"], back["Reason"]) == ("ERROR", "provider_auth"), back
    assert caller.finish() == 0, caller.story()
    words, _ = first_heard(context, caller)
    assert words == GIVE_UP, words
    house.nothing_left()


def test_silence_of_the_service_is_bridged(context):
    peer = OpenAi(context, f"say {LONG}\n", fault="slow")  # no session for 30 s
    house = house_with(context, peer.url, "")
    caller = Caller(context, "wait-speech 20s\nwait 2500ms\n")
    house.ami.originate(caller.channel, "test", "talk")
    house.wait_fact("agent.phrase", why="late")
    assert caller.finish() == 0, caller.story()
    words, _ = first_heard(context, caller)
    assert words == SORRY, words
    house.nothing_left()


def test_our_own_ear_cuts_the_agent_off(context):
    peer = OpenAi(context, f"hear what are your opening hours\nsay {LONG}\nsay Thank you.\n")
    house = house_with(context, peer.url, "barge_in = voice\nrecording = yes\ntranscript = yes")
    caller = Caller(context, """
wait-speech 20s
wait 1500ms
say what are your opening hours
wait-speech 20s
wait 500ms
""")
    house.ami.originate(caller.channel, "test", "talk")
    cut = house.wait_fact("barge_in", by="voice")
    told = peer.wait("truncated")
    assert told["audio_end_ms"] == cut["played_ms"] > 0, (told, cut)
    assert caller.finish() == 0, caller.story() + caller.complaints()
    # the service has heard all of it, though it was told only once our ear was sure
    house.wait_fact("caller.said", text="what are your opening hours")
    assert peer.all("complaint") == [], peer.moments
    # as the caller heard it: silent soon after he began
    began = [m for m in caller.all("said-start")][0]["at_us"]
    stopped = [m["at_us"] for m in caller.all("heard-stop") if m["at_us"] > began]
    assert stopped and stopped[0] - began < 2_000_000, (began, caller.story())
    house.nothing_left()
    assert house.daemon.stop() == 0
    kept = house.facts("talk.kept")[0]
    # both sides by the clock of what was heard: the caller's sentence left, the agent's words right
    rate, left, right = stereo(kept["recording"])
    assert rate == 8000 and rms(left) > 100 and rms(right) > 100
    heard = recognise(context, kept["recording"], ["what are your opening hours", *OTHERS[2:], SORRY], 0, len(left) / 8, "left")
    assert heard["words"] == "what are your opening hours", heard
    with open(kept["transcript"]) as f:
        lines = [json.loads(line) for line in f]
    assert [(x["kind"], x.get("text")) for x in lines if x["kind"].endswith(".said")][:2] == [
        ("agent.said", LONG), ("caller.said", "what are your opening hours")], lines
    assert [x["played_ms"] for x in lines if x["kind"] == "barge_in"][0] == cut["played_ms"], lines
    assert lines[-1]["kind"] == "talk.end" and [x["ms"] for x in lines] == sorted(x["ms"] for x in lines), lines


def stereo(path):
    with wave.open(path) as f:
        assert f.getnchannels() == 2 and f.getsampwidth() == 2
        both = array.array("h", f.readframes(f.getnframes()))
        return f.getframerate(), both[0::2], both[1::2]


def test_a_daemon_that_is_killed_leaves_a_recording(context):
    house = House(context, agent_conf="provider = local\nfile = reception.agent\ntools = opening_hours\nrecording = yes\n")
    house.start()
    caller = Caller(context, "wait-hangup 30s\n")
    house.ami.originate(caller.channel, "test", "talk")
    caller.wait("heard-start")
    path = house.wait_fact("talk.kept")["recording"]
    limit = time.monotonic() + 20
    while not (os.path.exists(path) and os.path.getsize(path) > 16000 * 2):  # a second of it
        assert time.monotonic() < limit, path
        time.sleep(0.05)
    house.daemon.process.kill()
    house.daemon.process.wait(10)
    rate, left, right = stereo(path)
    assert rate == 8000 and len(left) >= 4000 and rms(right) > 100, (len(left), rms(right))
    caller.kill()
