"""kill -9 of the daemon while a real Asterisk sends some 2,000 events a second: what the journal has is complete up to the gaps it names, checked
against a second tap that reads beside it."""
import random
import signal
import socket
import threading
import time

from tap import USERS, TapHouse
from pbx import Pbx

# A tick is one numbered UserEvent among half a dozen VarSet and Newexten.
PLAN = """
[test]
exten => flood,1,Answer()
 same => n,Set(i=0)
 same => n(again),Set(i=$[${i} + 1])
 same => n,UserEvent(Tick,Number: ${CHANNEL(uniqueid)}/${i})
 same => n,ExecIf($[${i} % 4 = 0]?Wait(0.01))
 same => n,Goto(again)

exten => quiet,1,Answer()
 same => n,Wait(300)
"""
FLOODS = 2


class SecondTap:
    """Keeps every byte of its own session; looks into it when all is over."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.sendall(b"Action: Login\r\nUsername: tapuser\r\nSecret: tap-secret\r\n\r\n")
        self.pieces = []
        self.is_over = False
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        self.socket.settimeout(0.2)
        while not self.is_over:
            try:
                piece = self.socket.recv(1 << 20)
            except TimeoutError:
                continue
            if not piece:
                return
            self.pieces.append(piece)

    def events(self):
        self.is_over = True
        self.thread.join(10)
        self.socket.close()
        for block in b"".join(self.pieces).decode("utf-8", "replace").split("\r\n\r\n"):
            headers = dict(line.split(": ", 1) for line in block.split("\r\n") if ": " in line)
            if "Event" in headers and "Timestamp" in headers:
                yield headers


def ticks_of(events):
    """Number -> Asterisk's time in microseconds."""
    return {h["Number"]: int(h["Timestamp"].replace(".", "")) for h in events if h.get("UserEvent") == "Tick"}


def test_tap_killed_at_2000_events_a_second_is_complete_up_to_its_gaps(context):
    house = TapHouse(context, pbxs=[Pbx(context, PLAN, name="a", configs={"manager": USERS})])
    second = SecondTap(house.pbxs[0].ami_port)
    house.start()
    house.daemon.wait_log("event=resynchronised")
    ami = house.pbxs[0].ami("user")
    ami.action("Events", EventMask="off")
    for _ in range(FLOODS):
        ami.originate("Local/quiet@test", "test", "flood")
    dice = random.Random()
    for _ in range(4):
        house.wait_query("SELECT count(*) FROM event", until=lambda rows, n=house.query("SELECT count(*) FROM event")[0][0]: rows[0][0] > n)
        time.sleep(dice.uniform(0.3, 1.2))
        house.daemon.process.send_signal(signal.SIGKILL)
        house.daemon.process.wait(10)
        time.sleep(dice.uniform(0, 0.3))
        house.start()
        house.daemon.wait_log("event=resynchronised")
    ami.action("Hangup", Channel="/^Local/")
    house.wait_query("SELECT count(*) FROM call WHERE outcome = 'open'", until=lambda rows: rows == [(0,)])
    time.sleep(0.3)
    assert house.daemon.stop() == 0

    seen = list(second.events())
    there = ticks_of(seen)
    span = (max(there.values()) - min(there.values())) / 1e6
    kept = [dict(map(tuple, e["headers"])) for e in house.verb("tap", "--events", "--once", "--since", "1h", "--kind", "UserEvent")]
    numbers = [h["Number"] for h in kept if h.get("UserEvent") == "Tick"]
    gaps = house.query("SELECT from_us, to_us, cause FROM gap")
    assert len(numbers) == len(set(numbers)), "stored twice"
    assert not set(numbers) - set(there), sorted(set(numbers) - set(there))[:5]
    missing = {n: at for n, at in there.items() if n not in set(numbers)}
    # Both clocks are this machine's; what the tap makes of them differs by the half of a Ping's way at most.
    unexplained = {n: at for n, at in missing.items() if not any(start - 1000 <= at <= (end or 1 << 62) + 1000 for start, end, _ in gaps)}
    assert not unexplained, (len(unexplained), len(missing), len(there), sorted(unexplained.items(), key=lambda x: x[1])[:5], gaps)
    assert len(missing) > 0 and len(gaps) >= 4, (len(missing), gaps)
    assert all(cause == "restart" for _, _, cause in gaps), gaps
    assert all(end > start for start, end, _ in gaps), gaps
    assert house.query("SELECT count(*) FROM (SELECT session, seq FROM event GROUP BY session, seq HAVING count(*) > 1)") == [(0,)]
    print(f"    {len(seen) / span:.0f} events/s, {len(there)} ticks, {len(missing)} in {len(gaps)} gaps")
