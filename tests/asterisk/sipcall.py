"""SIP calls by sipp: with voice (raw mu-law by rtp_stream, so no root is needed), with BYE from either side, or given up early."""
import array
import math
import os
import shutil
import subprocess
from xml.sax.saxutils import escape

from ports import free_port, free_udp_ports
from runner import Skip

# sipp parses no WAV header and takes no blank line after the SDP; -mp must differ between two at once (notes of its manual and seen).
INVITE = """<send retrans="500"><![CDATA[
INVITE sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: "{name}" <sip:{number}@[local_ip]:[local_port]>;tag=[pid]t[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 INVITE
Contact: <sip:{number}@[local_ip]:[local_port]>
Max-Forwards: 70
Content-Type: application/sdp
Content-Length: [len]

v=0
o=- 1 1 IN IP[local_ip_type] [local_ip]
s=-
c=IN IP[media_ip_type] [media_ip]
t=0 0
m=audio [{port}] RTP/AVP 0 101
a=rtpmap:0 PCMU/8000
a=rtpmap:101 telephone-event/8000
a=fmtp:101 0-15
]]></send>
<recv response="100" optional="true"/>
"""
RINGING = '<recv response="180" optional="true"/>\n<recv response="183" optional="true"/>\n'
ANSWERED = """<recv response="200" rrs="true"/>
<send><![CDATA[
ACK [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: "{name}" <sip:{number}@[local_ip]:[local_port]>;tag=[pid]t[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
"""
VOICE = '<nop><action><exec rtp_stream="{voice},1,0"/></action></nop>\n'
PAUSE = '<pause milliseconds="{ms}"/>\n'
BYE = """<send retrans="500"><![CDATA[
BYE [next_url] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
From: "{name}" <sip:{number}@[local_ip]:[local_port]>;tag=[pid]t[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 2 BYE
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
"""
WAIT_BYE = """<recv request="BYE" timeout="{ms}"/>
<send><![CDATA[
SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:]
[last_Call-ID:]
[last_CSeq:]
Content-Length: 0

]]></send>
"""
CANCEL = """<recv response="180"/>
<pause milliseconds="{ms}"/>
<send retrans="500"><![CDATA[
CANCEL sip:[service]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
From: "{name}" <sip:{number}@[local_ip]:[local_port]>;tag=[pid]t[call_number]
To: <sip:[service]@[remote_ip]:[remote_port]>
Call-ID: [call_id]
CSeq: 1 CANCEL
Max-Forwards: 70
Content-Length: 0

]]></send>
<recv response="200"/>
<recv response="487"/>
<send><![CDATA[
ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
[last_Via:]
From: "{name}" <sip:{number}@[local_ip]:[local_port]>;tag=[pid]t[call_number]
[last_To:]
Call-ID: [call_id]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
"""


def mulaw(sample):
    """One 16-bit sample as G.711 mu-law."""
    sign = 0x80 if sample < 0 else 0
    magnitude = min(abs(sample), 32635) + 132
    exponent = magnitude.bit_length() - 8
    return ~(sign | exponent << 4 | (magnitude >> (exponent + 3)) & 0x0F) & 0xFF


def tone_file(context, name, seconds, hertz=1000, level=8000):
    """Raw mu-law, as rtp_stream wants it."""
    samples = array.array("h", (round(level * math.sin(2 * math.pi * hertz * i / 8000)) for i in range(round(seconds * 8000))))
    where = context.path(name)
    with open(where, "wb") as out:
        out.write(bytes(mulaw(s) for s in samples))
    return where


class SipCall:
    """One call. ending: "bye" after stay_ms, "wait-bye" for at most stay_ms, or "cancel" stay_ms after the ringing began."""

    def __init__(self, context, sip_port, exten, ending="bye", stay_ms=2000, voice=None, number="2001", name="Caller", label="sip"):
        if not shutil.which("sipp"):
            raise Skip("sipp is not installed (package sip-tester)")
        self.context = context
        self.messages = context.path(f"{label}.messages")
        parts = [INVITE]
        if ending == "cancel":
            parts.append(CANCEL)
        else:
            parts += [RINGING, ANSWERED]
            parts += [VOICE] if voice else []
            parts += [PAUSE, BYE] if ending == "bye" else [WAIT_BYE]
        words = {"name": name, "number": number, "voice": escape(voice or ""), "ms": stay_ms, "port": "rtpstream_audio_port" if voice else "media_port"}
        steps = "".join(parts)
        for key, value in words.items():
            steps = steps.replace("{" + key + "}", str(value))
        scenario = context.write(f"{label}.xml", '<?xml version="1.0" encoding="UTF-8"?>\n<scenario name="call">\n' + steps + "</scenario>\n")
        media = free_udp_ports(4)  # audio, and behind it video, which it binds in any case
        command = ["sipp", f"127.0.0.1:{sip_port}", "-sf", scenario, "-i", "127.0.0.1", "-p", str(free_port()), "-mp", str(media),
                   "-s", exten, "-m", "1", "-nostdin", "-timeout", "60",
                   "-trace_msg", "-message_file", self.messages, "-message_overwrite", "true"]
        self.out = open(context.path(f"{label}.out"), "wb")
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.out, cwd=context.dir)
        context.at_end(self.kill)

    def finish(self, seconds=90):
        """sipp's exit status: 0 when the call went as the scenario says."""
        return self.process.wait(seconds)

    def trace(self):
        if not os.path.exists(self.messages):
            return "(no message was exchanged)"
        with open(self.messages, encoding="utf-8", errors="replace") as f:
            return f.read()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)
        self.out.close()
