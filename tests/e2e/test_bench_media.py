"""The verb bench media: every mark that a caller sends comes back once, in order, through a whole conversation."""
import json
import signal
import socket
import subprocess

from daemon import run


def plane(context, legs):
    p = subprocess.Popen([context.program, "bench", "media", "--serve", "127.0.0.1:0", "--legs", str(legs)], stdout=subprocess.PIPE, text=True)
    context.at_end(p.kill)
    return p, int(p.stdout.readline())


def test_every_mark_comes_back_once(context):
    p, port = plane(context, 12)
    code, out, err = run(context, "bench", "media", "--target", f"127.0.0.1:{port}", "--legs", "12", "--seconds", "3", "--json", timeout=60)
    assert code == 0, out + err
    f = json.loads(out)
    assert f["counted"] > 12 * 50 and f["missing"] == 0 and f["disordered"] == 0 and f["broken_legs"] == 0, f
    assert f["delay_p50_us"] > 20000, f                                # the echo itself holds 40 ms
    p.send_signal(signal.SIGTERM)
    told = json.loads(p.communicate(timeout=30)[0])
    assert p.returncode == 0 and told["talks"] == 12, told


def test_a_stranger_is_not_let_in(context):
    p, port = plane(context, 1)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as s:
        s.sendall(b"\x01\x00\x10" + b"\xff" * 16)
        assert s.recv(10) == b""
    p.send_signal(signal.SIGTERM)
    assert json.loads(p.communicate(timeout=30)[0])["talks"] == 0


def test_no_echo_means_broken_legs(context):
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
        caller = subprocess.Popen([context.program, "bench", "media", "--target", f"127.0.0.1:{port}", "--legs", "1", "--seconds", "2", "--json"],
                                  stdout=subprocess.PIPE, text=True)
        context.at_end(caller.kill)
        nobody.settimeout(10)
        nobody.accept()[0].close()
        f = json.loads(caller.communicate(timeout=30)[0])
        assert caller.returncode == 1 and f["broken_legs"] == 1, f


def test_wrong_use_is_one_line(context):
    for args in ((), ("--serve", "127.0.0.1:0", "--target", "127.0.0.1:1"), ("--target", "nowhere"), ("--serve", "127.0.0.1:0", "--legs", "0")):
        code, out, err = run(context, "bench", "media", *args)
        assert code == 2 and len(err.strip().splitlines()) <= 2 and not out, (args, code, out, err)
