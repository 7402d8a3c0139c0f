"""A small manager client: actions and events, each wait with a deadline."""
import itertools
import socket
import time


def parse(block):
    """Headers of one message as a dict; a repeated header (ChanVariable, Output) becomes a list."""
    message = {}
    for line in block.split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon:
            continue
        value = value[1:] if value.startswith(" ") else value
        if name in message:
            kept = message[name]
            message[name] = (kept if isinstance(kept, list) else [kept]) + [value]
        else:
            message[name] = value
    return message


class Ami:
    def __init__(self, port, user, secret, events="on", seconds=10):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self.store = b""
        self.seen = []  # every event, in order; `wait` consumes from `next`
        self.next = 0
        self.ids = itertools.count(1)
        limit = time.monotonic() + seconds
        while b"\r\n" not in self.store:
            self._fill(limit)
        banner, _, self.store = self.store.partition(b"\r\n")
        assert banner.startswith(b"Asterisk Call Manager/"), banner
        answer = self.action("Login", Username=user, Secret=secret, Events=events)
        assert answer["Response"] == "Success", answer

    def _fill(self, limit):
        left = limit - time.monotonic()
        if left <= 0:
            raise TimeoutError("AMI: nothing came in time")
        self.socket.settimeout(left)
        piece = self.socket.recv(65536)
        if not piece:
            raise ConnectionError("AMI: Asterisk closed the connection")
        self.store += piece

    def _read(self, limit):
        while b"\r\n\r\n" not in self.store:
            self._fill(limit)
        block, _, self.store = self.store.partition(b"\r\n\r\n")
        return parse(block.decode("utf-8", "replace"))

    def action(self, action, pairs=(), seconds=10, **headers):
        """Sends and returns the answer; events that come meanwhile are kept. pairs: headers that repeat, as (name, value)."""
        ident = f"t{next(self.ids)}"
        lines = [f"Action: {action}", f"ActionID: {ident}"]
        lines += [f"{name}: {value}" for name, value in [*headers.items(), *pairs]]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        limit = time.monotonic() + seconds
        while True:
            message = self._read(limit)
            if "Response" in message and message.get("ActionID") == ident:
                message["ActionID"] = ident
                return message
            self.seen.append(message)

    def wait(self, event, seconds=10, **match):
        """The next event of that name whose headers have these values. Those passed over are not offered again."""
        limit = time.monotonic() + seconds
        while True:
            while self.next < len(self.seen):
                message = self.seen[self.next]
                self.next += 1
                if message.get("Event") == event and all(message.get(k) == str(v) for k, v in match.items()):
                    return message
            try:
                self.seen.append(self._read(limit))
            except TimeoutError:
                late = [m.get("Event") for m in self.seen[-20:]]
                raise AssertionError(f"no {event} {match} in {seconds} s; the last events: {late}") from None

    def originate(self, channel, context, exten, variables=None, caller="1001", timeout_ms=20000):
        """Starts a call and returns at once; its OriginateResponse carries the ActionID that is returned."""
        answer = self.action("Originate", Channel=channel, Context=context, Exten=exten, Priority=1, Async="true",
                             CallerID=caller, Timeout=timeout_ms,
                             pairs=[("Variable", f"{k}={v}") for k, v in (variables or {}).items()])
        assert answer["Response"] == "Success", answer
        return answer["ActionID"]

    def command(self, text):
        """Output of a console command."""
        out = self.action("Command", Command=text).get("Output", [])
        return "\n".join(out if isinstance(out, list) else [out])

    def channels(self):
        """Names of the channels that exist."""
        answer = self.action("CoreShowChannels")
        assert answer["Response"] == "Success", answer
        names = []
        start = self.next
        while True:
            message = self._read(time.monotonic() + 10)
            if message.get("ActionID") != answer["ActionID"]:
                self.seen.append(message)
                continue
            if message.get("Event") == "CoreShowChannelsComplete":
                self.next = start
                return names
            names.append(message["Channel"])

    def close(self):
        self.socket.close()


def stamp(event):
    """The event's time in seconds since 1970 (manager.conf has timestampevents=yes)."""
    return float(event["Timestamp"])
