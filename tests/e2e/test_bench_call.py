"""The verb bench call: whole talks through a daemon, with the echo of a stand-in and with a voice that is cut short."""
import json
import subprocess

from daemon import Daemon, free_port, run


def stand_in(context, *options):
    p = subprocess.Popen([context.program, "sim", "openai", *options], stdout=subprocess.PIPE, text=True)
    context.at_end(p.kill)
    return json.loads(p.stdout.readline())["detail"]["url"]


def daemon(context, agent):
    port = free_port()
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\nworkers = 1\n[audiosocket]\nlisten = 127.0.0.1:{port}\naccept = any\n"
                         f"agent = a\ncalls_max = 20\n[agent a]\n{agent}")
    return Daemon(context, conf, env={"TEST_KEY": "sk-test"}, wait="event=ready"), port


def calls(context, port, *options):
    code, out, err = run(context, "bench", "call", "--target", f"127.0.0.1:{port}", "--json", *options, timeout=90)
    assert code == 0, out + err
    return json.loads(out)


def test_marks_come_back_through_a_service(context):
    url = stand_in(context, "--echo")
    house, port = daemon(context, f"provider = openai\nkey = @env:TEST_KEY\nurl = {url}\nbarge_in = none\n")
    f = calls(context, port, "--calls", "4", "--seconds", "5")
    assert f["counted"] > 4 * 50 and f["missing"] == 0 and f["disordered"] == 0 and f["broken_legs"] == 0, f
    assert house.stop() == 0


def test_a_voice_cuts_the_agent_short(context):
    words = "This is a long answer that goes on and on, so that somebody can cut it short whenever he likes to. " * 3
    url = stand_in(context, "--script", context.write("script", f"say {words}\n"))
    code, _, err = run(context, "sim", "say", "what are your opening hours", "--voice", "awb", "--output", context.path("say.wav"))
    assert code == 0, err
    house, port = daemon(context, f"provider = openai\nkey = @env:TEST_KEY\nurl = {url}\nbarge_in = voice\n")
    f = calls(context, port, "--calls", "2", "--seconds", "8", "--say", context.path("say.wav"))
    assert f["cuts"] >= 2 and f["uncut"] == 0 and f["broken_legs"] == 0, f
    assert house.stop() == 0


def test_wrong_use_is_one_line(context):
    wav = context.write("no.wav", "this is no sound")
    for args, code in (((), 2), (("--target", "nowhere"), 2), (("--target", "127.0.0.1:1", "--seconds", "1"), 2), (("--target", "127.0.0.1:1", "--calls", "0"), 2),
                       (("--target", "127.0.0.1:1", "--say", wav), 1), (("--target", "127.0.0.1:1", "--calls", "1"), 1)):
        got, out, err = run(context, "bench", "call", *args)
        assert got == code and len(err.strip().splitlines()) <= 2 and err and not out, (args, got, out, err)
