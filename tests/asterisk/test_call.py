"""Whole calls: a real Asterisk, the daemon, a caller who hears and speaks only sound."""
import json
import os
import shutil
import signal
import subprocess
import time

from caller import Caller
from daemon import free_port, run
from house import House
from runner import Skip
from sipcall import SipCall

QUESTION, REQUEST = "what are your opening hours", "connect me with the operator"


def recognise(context, wav, phrases, begin_ms, end_ms, channel="right"):
    """What the embedded recogniser hears in a piece of a recording, among these phrases."""
    agent = "[agent]\ngreeting = x\n" + "".join(f"[intent p{i}]\nsay = {p}\nanswer = x\n" for i, p in enumerate(phrases))
    where = context.write("listener.agent", agent)
    code, out, err = run(context, "sim", "recognise", wav, "--agent", where, "--channel", channel, "--from", str(int(begin_ms)),
                         "--to", str(int(end_ms)), "--json")
    assert code == 0, (code, out, err)
    return json.loads(out)


def test_a_whole_call_from_look_up_to_hand_back(context):
    house = House(context)
    house.start()
    caller = Caller(context, f"""
wait-speech 20s
wait-silence 900ms 20s
say {QUESTION}
wait-speech 10s
wait 2500ms
say {REQUEST}
wait-speech 10s
wait-hangup 30s
""")
    house.ami.originate(caller.channel, "test", "full")
    asked = house.ami.wait("UserEvent", seconds=20, UserEvent="Mark", What="asked")
    assert asked["CallerName"] == "Ada Lovelace" and asked["Status"] == "HANDOFF" and asked["Agi"] == "SUCCESS", asked
    back = house.resumed()
    assert (back["Status"], back["Reason"], back["At"], back["Stasis"]) == ("OK", "operator", "6", "SUCCESS"), back
    assert back["Call"] == back["Uniqueid"], back
    assert caller.finish() == 0, caller.story() + caller.complaints()
    # understood from the sound
    said = [f for f in house.facts("caller.said") if f["accepted"]]
    assert [(f["intent"], f["text"]) for f in said] == [("hours", QUESTION), ("operator", REQUEST)], house.facts("caller.said")
    # the greeting was heard: the recorded sound is recognised again, among other sentences
    zero = caller.wait("connected")["at_us"]
    begin, end = caller.wait("heard-start")["at_us"], caller.wait("heard-stop")["at_us"]
    greeting = house.facts("agent.said")[0]["text"]
    words = " ".join("".join(c for c in greeting.lower() if c.isalpha() or c in " '").split())
    heard = recognise(context, caller.record, [words, "we are open from nine to five", "please call again tomorrow morning",
                                               "what are your opening hours"], (begin - zero) / 1000 - 200,
                      house_end(caller, zero, begin))
    assert heard["words"] == words, (heard, words)
    # barge-in: cut by voice, and the caller heard it stop
    cut = house.facts("barge_in")
    assert len(cut) == 1 and cut[0]["by"] == "voice" and cut[0]["played_ms"] > 500, cut
    began = [m for m in caller.all("said-start") if m["detail"] == "say " + REQUEST][0]["at_us"]
    stopped = [m["at_us"] for m in caller.all("heard-stop") if m["at_us"] > began]
    assert stopped, caller.story()
    whole = [f for f in house.facts("agent.said") if "open from nine" in f["text"]]
    assert whole and cut[0]["item"] == whole[0]["item"], (whole, cut)
    assert [f["item"] for f in house.facts("agent.heard")].count(whole[0]["item"]) == 0  # never heard to its end
    tool = house.facts("tool")
    assert [(t["name"], t["outcome"]) for t in tool] == [("opening_hours", "ok")], tool
    house.nothing_left()
    assert house.daemon.stop() == 0


def house_end(caller, zero, begin):
    """Milliseconds where the first sentence ends: the last stop before the caller speaks."""
    spoke = caller.wait("said-start")["at_us"]
    stops = [m["at_us"] for m in caller.all("heard-stop") if begin < m["at_us"] <= spoke]
    return (stops[-1] - zero) / 1000 + 300


