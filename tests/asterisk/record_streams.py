#!/usr/bin/env python3
"""Records AMI streams of a real Asterisk for tests/ami. usage: record_streams.py [--build DIR] [--asterisk DIR] [--out FOLDER] [WORD ...]

Each stream: a first line that says what happened, then the bytes as they came, from the banner on. Afterwards
`build/tests/unit/t_facts --write FOLDER` prints what the facts core makes of them, for a person to compare with what happened."""
import argparse
import os
import re
import socket
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, HERE)
import runner  # noqa: E402
from pbx import Pbx  # noqa: E402

PLAN = """
[caller]
exten => quick,1,Answer()
 same => n,Wait(${STAY})
 same => n,Hangup(16)
exten => keys,1,Answer()
 same => n,Wait(1)
 same => n,SendDTMF(${KEYS},100,100)
 same => n,Wait(${STAY})
 same => n,Hangup(16)

[phone]
exten => _a[n]s-.,1,Ringing()
 same => n,Wait(0.3)
 same => n,Answer()
 same => n,Wait(${EXTEN:4})
 same => n,Hangup(16)
exten => ring,1,Ringing()
 same => n,Wait(60)
exten => keys,1,Ringing()
 same => n,Wait(0.3)
 same => n,Answer()
 same => n,Wait(1)
 same => n,SendDTMF(${KEYS},100,100)
 same => n,Wait(60)

[chain]
exten => one,1,Dial(Local/two@chain)
exten => two,1,Dial(AudioSocket/127.0.0.1:@SOUND@/40325ec2-5efd-4bd3-805f-53576e581d13)

[pbx]
exten => 100,1,Dial(Local/ans-@TALK@@phone/n,20,tTkK)
exten => 101,1,Dial(Local/ans-60@phone/n,20,tTkK)
exten => 102,1,Dial(Local/ring@phone/n&Local/ans-60@phone/n,20)
exten => 104,1,Answer()
 same => n,Echo()
exten => 105,1,Dial(Local/one@chain,20)
exten => 106,1,Dial(AudioSocket/127.0.0.1:@SOUND@/40325ec2-5efd-4bd3-805f-53576e581d14,20,tTkK)
exten => 107,1,Set(GROUP()=x)
 same => n,Dial(Local/ring@phone/n,20)
exten => 108,1,Pickup(107@phone)
exten => 200,1,Answer()
 same => n,Queue(deaf,tT,,,2)
 same => n,NoOp(${QUEUESTATUS})
 same => n,Playback(demo-thanks)
 same => n,Hangup(16)
exten => 201,1,Answer()
 same => n,Queue(exits,tT,,,20)
 same => n,NoOp(${QUEUESTATUS})
exten => 202,1,Answer()
 same => n,Set(__TRANSFER_CONTEXT=pbx)
 same => n,Set(__KEYS=##101)
 same => n,Queue(support,tT,,,20)
exten => 203,1,Answer()
 same => n,Queue(empty,tT,,,20)
 same => n,Hangup(16)
exten => 300,1,Answer()
 same => n,Stasis(shop,first)
 same => n,NoOp(back)
 same => n,Wait(0.3)
 same => n,Hangup(16)
exten => 301,1,Answer()
 same => n,AGI(agi://127.0.0.1:@AGI@/names,7)
 same => n,AGI(agi:async)
 same => n,Wait(0.2)
 same => n,Dial(Local/ring@phone/n,1)
 same => n,Hangup(19)
exten => 302,1,Answer()
 same => n,AGI(agi://127.0.0.1:@AGI@/menu)
 same => n,Hangup(16)
exten => 400,1,Answer()
 same => n,MixMonitor(@DIR@/spool/monitor/talk.wav,b)
 same => n,Dial(Local/ans-60@phone/n,20)

[sip]
exten => 101,1,Dial(Local/ring@phone/n,2)
exten => 106,1,Dial(AudioSocket/127.0.0.1:@SOUND@/40325ec2-5efd-4bd3-805f-53576e581d16,20)

[exit]
exten => 5,1,NoOp(left by key)
 same => n,Wait(0.5)
 same => n,Hangup(16)
"""

