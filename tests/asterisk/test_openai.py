"""Calls with a voice model behind the Realtime dialect: a real Asterisk, the daemon, the stand-in, a caller who hears and speaks only sound."""
import array
import json
import wave

from caller import Caller, rms
from daemon import run
from house import House
from openai import KEY, OpenAi

GREETING = "Good morning, this is the example company. How can I help you?"
LONG = ("We are open from nine in the morning to five in the afternoon on every working day, and on saturday from ten to two, "
        "and if you come by car you find a place behind the house, next to the big tree.")
PLACE = """
exten => rescued,1,UserEvent(Mark,What: rescued,Status: ${SIDETONE_STATUS},Reason: ${SIDETONE_REASON})
 same => n,Wait(0.5)
 same => n,Hangup(16)
"""


QUIET = "sorry = none\ngive_up = none\nfiller = none\n"     # what is heard is the service's words only


def house_with(context, peer, more="", phrases=QUIET):
    """A house whose agent `reception` is behind the stand-in; its failures go to test,rescued,1."""
    house = House(context, plan_more=PLACE, agent_conf=f"""provider = openai
key = @env:TEST_OPENAI_KEY
url = {peer.url if peer else "ws://127.0.0.1:1/v1/realtime"}
greeting = {GREETING}
tools = opening_hours, hand_back
fallback = test,rescued,1
{phrases}
{more}
""", env={"TEST_OPENAI_KEY": KEY})
    house.start()
    return house


def rescued(house, seconds=30):
    return house.ami.wait("UserEvent", seconds=seconds, UserEvent="Mark", What="rescued")


def no_secret(house):
    assert KEY not in house.daemon.text()
    assert KEY not in json.dumps(house.facts())


def whole_call(context, more=""):
    peer = OpenAi(context, f"""hear what are your opening hours
hear connect me with the operator
say {GREETING}
call opening_hours {{"weekday":"monday"}}
say {LONG}
call hand_back {{"reason":"operator"}}
""")
    house = house_with(context, peer, more)
    caller = Caller(context, """
wait-speech 20s
wait-silence 1500ms 20s
say what are your opening hours
wait-speech 20s
wait 3000ms
say connect me with the operator
wait-hangup 30s
""")
    house.ami.originate(caller.channel, "test", "talk")
    back = house.resumed()
    assert (back["Status"], back["Reason"]) == ("OK", "operator"), (back, house.facts(), peer.moments)
    assert caller.finish() == 0, caller.story() + caller.complaints()
    assert peer.all("complaint") == [], peer.moments     # every message of ours is as the specification has it
    # both sides' words
    assert [f["text"] for f in house.facts("caller.said")] == ["what are your opening hours", "connect me with the operator"]
    assert [f["text"] for f in house.facts("agent.said")] == [GREETING, LONG]
    # the tool ran, and the model got its result
    assert [(t["name"], t["outcome"]) for t in house.facts("tool")] == [("opening_hours", "ok"), ("hand_back", "ok")], house.facts()
    result = json.loads(peer.all("tool")[0]["item"]["output"])
    assert result["weekday"] == "monday" and "nine" in result["opens"], result
    # the service is told of exactly the milliseconds that the caller heard: by our clock, and by the caller's own ear
    cut = house.facts("barge_in")
    assert len(cut) == 1 and cut[0]["by"] == "voice", cut
    told = peer.wait("truncated")
    assert len(peer.all("truncated")) == 1 and told["audio_end_ms"] == cut[0]["played_ms"], (peer.all("truncated"), cut)
    assert told["sent_ms"] > told["audio_end_ms"] > 500, told
    assert_heard(context, caller, told["audio_end_ms"], "say what are your opening hours")
    no_secret(house)
    house.nothing_left()
    assert house.daemon.stop() == 0


def test_a_whole_call_with_barge_in_tool_and_hand_back(context):
    whole_call(context)


def test_a_whole_call_with_wide_audio(context):
    whole_call(context, "audio = pcm")


def loud_span(samples):
    """Milliseconds of the first and behind the last loud 10 ms."""
    loud = [i for i in range(0, len(samples) - 80, 80) if rms(samples[i:i + 80]) > 100]
    assert loud
    return loud[0] / 8, (loud[-1] + 80) / 8


def assert_heard(context, caller, told_ms, after):
    """What the caller heard of LONG is what its first told_ms sound like: no more, no less."""
    made = context.path("long.wav")
    code, _, err = run(context, "sim", "say", LONG, "--voice", "slt", "--output", made)
    assert code == 0, err
    with wave.open(made) as f:
        whole = array.array("h", f.readframes(f.getnframes()))
    first, last = loud_span(whole[:told_ms * 8])
    zero = caller.wait("connected")["at_us"]
    began = [m for m in caller.all("said-stop") if m["detail"] == after][0]["at_us"]
    _, heard = caller.recording()
    heard_first, heard_last = loud_span(heard[(began - zero) * 8 // 1000:])
    assert abs((heard_last - heard_first) - (last - first)) <= 40, (heard_first, heard_last, first, last, told_ms)


def test_no_service_goes_to_the_fallback(context):
    house = house_with(context, None)
    caller = Caller(context, "wait-hangup 40s\n")
    house.ami.originate(caller.channel, "test", "talk")
    back = rescued(house)
    assert (back["Status"], back["Reason"]) == ("ERROR", "provider_net"), back
    assert caller.finish() == 0, caller.story()
    no_secret(house)
    house.nothing_left()


def test_a_wrong_key_goes_to_the_fallback_and_is_told_nowhere(context):
    peer = OpenAi(context, key="sk-another")
    house = house_with(context, peer)
    caller = Caller(context, "wait-hangup 40s\n")
    house.ami.originate(caller.channel, "test", "talk")
    back = rescued(house)
    assert (back["Status"], back["Reason"]) == ("ERROR", "provider_auth"), back
    assert len(peer.all("refused")) == 1, peer.moments  # not tried again
    assert caller.finish() == 0, caller.story()
    no_secret(house)
    house.nothing_left()


def test_a_service_that_dies_in_mid_word_goes_to_the_fallback(context):
    peer = OpenAi(context, f"say {LONG}\n")
    house = house_with(context, peer)
    caller = Caller(context, "wait-hangup 60s\n")
    house.ami.originate(caller.channel, "test", "talk")
    caller.wait("heard-start")
    peer.kill()
    back = rescued(house)
    assert (back["Status"], back["Reason"]) == ("ERROR", "provider_net"), back
    assert caller.finish() == 0, caller.story()
    house.nothing_left()


def test_a_line_lost_once_is_opened_again_and_the_call_goes_on(context):
    peer = OpenAi(context, f"say {LONG}\ncall hand_back {{\"reason\":\"done\"}}\n", fault="lost", fault_count=1)
    house = house_with(context, peer)
    caller = Caller(context, "wait-speech 20s\nwait-silence 2500ms 60s\nsay what are your opening hours\nwait-hangup 60s\n")
    house.ami.originate(caller.channel, "test", "talk")
    back = house.resumed(90)
    assert (back["Status"], back["Reason"]) == ("OK", "done"), back
    assert len(peer.all("session")) == 2, peer.moments
    assert peer.all("complaint") == [], peer.moments
    assert caller.finish() == 0, caller.story()
    house.nothing_left()
