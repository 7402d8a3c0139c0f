"""Calls with Deepgram's Voice Agent: a real Asterisk, the daemon, the stand-in, a caller who hears and speaks only sound."""
import json

from caller import Caller
from house import House
from openai import KEY, Deepgram

GREETING = "Good morning, this is the example company. How can I help you?"
LONG = ("We are open from nine in the morning to five in the afternoon on every working day, and on saturday from ten to two, "
        "and if you come by car you find a place behind the house, next to the big tree.")
PLACE = """
exten => rescued,1,UserEvent(Mark,What: rescued,Status: ${SIDETONE_STATUS},Reason: ${SIDETONE_REASON})
 same => n,Wait(0.5)
 same => n,Hangup(16)
"""


def house_with(context, peer):
    house = House(context, plan_more=PLACE, agent_conf=f"""provider = deepgram
key = @env:TEST_DEEPGRAM_KEY
url = {peer.url}
greeting = {GREETING}
tools = opening_hours, hand_back
fallback = test,rescued,1
""", env={"TEST_DEEPGRAM_KEY": KEY})
    house.start()
    return house


def no_secret(house):
    assert KEY not in house.daemon.text()
    assert KEY not in json.dumps(house.facts())


def test_deepgram_a_whole_call_with_barge_in_tool_and_hand_back(context):
    peer = Deepgram(context, f"""hear what are your opening hours
hear connect me with the operator
call opening_hours {{"weekday":"monday"}}
say {LONG}
call hand_back {{"reason":"operator"}}
""")
    house = house_with(context, peer)
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
    assert [f["text"] for f in house.facts("caller.said")] == ["what are your opening hours", "connect me with the operator"]
    assert [f["text"] for f in house.facts("agent.said")] == [GREETING, LONG]
    result = json.loads(peer.all("tool")[0]["response"]["content"])
    assert result["weekday"] == "monday" and "nine" in result["opens"], result
    cut = house.facts("barge_in")
    assert len(cut) == 1 and cut[0]["played_ms"] > 500, cut
    no_secret(house)
    house.nothing_left()
    assert house.daemon.stop() == 0


def test_deepgram_a_line_lost_once_is_opened_again_and_the_call_goes_on(context):
    peer = Deepgram(context, "say We are open from nine to five.\ncall hand_back {\"reason\":\"done\"}\n", fault="lost", fault_count=1)
    house = house_with(context, peer)
    caller = Caller(context, "wait-speech 20s\nwait-silence 2500ms 60s\nsay what are your opening hours\nwait-hangup 60s\n")
    house.ami.originate(caller.channel, "test", "talk")
    back = house.resumed(90)
    assert (back["Status"], back["Reason"]) == ("OK", "done"), back
    assert len(peer.all("session")) == 2, peer.moments
    assert peer.all("complaint") == [], peer.moments
    config = peer.all("configured")[1]["config"]["agent"]
    assert "greeting" not in config and config["context"]["messages"][0]["content"] == GREETING, config
    assert caller.finish() == 0, caller.story()
    house.nothing_left()
