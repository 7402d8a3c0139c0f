"""The verb bench ami: what the firehose sends is what an independent reader counts, and what the tap stores."""
import json
import socket
import subprocess

from daemon import run


def figures(context, *args):
    code, out, err = run(context, "bench", "ami", *args, "--json", timeout=60)
    assert code == 0, out + err
    return json.loads(out)


def test_parse_misses_nothing(context):
    for login in ("plain", "md5"):
        f = figures(context, "parse", "--events", "30000", "--login", login)
        assert f["sent"] == 30000 and f["events"] == 30002, f      # and FullyBooted, Shutdown
        assert f["missing"] == f["forged"] == f["suspect"] == 0, f


def test_rate_gives_a_lag(context):
    f = figures(context, "parse", "--rate", "1000", "--seconds", "1")
    assert f["sent"] == 1000 and f["lag_p50_us"] >= 0 and f["lag_p99_us"] >= f["lag_p50_us"], f


def test_all_of_many_nodes_is_stored(context):
    f = figures(context, "store", "--nodes", "3", "--rate", "300", "--seconds", "2", "--dir", context.path("."))
    assert f["sent"] == f["stored"] > 600, f
    assert f["lost"] == f["gaps"] == f["failures"] == 0, f
    assert f["facts"] > 0, f


def test_clock_half_a_second_ahead_is_found(context):
    for ahead in (500, -500):
        f = figures(context, "store", "--nodes", "2", "--rate", "200", "--seconds", "3", "--ahead", str(ahead), "--dir", context.path("."))
        assert f["sent"] == f["stored"], f
        # 20 ms, unless no Ping of these seconds came back in 40: then half its way is all that can be known.
        assert 0 <= f["clock_error_us"] < max(20000, f["clock_doubt_us"] + 2000), f
        assert f["lag_p50_us"] >= 0, f


def test_flat_out_all_is_stored(context):
    f = figures(context, "store", "--seconds", "1", "--dir", context.path("."))
    assert f["sent"] == f["stored"] > 1000 and f["lost"] == 0, f
    assert f["calls_stored"] >= f["calls_sent"] > 10, f


def test_serve_to_a_reader_of_its_own(context):
    with subprocess.Popen([context.program, "bench", "ami", "serve", "--nodes", "2", "--events", "5000"], stdout=subprocess.PIPE, text=True) as p:
        ports = [int(x) for x in p.stdout.readline().split()]
        assert len(set(ports)) == 2, ports
        with socket.create_connection(("127.0.0.1", ports[1]), 10) as s:
            s.sendall(b"Action: Login\r\nUsername: tap\r\nSecret: tap\r\n\r\n")
            got = b""
            while piece := s.recv(65536):
                got += piece
        p.terminate()
        told = p.stdout.read()
    blocks = got.decode("ascii").split("\r\n\r\n")
    assert blocks.pop() == "" and blocks[0].startswith("Asterisk Call Manager/11.0.0\r\nResponse: Success"), blocks[0]
    names = [b.split("\r\n")[0] for b in blocks[1:]]
    assert names[0] == "Event: FullyBooted" and names[-1] == "Event: Shutdown" and len(names) == 5002, names[:3]
    assert names.count("Event: Newchannel") > 100
    second = json.loads(told.splitlines()[1])
    assert second == {"node": 2, "logins": 1, "refused": 0, "sent": 5000}, told


def test_wrong_use_is_said(context):
    for args in (["fly"], ["parse", "--rate", "x"], ["parse", "--login", "sha"], ["parse", "--target", "nowhere"], []):
        code, _, err = run(context, "bench", "ami", *args)
        assert code == 2 and len(err.splitlines()) == 1, (args, err)
    code, out, _ = run(context, "bench", "ami", "--help")
    assert code == 0 and "serve" in out and "store" in out, out