QUEUES = """
[support](+)
[deaf]
joinempty=yes
timeout=10
member => Local/ring@phone/n,0,Bob
[exits]
joinempty=yes
context=exit
member => Local/ring@phone/n,0,Bob
[empty]
joinempty=no
[support]
strategy=rrmemory
joinempty=yes
member => Local/keys@phone/n,0,Alice
""".replace("[support](+)\n", "")

CLASSES = "system,call,agent,user,dialplan,dtmf,agi"


class Tap(threading.Thread):
    """Another session that keeps every byte."""

    def __init__(self, pbx):
        super().__init__(daemon=True)
        self.socket = socket.create_connection(("127.0.0.1", pbx.ami_port), timeout=10)
        self.bytes = b""
        self.send(Action="Login", ActionID="tap1", Username=pbx.ami_user, Secret=pbx.ami_secret, Events=CLASSES)
        self.start()
        self.wait(b"Authentication accepted")

    def send(self, **headers):
        self.socket.sendall("".join(f"{k}: {v}\r\n" for k, v in headers.items()).encode() + b"\r\n")

    def run(self):
        try:
            while piece := self.socket.recv(65536):
                self.bytes += piece
        except OSError:
            pass

    def wait(self, text, seconds=10, count=1):
        limit = time.monotonic() + seconds
        while self.bytes.count(text) < count:
            assert time.monotonic() < limit, f"the tap saw no {text}"
            time.sleep(0.01)

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.join(5)
        self.socket.close()
        return self.bytes


class Sound(threading.Thread):
    """Phones that are AudioSocket connections: accept, listen, answer with silence by the clock."""

    def __init__(self):
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.start()

    def run(self):
        while True:
            client, _ = self.server.accept()
            threading.Thread(target=self.talk, args=(client,), daemon=True).start()

    @staticmethod
    def talk(client):
        frame = b"\x10\x01\x40" + bytes(320)
        try:
            while True:
                client.sendall(frame)
                time.sleep(0.02)
        except OSError:
            client.close()


class Script(threading.Thread):
    """A FastAGI server: says two things, runs Wait, ends."""

    def __init__(self):
        super().__init__(daemon=True)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.start()

    def run(self):
        while True:
            client, _ = self.server.accept()
            with client, client.makefile("rwb") as stream:
                while stream.readline().strip():
                    pass
                for line in (b"VERBOSE hello 1\n", b"EXEC Wait 0.2\n", b"SET VARIABLE NAME Ada\n"):
                    stream.write(line)
                    stream.flush()
                    stream.readline()


class SipCaller:
    """A caller without an account, by hand: one INVITE over UDP, with any text as its number; CANCEL, or ACK and BYE."""

    count = 0

    def __init__(self, port, user, exten):
        SipCaller.count += 1
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)
        self.peer, self.exten, self.to = ("127.0.0.1", port), exten, ""
        self.here = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.user = "".join(c if c.isalnum() else f"%{ord(c):02x}" for c in user)
        self.branch = f"z9hG4bKfacts{SipCaller.count}"
        sdp = (f"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {20000 + 2 * SipCaller.count} RTP/AVP 0\r\n")
        self.send("INVITE", 1, sdp)

    def send(self, method, number, body=""):
        kind = "Content-Type: application/sdp\r\n" if body else ""
        branch = self.branch + ("bye" if method == "BYE" else "ack" if method == "ACK" and self.to else "")
        self.socket.sendto((f"{method} sip:{self.exten}@127.0.0.1:{self.peer[1]} SIP/2.0\r\nVia: SIP/2.0/UDP {self.here};branch={branch};rport\r\n"
                            f"From: <sip:{self.user}@127.0.0.1>;tag=t{SipCaller.count}\r\nTo: <sip:{self.exten}@127.0.0.1>{self.to}\r\n"
                            f"Call-ID: facts-{SipCaller.count}\r\nCSeq: {number} {method}\r\nContact: <sip:a@{self.here}>\r\nMax-Forwards: 70\r\n{kind}"
                            f"Content-Length: {len(body)}\r\n\r\n{body}").encode(), self.peer)

    def answer(self):
        """The final answer's code, acknowledged."""
        while True:
            text = self.socket.recv(8192).decode()
            code = int(text.split()[1])
            if code < 200 or "CSeq: 1 INVITE" not in text:
                continue
            self.to = ";tag=" + re.search(r"\r\nTo:[^\r]*;tag=([^\r;]+)", text).group(1) if code == 200 else ""
            self.send("ACK", 1)
            return code

    def cancel(self):
        self.send("CANCEL", 1)
        return self.answer()

    def bye(self):
        self.send("BYE", 2)


