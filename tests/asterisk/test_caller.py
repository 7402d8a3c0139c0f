"""The test caller against a real Asterisk."""
import time

from ami import stamp
from caller import Caller, rms
from pbx import Pbx

PLAN = """
[test]
exten => prompt-echo,1,Answer()
 same => n,Wait(0.5)
 same => n,UserEvent(Mark,What: prompt)
 same => n,Playback(demo-thanks)
 same => n,UserEvent(Mark,What: prompt-end)
 same => n,Echo()

exten => leave,1,Answer()
 same => n,Wait(0.3)
 same => n,Playback(beep)
 same => n,Hangup(16)

exten => quiet,1,Answer()
 same => n,Wait(60)

exten => ring,1,Ringing()
 same => n,Wait(60)
"""


def test_prompt_and_echo(context):
    """It hears the prompt, speaks, and hears itself: every moment is there, in order, and stands where the recording says."""
    pbx = Pbx(context, PLAN)
    ami = pbx.ami("user,call")
    caller = Caller(context, "wait-speech 10s\nwait-silence 1s 20s\nsay This is a test of the echo.\nwait-silence 800ms 10s\nhang-up\n")
    ami.originate(caller.channel, "test", "prompt-echo")
    prompt = ami.wait("UserEvent", What="prompt", seconds=20)
    prompt_end = ami.wait("UserEvent", What="prompt-end", seconds=20)
    assert caller.finish() == 0, caller.story() + caller.complaints()
    connected, first, last = caller.wait("connected"), caller.wait("heard-start"), caller.all("heard-stop")[-1]
    assert connected["detail"] == caller.uuid
    # Prompts begin with a little silence; what is heard cannot be before it was played, nor much after.
    began = first["at_us"] / 1e6 - stamp(prompt)
    assert -0.1 < began < 1.0, began
    said, unsaid = caller.wait("said-start"), caller.wait("said-stop")
    echo = [m for m in caller.all("heard-start") if m["at_us"] >= said["at_us"] - 20000]
    assert echo, caller.story()
    delay_ms = (echo[0]["at_us"] - said["at_us"]) / 1000
    assert -20 <= delay_ms < 400, delay_ms
    assert abs(last["at_us"] - unsaid["at_us"]) < 400000, caller.story()
    times = [connected["at_us"], first["at_us"], int(stamp(prompt_end) * 1e6), said["at_us"], unsaid["at_us"]]
    assert times == sorted(times), caller.story()
    assert caller.wait("hangup")["detail"] == "by the script"

    left, right = caller.recording()
    at = (said["at_us"] - connected["at_us"]) // 125
    assert rms(left[:at]) < 50 and rms(left[at:at + 4000]) > 300
    at = (first["at_us"] - connected["at_us"]) // 125
    assert rms(right[:at]) < 50 and rms(right[at:at + 4000]) > 100
    # The echo is bit for bit what was said, somewhere near.
    begin = (said["at_us"] - connected["at_us"]) // 125
    word = left[begin:begin + 2000].tobytes()
    found = right.tobytes().find(word)
    assert found >= 0 and found % 2 == 0, "what came back is not what was said"
    assert abs(found // 2 - begin) < 3200, (found // 2, begin)
    ami.wait("Hangup", seconds=10)


def test_the_other_side_hangs_up(context):
    pbx = Pbx(context, PLAN)
    ami = pbx.ami("call")
    content = Caller(context, "wait-speech 10s\nwait-hangup 20s\n", name="content")
    surprised = Caller(context, "wait-speech 10s\nwait 30s\n", name="surprised")
    ami.originate(content.channel, "test", "leave")
    ami.originate(surprised.channel, "test", "leave")
    assert content.finish() == 0, content.story() + content.complaints()
    assert surprised.finish() == 1, surprised.story()
    assert content.wait("hangup")["detail"] == "by the other side"
    assert "the other side ended the call before it" in surprised.wait("failed")["detail"]
    hangup = ami.wait("Hangup")
    assert hangup["Channel"].startswith("AudioSocket/"), hangup


def test_our_hangup_ends_the_channel(context):
    pbx = Pbx(context, PLAN)
    ami = pbx.ami("call")
    caller = Caller(context, "wait-speech 5s\nwait 300ms\n")  # it hears the ringing
    ami.originate(caller.channel, "test", "ring")
    assert caller.finish() == 0, caller.story()
    hangup = ami.wait("Hangup", seconds=10)
    assert abs(stamp(hangup) - caller.wait("hangup")["at_us"] / 1e6) < 1.0, (hangup, caller.story())
    limit = time.monotonic() + 5
    while ami.channels():
        assert time.monotonic() < limit, ami.channels()
        time.sleep(0.05)


def test_a_wait_that_runs_out(context):
    pbx = Pbx(context, PLAN)
    caller = Caller(context, "# nobody speaks there\nwait-speech 600ms\nsay never\n")
    pbx.ami("off").originate(caller.channel, "test", "quiet")
    assert caller.finish() == 1, caller.story()
    assert caller.wait("failed")["detail"] == "line 2: wait-speech 600ms: ran out"
    assert not caller.all("said-start")


def test_nobody_calls(context):
    caller = Caller(context, "wait 1s\n", arguments=["--connect", "200ms"])
    assert caller.finish() == 1
    assert caller.wait("failed")["detail"] == "nobody connected in time"
