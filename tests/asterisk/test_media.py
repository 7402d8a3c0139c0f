"""What carries the voice: a whole talk over RTP, and the next carrier when RTP cannot be had."""
import socket

from caller import Caller
from daemon import free_port
from house import House
from test_call import QUESTION, REQUEST, house_end, recognise

SCRIPT = f"""
wait-speech 20s
wait-silence 900ms 20s
say {QUESTION}
wait-speech 10s
wait 2500ms
say {REQUEST}
wait-speech 10s
wait-hangup 30s
"""


def rtp(order, port, form="ulaw", ports=1):
    return f"media = {order}\n[rtp]\nlisten = 127.0.0.1:{port}\nports = {ports}\nformat = {form}\n"


def talk(context, house, carrier):
    """A talk heard and understood both ways; returns what the daemon noted at its end."""
    house.start()
    caller = Caller(context, SCRIPT)
    house.ami.originate(caller.channel, "test", "talk")
    back = house.resumed()
    assert (back["Status"], back["Reason"]) == ("OK", "operator"), (back, house.daemon.text()[-3000:])
    assert caller.finish() == 0, caller.story() + caller.complaints()
    said = [(f["intent"], f["text"]) for f in house.facts("caller.said") if f["accepted"]]
    assert said == [("hours", QUESTION), ("operator", REQUEST)], house.facts("caller.said")
    zero = caller.wait("connected")["at_us"]
    begin = caller.wait("heard-start")["at_us"]
    greeting = house.facts("agent.said")[0]["text"]
    words = " ".join("".join(c for c in greeting.lower() if c.isalpha() or c in " '").split())
    heard = recognise(context, caller.record, [words, "we are open from nine to five", "please call again tomorrow morning", QUESTION],
                      (begin - zero) / 1000 - 200, house_end(caller, zero, begin))
    assert heard["words"] == words, (heard, words)
    assert [f["media"] for f in house.facts("stasis.media")] == [carrier], house.facts("stasis.media")
    house.nothing_left()
    end = house.facts("talk.end")
    assert len(end) == 1, end
    assert house.daemon.stop() == 0
    return end[0]


def check_rtp(context, form):
    house = House(context, extra=rtp("rtp", 24000, form, ports=2000))
    end = talk(context, house, "rtp")
    assert end["frames_in"] > 200 and end["frames_out"] > 200, end
    assert end["strangers"] == 0 and end["odd"] == 0, end


def test_a_talk_over_rtp_ulaw(context):
    check_rtp(context, "ulaw")


def test_a_talk_over_rtp_alaw(context):
    check_rtp(context, "alaw")


def test_audiosocket_carries_the_talk_when_rtp_has_no_port(context):
    taken = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    taken.bind(("127.0.0.1", 0))
    try:
        house = House(context, extra=rtp("rtp, audiosocket", taken.getsockname()[1]))
        talk(context, house, "audiosocket")
        assert [(f["failed"], f["next"]) for f in house.facts("media.next")] == [("rtp", "audiosocket")], house.facts("media.next")
    finally:
        taken.close()


def test_rtp_carries_the_talk_when_nobody_answers_at_the_audiosocket(context):
    house = House(context, advertise=f"127.0.0.1:{free_port()}", extra=rtp("audiosocket, rtp", 24000, ports=2000))
    talk(context, house, "rtp")
    gone = house.facts("media.next")
    assert [(f["failed"], f["next"], f["why"]) for f in gone] == [("audiosocket", "rtp", "refused")], gone
