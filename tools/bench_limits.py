"""What a stand-in for Asterisk sees of deadlines that strike and of neighbours that misbehave; a part of tools/bench."""
import selectors
import socket
import statistics
import time

DEADLINE_MS = 500
ROUTES = """[route sleep]
handler = @DIR@/sleep.lua
deadline = 500ms
[route look-up]
handler = @DIR@/look-up.lua
http_hosts = @HOLE@
deadline = 500ms
[route play]
handler = @DIR@/play.lua
deadline = 500ms
[route script]
script = @DIR@/script.sh
deadline = 500ms
max = 64
[route sleeper]
handler = @DIR@/sleep.lua
deadline = 300s
max = 40
[route burner]
handler = @DIR@/burner.lua
deadline = 60s
"""
FILES = {
    "sleep.lua": "function handle(call)\n  sleep(3600000)\nend\n",
    "look-up.lua": 'function handle(call)\n  http.get("http://@HOLE@/", { timeout_ms = 60000 })\nend\n',
    "play.lua": 'function handle(call)\n  call:stream_file("demo-instruct")\nend\n',
    "script.sh": "#!/bin/sh\nexec sleep 3600\n",
    "burner.lua": "function handle(call)\n  while true do end\nend\n",
}
LATE = ("sleep", "look-up", "play", "script")


def environment(name):
    lines = [("network", "yes"), ("network_script", name), ("request", f"agi://127.0.0.1/{name}"), ("channel", "PJSIP/a-1"),
             ("uniqueid", "1700000000.1"), ("callerid", "1001"), ("context", "in"), ("extension", "100"), ("priority", "1")]
    return ("".join(f"agi_{k}: {v}\n" for k, v in lines) + "\n").encode()


class Session:
    """Answers each command but STREAM FILE, which the next command cuts short without a reply (seen on 22.10.1)."""

    def __init__(self, port, name, due):
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.begun, self.due = time.monotonic(), due
        self.socket.sendall(environment(name))
        self.socket.setblocking(False)
        self.input, self.goodbye, self.closed = b"", None, None

    def on_readable(self):
        piece = self.socket.recv(65536)
        now = time.monotonic()
        if not piece:
            self.closed = now
            return
        self.input += piece
        while b"\n" in self.input:
            line, _, self.input = self.input.partition(b"\n")
            if b"SIDETONE_STATUS" in line and b"TIMEOUT" in line and self.goodbye is None:
                self.goodbye = now
            if not line.startswith(b"STREAM FILE"):
                self.socket.sendall(b"200 result=1\n" if line.startswith(b"SET") else b"200 result=0\n")


def black_hole():
    """A server that takes connections and never says a word."""
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen(1024)
    return s


def deadlines(port, name, rate, seconds):
    """Open loop: (ms from the deadline to the goodbye on the wire, the same to our close) of each session."""
    chosen = selectors.DefaultSelector()
    began, count, done = time.monotonic(), int(rate * seconds), []
    started = 0
    while len(done) < count:
        now = time.monotonic()
        if now > began + seconds + 10:
            break
        if started < count and now >= began + started / rate:
            s = Session(port, name, began + started / rate)
            chosen.register(s.socket, selectors.EVENT_READ, s)
            started += 1
            continue
        wait = max(0, began + started / rate - now) if started < count else 1
        for key, _ in chosen.select(wait):
            key.data.on_readable()
            if key.data.closed:
                chosen.unregister(key.fileobj)
                key.data.socket.close()
                done.append(key.data)
    late = [[(at - s.begun) * 1000 - DEADLINE_MS for s in done if s.goodbye for at in [getattr(s, what)]] for what in ("goodbye", "closed")]
    return count - len(late[0]), late[0], late[1]


def quantile(values, q):
    ordered = sorted(values)
    return round(ordered[min(len(ordered) - 1, int(q * len(ordered)))], 2) if ordered else None


def bench_deadline(a, start, tell):
    with black_hole() as hole:
        server = start(a.build, ROUTES, FILES, {"HOLE": f"127.0.0.1:{hole.getsockname()[1]}"})
        for name in LATE:
            failed, goodbye, closed = deadlines(server.port, name, 40, float(a.seconds))
            tell(f"deadline of {DEADLINE_MS} ms strikes, 40 sessions/s: {name}", sessions=len(goodbye), failed=failed,
                 goodbye_late_p50_ms=quantile(goodbye, 0.5), goodbye_late_p99_ms=quantile(goodbye, 0.99), closed_late_p99_ms=quantile(closed, 0.99),
                 closed_late_max_ms=round(max(closed, default=-1), 2))
        server.stop()


def bench_neighbours(a, start, load, tell):
    """p99 of one route at 200 sessions/s: alone, beside 40 sleepers, beside five handlers a second that never end by themselves."""
    with black_hole() as hole:
        server = start(a.build, ROUTES, FILES, {"HOLE": f"127.0.0.1:{hole.getsockname()[1]}"})
        options = ["--rate", "200", "--concurrent", "256", "--seconds", a.seconds]
        load(a.build, server, "--seconds", "1", "--concurrent", "64")
        got = {"alone": [], "sleepers": [], "burners": []}
        for _ in range(a.rounds):
            got["alone"].append(load(a.build, server, *options))
            held = [Session(server.port, "sleeper", 0) for _ in range(40)]
            got["sleepers"].append(load(a.build, server, *options))
            for s in held:
                s.socket.close()
            got["burners"].append(beside_burners(a, server, load, options))
        server.stop()
    middle = {k: round(statistics.median(x["session_p99_us"] for x in v)) for k, v in got.items()}
    tell("neighbours: p99 of a route at 200 sessions/s, one loop", rounds=a.rounds, failed=sum(x["failed"] for v in got.values() for x in v),
         alone_p99_us=middle["alone"], beside_40_sleepers_p99_us=middle["sleepers"], beside_5_burners_a_second_p99_us=middle["burners"],
         sleepers_vs_alone=round(statistics.median(s["session_p99_us"] / o["session_p99_us"] for o, s in zip(got["alone"], got["sleepers"])), 3),
         burners_vs_alone=round(statistics.median(s["session_p99_us"] / o["session_p99_us"] for o, s in zip(got["alone"], got["burners"])), 3))


def beside_burners(a, server, load, options):
    import threading
    stop = threading.Event()

    def burn():
        while not stop.is_set():
            deadlines(server.port, "burner", 5, 1)

    t = threading.Thread(target=burn)
    t.start()
    try:
        return load(a.build, server, *options)
    finally:
        stop.set()
        t.join()
