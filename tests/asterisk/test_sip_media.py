"""A SIP caller (sipp, G.711 over RTP) through each transport, measured as he hears it: Asterisk records both directions of his own channel."""
import array
import os
import wave

from daemon import free_port
from house import House
from sipcall import SipCall
from test_call import QUESTION, REQUEST, voice_file

PLAN = """
exten => heard,1,Answer()
 same => n,Set(TIMEOUT(absolute)=60)
 same => n,MixMonitor(@DIR@/spool/recording/both.wav,r(@DIR@/spool/recording/said.wav)t(@DIR@/spool/recording/heard.wav)S)
 same => n,Stasis(sidetone,@AGENT@)
 same => n(after),UserEvent(Mark,What: resumed,At: ${PRIORITY},Status: ${SIDETONE_STATUS},Reason: ${SIDETONE_REASON},Stasis: ${STASISSTATUS},Call: ${SIDETONE_CALL})
 same => n,StopMixMonitor()
 same => n,Wait(0.5)
 same => n,Hangup(16)

[sip]
exten => heard,1,Goto(test,heard,1)

"""
FRAME_MS = 20


def loud_frames(path):
    """For each 20 ms of the file: is something to be heard?"""
    with wave.open(path) as f:
        samples = array.array("h", f.readframes(f.getnframes()))
        step = f.getframerate() * FRAME_MS // 1000
    return [sum(abs(s) for s in samples[i:i + step]) > 300 * step for i in range(0, len(samples) - step + 1, step)]


def figures(said, heard):
    """Milliseconds: until the first word is heard; the longest hole in the greeting up to the caller's word; from his word to the agent's silence."""
    first = heard.index(True)
    onset = said.index(True)
    gap = run = 0
    for is_loud in heard[first:onset]:
        run = 0 if is_loud else run + 1
        gap = max(gap, run)
    end = onset
    quiet = 0
    for i in range(onset, len(heard)):
        quiet = 0 if heard[i] else quiet + 1
        if heard[i]:
            end = i
        if quiet * FRAME_MS >= 300:
            break
    return {"first_audio_ms": first * FRAME_MS, "worst_gap_ms": gap * FRAME_MS, "cut_ms": (end + 1 - onset) * FRAME_MS}


def sip_talk(context, media, conf):
    house = House(context, plan_more=PLAN, agent_conf=f"provider = local\nfile = reception.agent\ntools = opening_hours\nmedia = {media}\n{conf}")
    house.start()
    # The greeting lasts some three seconds: the question comes into its middle, and is heard whole.
    call = SipCall(context, house.pbx.sip_port, "heard", ending="wait-bye", stay_ms=45000, voice=voice_file(context, (1.6, QUESTION), (2.2, REQUEST)))
    house.wait_fact("talk.end", seconds=40)
    back = house.resumed()
    assert (back["Status"], back["Reason"]) == ("OK", "operator"), (back, house.facts("caller.said"))
    assert call.finish() == 0, call.trace()
    assert [f["media"] for f in house.facts("stasis.media")] == [media]
    assert not house.facts("media.next")
    said = house.facts("caller.said")
    assert [f["intent"] for f in said] == ["hours", "operator"], said
    spool = os.path.join(house.pbx.dir, "spool", "recording")
    numbers = figures(loud_frames(f"{spool}/said.wav"), loud_frames(f"{spool}/heard.wav"))
    print(f"{media}: {numbers}")
    # Liveness only; the figures belong to docs/benchmarks.md. A gap of a second is no pause between words: the greeting's longest is 0.5 s.
    assert numbers["first_audio_ms"] < 5000 and numbers["worst_gap_ms"] < 1000 and 0 < numbers["cut_ms"] < 2000, numbers
    assert len(house.facts("barge_in")) >= 1, house.facts()
    end = house.facts("talk.end")[0]
    assert end["frames_in"] > 100 and end["frames_out"] > 100 and end["odd"] == 0, end
    house.nothing_left()
    assert house.daemon.stop() == 0


def test_a_sip_call_through_audiosocket(context):
    sip_talk(context, "audiosocket", "")


def test_a_sip_call_through_rtp(context):
    sip_talk(context, "rtp", f"[rtp]\nlisten = 127.0.0.1:{free_port()}\nports = 2\nformat = ulaw\n")


def test_a_sip_call_through_a_websocket(context):
    sip_talk(context, "websocket", "[websocket]\nformat = ulaw\n")
