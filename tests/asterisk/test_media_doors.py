"""Each way in which Asterisk brings a voice, in formats with other rates and byte orders: the caller hears himself, in words that are recognised."""
import os

from caller import Caller
from daemon import free_port
from house import House
from test_call import QUESTION
from test_line_check import heard_back


def echo(context, house, name, conf):
    """One call with the echo through this media; returns the talk's figures."""
    with open(house.conf, encoding="utf-8") as f:
        text = f.read()
    with open(house.conf, "w", encoding="utf-8") as f:
        f.write(text.split("[agent reception]")[0] + f"[agent reception]\nprovider = echo\n{conf}")
    before = len(house.facts("talk.end")) if os.path.exists(f"{house.state}/sidetone.db") else 0
    house.start()
    caller = Caller(context, f"wait 1000ms\nsay {QUESTION}\nwait 1500ms\nhang-up\n", name=name)
    house.ami.originate(caller.channel, "test", "talk")
    assert caller.finish() == 0, caller.story() + caller.complaints() + house.daemon.text()[-3000:]
    zero = caller.wait("connected")["at_us"]
    begin = caller.wait("heard-start")["at_us"]
    heard_back(context, caller, (begin - zero) / 1000 - 300, (caller.wait("said-stop")["at_us"] - zero) / 1000 + 600)
    house.nothing_left()
    assert house.daemon.stop() == 0
    ends, doors = house.facts("talk.end")[before:], house.facts("stasis.media")[before:]
    assert len(ends) == 1 and len(doors) == 1, (ends, doors)
    end = {**ends[0], "media": doors[0]["media"]}
    assert end["frames_in"] > 50 and end["frames_out"] > 50 and end["odd"] == 0, end
    assert not house.facts("media.next")
    return end


def test_a_digit_cuts_through_the_websocket(context):
    """The digit comes as a message of the WebSocket, and what Asterisk holds of the greeting is thrown away."""
    house = House(context, extra="media = websocket\n")
    house.start()
    caller = Caller(context, "wait-speech 20s\nwait 400ms\nwait-hangup 40s\n")
    house.ami.originate(caller.channel, "test", "talk")
    caller.wait("heard-start")
    mine = [c for c in house.ami.channels() if c.startswith("AudioSocket/") and caller.uuid in c]
    assert house.ami.action("PlayDTMF", Channel=mine[0], Digit="0", Receive="true")["Response"] == "Success"
    back = house.resumed()
    assert (back["Status"], back["Reason"]) == ("OK", "operator"), back
    assert [f["by"] for f in house.facts("barge_in")] == ["digit"], house.facts()
    assert [f["media"] for f in house.facts("stasis.media")] == ["websocket"]
    assert caller.finish() == 0, caller.story()
    house.nothing_left()
    assert house.daemon.stop() == 0


def test_audiosocket_follows_a_websocket_that_cannot_be(context):
    house = House(context, agent_conf=f"provider = echo\nmedia = websocket, audiosocket\n[websocket]\nopened_by = asterisk\nlisten = 127.0.0.1:{free_port()}\n"
                  "client = nobody\n")
    house.start()
    caller = Caller(context, "wait 300ms\nhang-up\n")
    house.ami.originate(caller.channel, "test", "talk")
    assert caller.finish() == 0, caller.story()
    house.wait_fact("talk.end")
    gone = [(f["failed"], f["next"]) for f in house.facts("media.next")]
    assert gone == [("websocket", "audiosocket")], gone
    assert [f["media"] for f in house.facts("stasis.media")] == ["audiosocket"]
    house.nothing_left()
    assert house.daemon.stop() == 0


def test_the_websocket_opened_by_us(context):
    house = House(context)
    for form in os.environ.get("SIDETONE_TEST_FORMATS", "slin16").split():
        end = echo(context, house, form, f"media = websocket\n[websocket]\nformat = {form}\n")
        assert end["media"] == "websocket", end


def test_the_websocket_opened_by_asterisk(context):
    port = free_port()
    client = f"[sidetone]\ntype = websocket_client\nuri = ws://127.0.0.1:{port}/media\nprotocols = media\nconnection_type = per_call_config\n"
    house = House(context, configs={"websocket_client.conf": client, "chan_websocket.conf": "[global]\ntype = global\ncontrol_message_format = json\n"})
    end = echo(context, house, "ulaw", f"media = websocket\n[websocket]\nopened_by = asterisk\nlisten = 127.0.0.1:{port}\nformat = ulaw\n")
    assert end["media"] == "websocket", end


def test_rtp_in_sixteen_kilohertz(context):
    house = House(context)
    end = echo(context, house, "g722", f"media = rtp\n[rtp]\nlisten = 127.0.0.1:{free_port()}\nports = 1\nformat = g722\n")
    assert end["media"] == "rtp" and end["strangers"] == 0, end


def test_audiosocket_in_sixteen_kilohertz(context):
    house = House(context)
    for form in os.environ.get("SIDETONE_TEST_RATES", "slin16").split():
        with open(house.conf, encoding="utf-8") as f:
            text = f.read()
        with open(house.conf, "w", encoding="utf-8") as f:
            f.write(text.replace("[audiosocket]\n", f"[audiosocket]\nformat = {form}\n", 1))
        end = echo(context, house, form, "media = audiosocket\n")
        assert end["media"] == "audiosocket", end
        with open(house.conf, "w", encoding="utf-8") as f:
            f.write(text)


PLAN = """
exten => open,1,Answer()
 same => n,AudioSocket(${UUID()},127.0.0.1:@MEDIA@)
 same => n,UserEvent(Mark,What: open-over)
 same => n,Wait(0.5)
 same => n,Hangup(16)

"""


def test_audiosocket_of_the_dialplan_without_ari(context):
    port = free_port()
    house = House(context, plan_more=PLAN.replace("@MEDIA@", str(port)))
    with open(house.conf, encoding="utf-8") as f:
        text = f.read()
    with open(house.conf, "w", encoding="utf-8") as f:
        f.write(text.split("[audiosocket]")[0] + f"[audiosocket]\nlisten = 127.0.0.1:{port}\naccept = any\nagent = line\n[agent line]\nprovider = echo\nmax_duration = 5s\n")
    house.start()
    caller = Caller(context, f"wait 1000ms\nsay {QUESTION}\nwait-hangup 20s\n")
    house.ami.originate(caller.channel, "test", "open")
    house.ami.wait("UserEvent", seconds=20, UserEvent="Mark", What="open-over")
    assert caller.finish() == 0, caller.story() + caller.complaints()
    zero, begin = caller.wait("connected")["at_us"], caller.wait("heard-start")["at_us"]
    heard_back(context, caller, (begin - zero) / 1000 - 300, (caller.wait("said-stop")["at_us"] - zero) / 1000 + 600)
    house.nothing_left()
    assert house.daemon.stop() == 0
