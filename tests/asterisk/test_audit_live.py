"""`sidetone audit --live` on a real Asterisk that init set up: what is loaded is compared with what the files say."""
import json
import os

from daemon import run
from test_init import Fresh


def live(fresh, context):
    code, out, err = run(context, "audit", fresh.etc, "--live", "pbx1", "--config", fresh.conf, "--json", timeout=60)
    assert code in (0, 1) and not err, (code, err)
    return {(f["code"], f["message"]) for f in json.loads(out)["findings"] if f["code"] in ("ST901", "ST902", "ST904")}


def test_audit_live_compares_what_runs_with_the_files(context):
    fresh = Fresh(context)
    assert live(fresh, context) == set()
    with open(os.path.join(fresh.etc, "extensions.conf"), "a", encoding="utf-8") as f:
        f.write("\n[written]\nexten => 1,1,AgentLogin()\n same => n,Hangup()\n same => n,VoiceMailMain()\n")
    ami = fresh.pbx.ami("off")
    ami.command("dialplan add extension 1,1,NoOp into added")
    ami.command("module unload app_agent_pool.so")
    found = live(fresh, context)
    assert ("ST902", 'context "written" is in the file, but not loaded') in found, found
    assert any(code == "ST904" and "app_voicemail" in text for code, text in found), found
    ami.command("dialplan reload")
    assert not any(code == "ST902" for code, _ in live(fresh, context))
    code, _, err = run(context, "audit", fresh.etc, "--live", "nobody", "--config", fresh.conf)
    assert code == 2 and "no node nobody" in err, err
    fresh.pbx.stop()
    code, out, err = run(context, "audit", fresh.etc, "--live", "pbx1", "--config", fresh.conf, timeout=60)
    assert code == 2 and "told nothing" in err and out == "", (code, out, err)
