"""SIP callers against a real Asterisk: voice both ways of hanging up, and one who gives up early."""
import array
import os
import wave

from pbx import Pbx
from sipcall import SipCall, tone_file

PLAN = """
[sip]
exten => record,1,Answer()
 same => n,Record(@DIR@/spool/recording/heard.wav,0,20,qk)

exten => leave,1,Answer()
 same => n,Wait(0.5)
 same => n,Hangup(16)

exten => ring,1,Ringing()
 same => n,Wait(60)
"""


def test_voice_arrives_and_the_caller_hangs_up(context):
    pbx = Pbx(context, PLAN)
    ami = pbx.ami("call")
    voice = tone_file(context, "voice.ul", 2.0)
    call = SipCall(context, pbx.sip_port, "record", ending="bye", stay_ms=3000, voice=voice, number="2005", name="Ann")
    born = ami.wait("Newchannel", seconds=20)
    assert born["CallerIDNum"] == "2005" and born["CallerIDName"] == "Ann", born
    assert call.finish() == 0, call.trace()
    hangup = ami.wait("Hangup", Uniqueid=born["Uniqueid"])
    assert hangup["Cause"] in ("0", "16"), hangup  # a BYE carries no cause: 0 was seen on 22.10.1
    with wave.open(os.path.join(pbx.dir, "spool", "recording", "heard.wav")) as f:
        samples = array.array("h", f.readframes(f.getnframes()))
    loud = sum(1 for s in samples if abs(s) > 2000)
    crossings = sum(1 for a, b in zip(samples, samples[1:]) if a < 0 <= b)
    assert loud > 6000, (len(samples), loud)          # two seconds of tone: most samples are loud
    assert 1600 <= crossings <= 2100, crossings       # of 1 kHz


def test_the_pbx_hangs_up(context):
    pbx = Pbx(context, PLAN)
    call = SipCall(context, pbx.sip_port, "leave", ending="wait-bye", stay_ms=15000)
    assert call.finish() == 0, call.trace()


def test_the_caller_gives_up_early(context):
    pbx = Pbx(context, PLAN)
    ami = pbx.ami("call")
    call = SipCall(context, pbx.sip_port, "ring", ending="cancel", stay_ms=500)
    born = ami.wait("Newchannel", seconds=20)
    assert call.finish() == 0, call.trace()
    hangup = ami.wait("Hangup", Uniqueid=born["Uniqueid"])
    assert hangup["Cause"] == "127", hangup  # interworking, not 16 or 26: seen on 22.10.1


def test_a_wrong_scenario_is_noticed(context):
    """The harness itself: sipp's failure is a status, so a test cannot pass by accident."""
    pbx = Pbx(context, PLAN)
    call = SipCall(context, pbx.sip_port, "nowhere", ending="bye", stay_ms=100)
    assert call.finish() != 0
    assert "404" in call.trace(), call.trace()