def test_digits_choose_and_cut(context):
    house = House(context)
    house.start()
    caller = Caller(context, "wait-speech 20s\nwait 400ms\nwait-hangup 40s\n")
    house.ami.originate(caller.channel, "test", "talk")
    caller.wait("heard-start")
    channel = house.ami.channels()
    mine = [c for c in channel if c.startswith("AudioSocket/") and caller.uuid in c]
    assert mine, channel
    assert house.ami.action("PlayDTMF", Channel=mine[0], Digit="0", Receive="true")["Response"] == "Success"
    back = house.resumed()
    assert (back["Status"], back["Reason"]) == ("OK", "operator"), back
    assert [f["by"] for f in house.facts("barge_in")] == ["digit"], house.facts()
    assert caller.finish() == 0, caller.story()
    house.nothing_left()


def voice_file(context, *sentences):
    """Raw mu-law: silence, a sentence, silence, the next ... by the second voice."""
    if not shutil.which("sox"):
        raise Skip("sox is not installed")
    parts = []
    for i, (pause, words) in enumerate(sentences):
        made = context.path(f"say{i}.wav")
        code, _, err = run(context, "sim", "say", words, "--voice", "awb", "--output", made)
        assert code == 0, err
        padded = context.path(f"padded{i}.wav")
        subprocess.run(["sox", made, padded, "pad", str(pause), "0"], check=True)
        parts.append(padded)
    out = context.path("voice.ul")
    subprocess.run(["sox", *parts, "-t", "ul", "-r", "8000", out, "pad", "0", "6"], check=True)
    return out


def test_a_sip_caller_with_voice(context):
    house = House(context)
    house.start()
    voice = voice_file(context, (7, QUESTION), (3.5, REQUEST))
    call = SipCall(context, house.pbx.sip_port, "talk", ending="wait-bye", stay_ms=40000, voice=voice, number="2005", name="Ann")
    back = house.resumed()
    assert (back["Status"], back["Reason"]) == ("OK", "operator"), (back, house.facts())
    assert back["Channel"].startswith("PJSIP/"), back
    assert call.finish() == 0, call.trace()
    assert [f["intent"] for f in house.facts("caller.said") if f["accepted"]] == ["hours", "operator"], house.facts("caller.said")
    start = house.facts("stasis.start")[0]
    assert start["caller_number"] == "2005" and start["caller_name"] == "Ann", start
    house.nothing_left()


def test_agi_without_daemon_goes_on(context):
    house = House(context)
    caller = Caller(context, "wait-hangup 20s\n")
    house.ami.originate(caller.channel, "test", "full")
    asked = house.ami.wait("UserEvent", seconds=20, UserEvent="Mark", What="asked")
    assert asked["Agi"] == "FAILURE" and asked["Status"] == "", asked
    back = house.resumed()
    assert back["Stasis"] == "FAILED", back
    assert caller.finish() == 0, caller.story()
    house.nothing_left()


def test_killed_daemon_hands_back_when_it_returns(context):
    house = House(context)
    house.start()
    caller = Caller(context, "wait-speech 20s\nwait-hangup 40s\n")
    house.ami.originate(caller.channel, "test", "talk")
    caller.wait("heard-start")
    house.daemon.kill()
    time.sleep(1)  # the caller is alone in Stasis for a while
    assert any(caller.uuid in c for c in house.ami.channels())
    house.start()
    back = house.resumed()
    assert (back["Status"], back["Reason"], back["At"]) == ("ERROR", "restart", "4"), back
    assert caller.finish() == 0, caller.story()
    house.nothing_left()


def test_killed_daemon_that_stays_away_is_ended_by_the_guard(context):
    house = House(context, guard=6)
    house.start()
    caller = Caller(context, "wait-speech 20s\nwait-hangup 40s\n")
    house.ami.originate(caller.channel, "test", "talk")
    caller.wait("heard-start")
    house.daemon.kill()
    assert caller.finish() == 0, caller.story()
    limit = time.monotonic() + 15
    while house.ami.channels() and time.monotonic() < limit:
        time.sleep(0.1)
    assert house.ami.channels() == []
    house.start()  # what cannot hang up by itself, the bridge, is swept by the next start
    house.nothing_left()


