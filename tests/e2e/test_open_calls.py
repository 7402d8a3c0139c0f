"""Calls of the dialplan's AudioSocket() that nobody announced: who is let in, and how it ends. The test is Asterisk."""
import socket
import sqlite3
import struct
import uuid

from daemon import Daemon, free_port


def start(context, more):
    port = free_port()
    conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\nworkers = 1\n[audiosocket]\n"
                         f"listen = 127.0.0.1:{port}\naccept = any\nagent = line\n{more}[agent line]\nprovider = echo\n")
    return Daemon(context, conf, wait="event=ready"), port


def call(port, ident):
    s = socket.create_connection(("127.0.0.1", port), timeout=10)
    s.sendall(b"\x01\x00\x10" + ident.bytes)
    return s


def frame(s):
    """(kind, payload), or None at the end."""
    def exactly(n):
        got = b""
        while len(got) < n:
            more = s.recv(n - len(got))
            if not more:
                return None
            got += more
        return got
    head = exactly(3)
    if head is None:
        return None
    kind, n = struct.unpack(">BH", head)
    return kind, exactly(n) if n else b""


def is_turned_away(s):
    try:
        return s.recv(100) == b""
    except ConnectionResetError:
        return True


def test_a_call_without_ari_is_held_and_given_back(context):
    daemon, port = start(context, "calls_max = 1\n")
    ident = uuid.uuid4()
    sound = struct.pack("<160h", *([4000] * 160))
    with call(port, ident) as s:
        s.sendall(b"\x10\x01\x40" + sound)
        heard = b""
        while b"\xa0\x0f" not in heard:  # 4000: the caller hears himself
            kind, heard = frame(s)
            assert kind == 0x10 and len(heard) == 320, (kind, len(heard))
        with call(port, uuid.uuid4()) as second:  # over the ceiling
            assert is_turned_away(second)
        s.sendall(b"\x03\x00\x01#")  # ends the echo: the dialplan goes on
        while True:
            got = frame(s)
            if got and got[0] == 0:
                break
            assert got and got[0] == 0x10, got
    daemon.wait_log("event=end")
    assert "as many unannounced calls as may be" in daemon.text(), daemon.text()
    with call(port, uuid.uuid4()) as third:  # there is room again
        assert frame(third)[0] == 0x10
        assert daemon.stop() == 0  # and its end is told to Asterisk
        while (got := frame(third)) and got[0] == 0x10:
            pass
        assert got == (0, b""), got
    db = sqlite3.connect(f"file:{context.path('state')}/sidetone.db?mode=ro", uri=True)
    assert db.execute("SELECT count(*) FROM fact WHERE kind = 'talk.end' AND call = ?", (str(ident),)).fetchone() == (1,)
    db.close()


def test_hosts_that_are_not_on_the_list_and_uuids_that_are_here_are_turned_away(context):
    daemon, port = start(context, "allow = 10.0.0.0/8\n")
    with call(port, uuid.uuid4()) as s:
        assert is_turned_away(s)
    assert "not on the list" in daemon.text(), daemon.text()
    assert daemon.stop() == 0
    daemon, port = start(context, "")
    ident = uuid.uuid4()
    with call(port, ident) as s:
        assert frame(s)[0] == 0x10
        with call(port, ident) as twin:
            assert is_turned_away(twin)
        assert frame(s)[0] == 0x10
    assert daemon.stop() == 0
