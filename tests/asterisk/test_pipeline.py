"""A call with a pipeline: a real Asterisk, the daemon, the stand-in for its services, a caller who hears and speaks only sound."""
import json

from caller import Caller
from house import House
from openai import KEY, OpenAi

GREETING = "Good morning, example company."
LONG = ("We are open from nine in the morning to five in the afternoon on every working day, and on saturday from ten to two, "
        "and if you come by car you find a place behind the house, next to the big tree.")


def test_pipeline_a_whole_call_with_barge_in_tool_and_hand_back(context):
    peer = OpenAi(context, f"""hear what are your opening hours
hear connect me with the operator
call opening_hours {{"weekday":"monday"}}
say Certainly. {LONG}
call hand_back {{"reason":"operator"}}
""", speed=40, options=("--http", "127.0.0.1:0"))
    base = peer.http[:peer.http.index("/v1") + 3] if "/v1" in peer.http else peer.http.rstrip("/") + "/v1"
    house = House(context, agent_conf=f"""provider = pipeline
key = @env:TEST_OPENAI_KEY
url = {base}
stt = openai
stt_url = {base}
tts = openai
tts_url = {base}
greeting = {GREETING}
tools = opening_hours, hand_back
sorry = none
filler = none
""", env={"TEST_OPENAI_KEY": KEY})
    house.start()
    caller = Caller(context, """
wait-speech 20s
wait-silence 800ms 20s
say what are your opening hours
wait-speech 20s
wait 2000ms
say connect me with the operator
wait-hangup 30s
""")
    house.ami.originate(caller.channel, "test", "talk")
    back = house.resumed()
    assert (back["Status"], back["Reason"]) == ("OK", "operator"), (back, house.facts(), peer.moments)
    assert caller.finish() == 0, caller.story() + caller.complaints()
    assert peer.all("complaint") == [], peer.moments     # every request of ours is as the specification has it
    assert [f["text"] for f in house.facts("caller.said")] == ["what are your opening hours", "connect me with the operator"]
    assert "".join(f["text"] for f in house.facts("agent.said")).replace(" ", "") == (GREETING + "Certainly." + LONG).replace(" ", ""), house.facts("agent.said")
    assert [(t["name"], t["outcome"]) for t in house.facts("tool")] == [("opening_hours", "ok"), ("hand_back", "ok")], house.facts()
    cut = house.facts("barge_in")
    assert len(cut) == 1 and cut[0]["by"] == "voice" and cut[0]["item"] == house.facts("agent.said")[-1]["item"], cut
    text = house.daemon.text()
    assert KEY not in text and KEY not in json.dumps(house.facts()) and "mod=pipeline" in text
    house.nothing_left()
    assert house.daemon.stop() == 0
