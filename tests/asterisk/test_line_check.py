"""Agents for checks of the line: the caller hears himself."""
from caller import Caller
from house import House
from test_call import QUESTION, recognise

OTHERS = ["we are open from nine to five", "please call again tomorrow morning", "connect me with the operator"]


def heard_back(context, caller, begin_ms, end_ms):
    heard = recognise(context, caller.record, [QUESTION, *OTHERS], begin_ms, end_ms)
    assert heard["words"] == QUESTION, heard


def test_the_recorder_gives_back_what_was_said(context):
    house = House(context, agent_conf="provider = record\n")
    house.start()
    caller = Caller(context, f"""
wait-speech 20s
wait-silence 500ms 20s
say {QUESTION}
wait-speech 20s
wait-hangup 30s
""")
    house.ami.originate(caller.channel, "test", "talk")
    back = house.resumed()
    assert (back["Status"], back["Reason"]) == ("OK", "recorded"), (back, house.daemon.text()[-3000:])
    assert caller.finish() == 0, caller.story() + caller.complaints()
    zero = caller.wait("connected")["at_us"]
    begin = caller.wait("heard-start", nth=1)["at_us"]
    heard_back(context, caller, (begin - zero) / 1000 - 300, (caller.wait("hangup")["at_us"] - zero) / 1000)
    house.nothing_left()
    assert house.daemon.stop() == 0


def test_the_echo_gives_back_at_once(context):
    house = House(context, agent_conf="provider = echo\n")
    house.start()
    caller = Caller(context, f"""
wait 1000ms
say {QUESTION}
wait 1500ms
hang-up
""")
    house.ami.originate(caller.channel, "test", "talk")
    assert caller.finish() == 0, caller.story() + caller.complaints()
    zero = caller.wait("connected")["at_us"]
    said = caller.wait("said-start")["at_us"]
    begin = caller.wait("heard-start")["at_us"]
    assert begin > said, (said, begin)
    heard_back(context, caller, (begin - zero) / 1000 - 300, (caller.wait("said-stop")["at_us"] - zero) / 1000 + 600)
    end = house.wait_fact("talk.end")
    assert end["frames_in"] > 50 and end["frames_out"] > 50, end
    house.nothing_left()
    assert house.daemon.stop() == 0