class Stage:
    """One Asterisk, and a way to play scenes on it."""

    def __init__(self, context):
        self.sound, self.script = Sound(), Script()
        self.pbx = Pbx(context, PLAN, marks={"SOUND": self.sound.port, "AGI": self.script.port, "TALK": "2"}, configs={"queues": QUEUES})
        self.ami = self.pbx.ami(CLASSES)
        self.ari = self.pbx.ari()
        self.tap = None

    def call(self, exten, caller="2001", stay=3, who="quick", **variables):
        self.ami.originate(f"Local/{who}@caller/n", "pbx", exten, {"STAY": stay, **variables}, caller=f'"Carol Caller" <{caller}>')
        while not (name := self.event("LocalBridge")["LocalOneChannel"]).startswith(f"Local/{who}@caller"):
            pass
        return name

    def event(self, name, seconds=20, **match):
        return self.ami.wait(name, seconds, **match)

    def silence(self, seconds=30):
        """Until no channel is left."""
        limit = time.monotonic() + seconds
        while self.ami.channels():
            assert time.monotonic() < limit, "channels are left"
            time.sleep(0.1)
        time.sleep(0.2)

    def stasis(self, app):
        """Registers a Stasis application: a WebSocket that is never read."""
        client = socket.create_connection(("127.0.0.1", self.pbx.http_port), timeout=10)
        client.sendall((f"GET /ari/events?app={app}&api_key={self.pbx.ari_user}:{self.pbx.ari_password} HTTP/1.1\r\nHost: x\r\n"
                        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ari\r\n"
                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode())
        assert b"101" in client.recv(4096)
        return client


def queue_timeout(s):
    """2001 waits in queue deaf, whose agent Bob rings for ever, until Queue()'s own time of 2 s is over; then hears an announcement and is hung up."""
    s.call("200", stay=20)
    s.event("QueueCallerJoin")


def queue_exit_key(s):
    """2001 waits in queue exits and presses 5 after 1 s: leaves by key to context exit."""
    s.call("201", who="keys", KEYS="5", stay=3)
    s.event("QueueCallerLeave")


def queue_join_empty(s):
    """2001 calls 203: queue empty has no members and takes nobody (JOINEMPTY); hung up by the dialplan."""
    s.call("203", stay=5)


def queue_blind_transfer(s):
    """2001 waits in queue support; agent Alice answers after 0.3 s, talks 1 s, presses ##101 (blind transfer); 101 answers; caller hangs up after 8 s."""
    s.call("202", stay=8)
    s.event("BlindTransfer")


def attended_transfer_ami(s):
    """2001 calls 106 (an AudioSocket phone); AMI Atxfer from that phone to 101, which answers; then the phone hangs up: AttendedTransfer; later the caller ends."""
    s.call("106", stay=10)
    phone = s.event("BridgeEnter", BridgeNumChannels="2")
    names = [n for n in s.ami.channels() if n.startswith("AudioSocket/")]
    assert phone and names
    time.sleep(0.5)
    print(s.ami.action("Atxfer", Channel=names[0], Exten="101", Context="pbx"))
    s.event("DialEnd", DialStatus="ANSWER")
    time.sleep(1.5)
    s.ami.action("Hangup", Channel=names[0], Cause="16")
    s.event("AttendedTransfer")


def stasis_visit(s):
    """2001 calls 300: Stasis(shop,first) for 1 s, in a bridge by itself for half of it, then back into the dialplan (continue), which hangs up."""
    ws = s.stasis("shop")
    s.call("300", stay=10)
    chan = s.event("Newexten", Application="Stasis")["Uniqueid"]
    time.sleep(0.5)
    s.ari.post("bridges/b1", type="mixing")
    s.ari.post("bridges/b1/addChannel", channel=chan)
    time.sleep(0.5)
    s.ari.delete("bridges/b1")
    s.ari.post(f"channels/{chan}/continue")
    s.event("Newexten", Application="NoOp")
    s.silence()
    ws.close()


def stasis_originate(s):
    """ARI creates a channel to an AudioSocket phone straight into Stasis application shop: no Newexten tells of it; hung up by ARI after 1 s."""
    ws = s.stasis("shop")
    status, _ = s.ari.post("channels", endpoint=f"AudioSocket/127.0.0.1:{s.sound.port}/40325ec2-5efd-4bd3-805f-53576e581d15", app="shop",
                           channelId="made-1", callerId="Shop <4000>")
    assert status == 200
    time.sleep(1.2)
    s.ari.delete("channels/made-1")
    s.silence()
    ws.close()


def agi_visits(s):
    """2001 calls 301: a FastAGI script (VERBOSE, EXEC Wait 0.2, SET VARIABLE), then AsyncAGI (one NOOP, then ASYNCAGI BREAK), then Dial that nobody answers for 1 s."""
    s.call("301", stay=10)
    chan = s.event("AsyncAGIStart")["Channel"]
    s.ami.action("AGI", Channel=chan, Command="NOOP", CommandID="c1")
    s.event("AsyncAGIExec")
    s.ami.action("AGI", Channel=chan, Command="ASYNCAGI BREAK", CommandID="c2")
    s.event("AsyncAGIEnd")


def agi_only(s):
    """2001 calls 302: a FastAGI script is all there is; then hung up."""
    s.call("302", stay=10)


def mixmonitor(s):
    """2001 calls 400: MixMonitor to a file, then 60 s phone answers after 0.3 s; caller hangs up after 3 s; the recording runs to the end."""
    s.call("400", stay=3)


def local_chain(s):
    """2001 calls 105: Local/one@chain, which dials Local/two@chain, which dials an AudioSocket phone; the Locals optimise themselves away; 3 s."""
    s.call("105", stay=3)


def ring_group(s):
    """2001 calls 102: two phones ring at once, the second answers after 0.3 s; caller hangs up after 3 s."""
    s.call("102", stay=3)


def redirect(s):
    """2001 talks to an AudioSocket phone (106); after 1 s AMI Redirect sends the phone's channel to 104 (Echo); the caller is gone; phone hung up 1 s later."""
    s.call("106", stay=20)
    s.event("BridgeEnter", BridgeNumChannels="2")
    time.sleep(1)
    names = [n for n in s.ami.channels() if n.startswith("AudioSocket/")]
    print(s.ami.action("Redirect", Channel=names[0], Context="pbx", Exten="104", Priority="1"))
    s.event("Newexten", Application="Echo")
    time.sleep(1)
    s.ami.action("Hangup", Channel="/^AudioSocket.*/", Cause="16")


def pickup(s):
    """2001 calls 107, where a phone rings; 2002 calls 108: Pickup(107@phone) takes the call (a masquerade: the channels change places); 3.5 s of talk."""
    s.call("107", stay=4)
    s.event("DialState", DialStatus="RINGING")
    time.sleep(0.5)
    s.call("108", caller="2002", stay=4)


def three_join(s):
    """2001 talks to a phone (101), 2002 talks to another (101), 2003 listens to Echo (104); AMI Bridge joins 2001 with 2002, then 2001 with 2003: Linkedids change."""
    names = []
    for number, exten in (("2001", "101"), ("2002", "101"), ("2003", "104")):
        names.append(s.call(exten, caller=number, stay=8))
        time.sleep(0.8)
    s.ami.action("Bridge", Channel1=names[0], Channel2=names[1], Tone="no")
    time.sleep(1)
    s.ami.action("Bridge", Channel1=names[0], Channel2=names[2], Tone="no")
    time.sleep(1)


def reconnect(s):
    """2001 and 2002 each talk to a phone (101); the tap's connection breaks; 2001 hangs up and 2003 calls 101 meanwhile; the tap comes back, lists the channels, and sees the rest."""
    s.call("101", caller="2001", stay=3)
    s.event("BridgeEnter", BridgeNumChannels="2")
    s.call("101", caller="2002", stay=7)
    s.event("BridgeEnter", BridgeNumChannels="2")
    time.sleep(0.3)
    first = s.tap.close()
    s.call("101", caller="2003", stay=6)
    time.sleep(3)
    s.tap = Tap(s.pbx)
    s.tap.send(Action="CoreShowChannels", ActionID="tap2")
    s.tap.wait(b"CoreShowChannelsComplete")
    s.silence()
    return first


def click_to_dial(s):
    """A CRM's click: Originate Local/two@chain (which dials the agent's AudioSocket phone) to 100, which answers after 0.3 s; the Local optimises itself away; 100's phone hangs up after 2 s."""
    s.ami.originate("Local/two@chain", "pbx", "100", caller='"Shop" <4000>')
    s.event("BridgeEnter", BridgeNumChannels="2")
    time.sleep(0.5)


def sip_plain(s):
    """A SIP caller 4930123 calls 106 (an AudioSocket phone), which answers at once; after 1.5 s the caller hangs up (BYE)."""
    caller = SipCaller(s.pbx.sip_port, "4930123", "106")
    assert caller.answer() == 200
    time.sleep(1.5)
    caller.bye()


def hostile_victim(s):
    """2001 talks to 101. A SIP caller without an account puts Hangups of 2001's channel into its number: bare; complete with all that Asterisk says of it; complete and with the head of one more event for the rest (of each, Asterisk keeps 79 bytes). 2001's call goes on for 2 s after the last."""
    name = s.call("101", stay=30)
    s.event("BridgeEnter", BridgeNumChannels="2")
    ident = [m["Uniqueid"] for m in s.ami.seen if m.get("Channel") == name and "Uniqueid" in m][0]
    envelope = f"Privilege: call,all\r\nTimestamp: {time.time() + 1:.6f}\r\nSystemName: a\r\n"
    whole = (f"Event: Hangup\r\n{envelope}Channel: {name}\r\nChannelState: 6\r\nChannelStateDesc: Up\r\nCallerIDNum: 2001\r\nCallerIDName: x\r\n"
             "ConnectedLineNum: 2001\r\nConnectedLineName: x\r\nLanguage: en\r\nAccountCode: \r\nContext: pbx\r\nExten: 101\r\nPriority: 1\r\n"
             f"Uniqueid: {ident}\r\nLinkedid: {ident}\r\nCause: 16\r\nCause-txt: Normal Clearing\r\n\r\n")
    texts = [f"20\r\n\r\nEvent: Hangup\r\nUniqueid: {ident}\r\nChannel: {name}\r\nCause: 16\r\n\r\n", "20\r\n\r\n" + whole,
             f"20\r\n\r\n{whole}Event: Newstate\r\n{envelope}Channel: x\r\nChannelState: 4\r\nChannelStateDesc: Ring\r\nCallerIDNum: 1"]
    for text in texts:
        caller = SipCaller(s.pbx.sip_port, text, "101")
        time.sleep(0.4)
        try:
            print(len(text), len(caller.user), caller.cancel())
        except TimeoutError:
            print(len(text), len(caller.user), "dropped by Asterisk")
        time.sleep(0.3)
    time.sleep(2)
    s.ami.action("Hangup", Channel=name, Cause="16")


SCENES = [queue_timeout, queue_exit_key, queue_join_empty, queue_blind_transfer, attended_transfer_ami, stasis_visit, stasis_originate, agi_visits, agi_only,
          mixmonitor, local_chain, ring_group, redirect, pickup, three_join, reconnect, click_to_dial, sip_plain, hostile_victim]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build")
    parser.add_argument("--asterisk", default=os.environ.get("SIDETONE_ASTERISK", "build/asterisk"))
    parser.add_argument("--out", required=True, help="folder for the streams")
    parser.add_argument("only", nargs="*")
    options = parser.parse_args()
    context = runner.Context("record", options)
    try:
        stage = Stage(context)
        for scene in SCENES:
            if options.only and not any(word in scene.__name__ for word in options.only):
                continue
            stage.tap = Tap(stage.pbx)
            stage.ami.next = len(stage.ami.seen)        # what earlier scenes left
            before = scene(stage) or b""
            stage.silence()
            raw = before + stage.tap.close()
            raw = re.sub(rb"^Event: Cdr\r\n.*?\r\n\r\n", b"", raw, flags=re.S | re.M)
            raw = raw.replace(context.dir.encode(), b"/tmp/pbx")
            with open(os.path.join(options.out, scene.__name__.replace("_", "-") + ".txt"), "wb") as out:
                out.write(b"; " + " ".join(scene.__doc__.split()).encode() + b"\n" + raw)
            print(scene.__name__, len(raw), flush=True)
    finally:
        context.close(False)


if __name__ == "__main__":
    main()
