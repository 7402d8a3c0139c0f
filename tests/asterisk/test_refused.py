"""What the auditor says that Asterisk refuses or passes over in its settings, beside the running Asterisk's own log."""
import json
import os
import re
import time

from daemon import run
from pbx import Pbx

FLOOR = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "audit", "call-floor")
SIGNS = (r"Could not find option suitable for category '(?P<section>[^']*)' named '(?P<word>[^']*)'", r"Unknown event name '(?P<word>[^']*)'",
         r"'(?P<word>[^']*)' isn't a valid strategy", r"Unknown keyword in queue '(?P<section>[^']*)': (?P<word>\S+)", r"Unknown option (?P<word>.*) for '(?:join|leave)")


def told_by(pbx):
    """The words that Asterisk complains of."""
    found = set()
    for line in pbx.complaints():
        for sign in SIGNS:
            match = re.search(sign, line)
            if match:
                found.add(match["word"])
    return found


def word_of(finding):
    quoted = re.search(r'"([^"]*)"', finding["message"])
    return quoted[1] if quoted else finding["message"].split()[0]


def test_settings_that_asterisk_refuses(context):
    pbx = Pbx(context, "[phones]\nexten => 1,1,Hangup()\n")
    etc = os.path.join(pbx.dir, "etc")
    for name in ("pjsip.conf", "cdr.conf", "cel.conf", "queues.conf"):
        with open(os.path.join(FLOOR, name), encoding="utf-8") as given, open(os.path.join(etc, name), "w", encoding="utf-8") as out:
            out.write(given.read().replace("192.168.7.2", "127.0.0.1:0").replace("protocol = tls", "protocol = udp").replace("method = tlsv1_2\n", ""))
    code, out, err = run(context, "audit", etc, "--json")
    assert code == 1 and not err, err
    ours = {word_of(f) for f in json.loads(out)["findings"]
            if f["code"] in ("ST530", "ST532", "ST535") and os.path.dirname(f["file"]) == etc and "type" not in f["message"].split("setting of")[0]}
    assert len(ours) >= 8, ours
    ami = pbx.ami("off")
    for module in ("res_pjsip.so", "cdr", "cel", "app_queue.so"):
        ami.command(f"module reload {module}")
    limit = time.monotonic() + 20
    while not ours <= told_by(pbx) and time.monotonic() < limit:  # the log is written behind what is done
        time.sleep(0.05)
    assert told_by(pbx) == ours, (told_by(pbx), ours, pbx.complaints())