def test_refused_media_port_goes_back_at_once(context):
    house = House(context, advertise=f"127.0.0.1:{free_port()}")
    house.start()
    caller = Caller(context, "wait-hangup 20s\n")
    house.ami.originate(caller.channel, "test", "talk")
    back = house.resumed(20)
    assert (back["Status"], back["Reason"]) == ("ERROR", "media_refused"), back
    assert caller.finish() == 0, caller.story()
    house.nothing_left()


def test_unknown_agent_goes_back(context):
    house = House(context, agent="nobody")
    house.start()
    caller = Caller(context, "wait-hangup 20s\n")
    house.ami.originate(caller.channel, "test", "talk")
    back = house.resumed(20)
    assert (back["Status"], back["Reason"]) == ("ERROR", "no_agent"), back
    assert caller.finish() == 0, caller.story()
    house.nothing_left()


def test_term_in_the_middle_hands_back(context):
    house = House(context)
    house.start()
    caller = Caller(context, "wait-speech 20s\nwait-hangup 40s\n")
    house.ami.originate(caller.channel, "test", "talk")
    caller.wait("heard-start")
    house.daemon.process.send_signal(signal.SIGTERM)
    back = house.resumed(20)
    assert (back["Status"], back["Reason"]) == ("ERROR", "shutdown"), back
    assert house.daemon.process.wait(20) == 0
    assert caller.finish() == 0, caller.story()
    house.nothing_left()


def test_hang_up_at_each_stage_leaves_nothing(context):
    house = House(context)
    house.start()
    for round_, delay in enumerate((0, 0.01, 0.02, 0.04, 0.06, 0.09, 0.15, 0.3, 1.0)):
        caller = Caller(context, "wait 60s\n", name=f"caller{round_}")
        house.ami.originate(caller.channel, "test", "talk")
        caller.wait("connected")
        time.sleep(delay)  # a different stage each: before Stasis, answering, bridging, media, greeting
        caller.kill()
        house.nothing_left()
    # in the middle of an answer, and during the farewell
    for name, script in (("asking", f"wait-speech 20s\nwait-silence 900ms 20s\nsay {QUESTION}\nwait-speech 10s\nwait 300ms\nhang-up\n"),
                         ("leaving", f"wait-speech 20s\nwait-silence 900ms 20s\nsay {REQUEST}\nwait-speech 10s\nwait 100ms\nhang-up\n")):
        caller = Caller(context, script, name=name)
        house.ami.originate(caller.channel, "test", "talk")
        assert caller.finish() == 0, caller.story()
        house.nothing_left()
    # and the next call is as good as the first
    caller = Caller(context, f"wait-speech 20s\nwait-silence 900ms 20s\nsay {REQUEST}\nwait-hangup 30s\n", name="last")
    house.ami.originate(caller.channel, "test", "talk")
    assert caller.finish() == 0, caller.story()
    assert house.daemon.stop() == 0


def test_asterisk_restart_is_survived(context):
    house = House(context)
    house.start()
    caller = Caller(context, "wait-hangup 60s\n")
    house.ami.originate(caller.channel, "test", "talk")
    caller.wait("heard-start")
    os.kill(house.pbx.pid, signal.SIGKILL)
    house.daemon.wait_log("mod=stasis event=down")
    house.wait_fact("talk.end")  # the media connection died with it
    assert caller.finish() == 0, caller.story()
    house.daemon.wait_log("event=unreachable")
    assert house.daemon.process.poll() is None
    assert house.daemon.stop() == 0


def test_many_calls_at_once(context):
    house = House(context)
    house.start()
    script = f"wait-speech 30s\nwait-silence 900ms 20s\nsay {REQUEST}\nwait-hangup 40s\n"
    callers = [Caller(context, script, name=f"caller{i}", voice=("rms", "awb")[i % 2]) for i in range(6)]
    for caller in callers:
        house.ami.originate(caller.channel, "test", "talk")
    back = [house.resumed() for _ in callers]
    assert all((b["Status"], b["Reason"]) == ("OK", "operator") for b in back), back
    for caller in callers:
        assert caller.finish() == 0, caller.story()
    house.nothing_left()
