"""`audit --apply --with-talks` in a real Asterisk: a script under EAGI before, and an agent behind the guard after, with the old script where there is no talk."""
import os
import re
import time

from daemon import run
from house import House

SCRIPT = """#!/bin/sh
while read -r line && [ -n "$line" ]; do :; done
head -c 320 <&3 >/dev/null
echo "SET VARIABLE RAN old"
read -r line
"""
MARK = "UserEvent(Mark,What: talked,Ran: ${RAN},Status: ${SIDETONE_STATUS},Reason: ${SIDETONE_REASON},Stasis: ${STASISSTATUS},Limit: ${TIMEOUT(absolute)})"
PLAN = f"""
exten => desk,1,Answer()
 same => n(talk),EAGI(desk.sh,${{EXTEN}})
 same => n,{MARK}
 same => n,Hangup()
exten => limited,1,Answer()
 same => n,Set(TIMEOUT(absolute)=50)
 same => n,EAGI(desk.sh)
 same => n,{MARK}
 same => n,Hangup()
exten => forgotten,1,Answer()
 same => n,EAGI(forgotten.sh)
 same => n,{MARK}
 same => n,Hangup()

"""
# The caller ends each talk by a key, pressed until it is heard.
PLAN += """exten => caller,1,Answer()
 same => n(again),SendDTMF(#)
 same => n,Wait(0.2)
 same => n,Goto(again)

"""
AGENTS = """
[agent desk]
provider = echo
[agent mirror]
provider = echo
[node a](+)
calls_max = 1
"""


def talked(house, exten, where="test"):
    house.ami.originate("Local/caller@test/n", where, exten)
    at = house.ami.wait("UserEvent", seconds=30, UserEvent="Mark", What="talked")
    return at.get("Ran", ""), at.get("Status", ""), at.get("Reason", ""), at["Limit"]


def wait_facts(house, kind, count, seconds=20):
    """Until there are so many of that kind: a call that has gone on in the dialplan may still hold its place."""
    limit = time.monotonic() + seconds
    while len(house.facts(kind)) < count:
        assert time.monotonic() < limit, (kind, count, house.facts())
        time.sleep(0.02)


def house_with_scripts(context):
    house = House(context, agent="mirror", plan_more=PLAN, extra=AGENTS)
    for name in ("desk.sh", "forgotten.sh"):
        path = os.path.join(house.pbx.dir, "agi", name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(SCRIPT)
        os.chmod(path, 0o755)
    return house, os.path.join(house.pbx.dir, "etc")


def complaints(house):
    """Kinds of them: without times, and lines of the file. The stand-in's own [sip] has one."""
    return {re.sub(r"^.*?(?:WARNING|ERROR)\[\d+\]|line \d+", "", line) for line in house.pbx.complaints()}


def reload(house):
    before = complaints(house)
    house.ami.command("dialplan reload")
    assert complaints(house) == before, house.pbx.complaints()


def test_a_script_that_listens_becomes_a_talk_and_stays_the_way_out(context):
    house, etc = house_with_scripts(context)
    with open(os.path.join(etc, "extensions.conf"), "rb") as f:
        before = f.read()
    assert talked(house, "desk") == ("old", "", "", "0")
    more = ("--with-talks", "--config", house.conf)
    code, out, err = run(context, "audit", etc, "--apply", *more, env={"TEST_ARI": "x"})
    assert code == 0 and not err and "[agent desk]" not in out and "file = forgotten.agent" in out, (out, err) # desk is there
    assert run(context, "audit", etc, "--patch", *more) == (0, "", "")
    reload(house)
    assert "[talk]" in house.ami.command("dialplan show desk@test")

    assert talked(house, "desk") == ("old", "", "", "0")                   # nobody is there
    house.start()
    assert talked(house, "desk") == ("", "OK", "digit", "0")             # the agent, and not the script
    wait_facts(house, "stasis.end", 1)
    ran, status, _, limit = talked(house, "limited")
    assert (ran, status) == ("", "OK") and 1 < float(limit) < 50, (ran, status, limit) # the call's own limit stays
    wait_facts(house, "stasis.end", 2)
    assert talked(house, "forgotten") == ("old", "ERROR", "no_agent", "0") # its agent was never written
    wait_facts(house, "stasis.end", 3)
    house.ami.originate("Local/quiet@test/n", "test", "talk")
    wait_facts(house, "stasis.media", 3)                                   # one place, and it is taken
    assert talked(house, "desk") == ("old", "BUSY", "calls_max", "0")
    for name in house.ami.channels():
        if name.startswith("Local/"):
            house.ami.action("Hangup", Channel=name)
    house.nothing_left()

    code, out, err = run(context, "audit", etc, "--undo")
    assert code == 0 and not err, (out, err)
    with open(os.path.join(etc, "extensions.conf"), "rb") as f:
        assert f.read() == before
    reload(house)
    assert talked(house, "desk") == ("old", "", "", "0")
    assert house.daemon.stop() == 0


def guards_of(context):
    """The conditions that the patch writes: of AGI, of a talk."""
    context.write("etc/extensions.conf", "[a]\n" + PLAN + "exten => x,1,AGI(look.sh)\n same => n,Hangup()\n")
    for name in ("desk.sh", "forgotten.sh"):
        context.write(f"agi/{name}", SCRIPT)
    context.write("agi/look.sh", "#!/bin/sh\necho SET VARIABLE A 1\n")
    code, diff, err = run(context, "audit", context.path("etc"), "--patch", "--with-talks", "--agi-dir", context.path("agi"))
    assert code == 0 and not err, err
    return [re.search(r"GotoIf\((\$\[" + first + r".*\])\?sidetone-\d+\)\n", diff).group(1) for first in ('"\\${SIDETONE_STATUS}"', '"\\${STASISSTATUS}"')]


def test_the_guards_tell_what_took_place(context):
    """Their expressions, as Asterisk computes them, for every way in which a call comes back. Rows: guard, STASISSTATUS, status, reason, it took place."""
    of_agi, of_talk = guards_of(context)
    rows = [(of_agi, "", *row) for row in (("", "", False), ("BUSY", "sessions_max", False), ("ERROR", "no_route", False), ("OK", "", True), ("OK", "no_routes", True),
                                           ("ERROR", "exit_3", True), ("TIMEOUT", "deadline", True), ("OK", 'a "b" = (c) & ${D} | $[', True), ("ERROR", '"', True))]
    rows += [(of_talk, *row) for row in (("FAILED", "", "", False), ("SUCCESS", "BUSY", "calls_max", False), ("SUCCESS", "OK", "operator", True),
                                         ("SUCCESS", "OK", "no_agent", True), ("SUCCESS", "TIMEOUT", "max_duration", True), ("SUCCESS", "", "", True))]
    rows += [(of_talk, "SUCCESS", "ERROR", reason, False) for reason in ("no_agent", "no_media", "talk_failed", "answer_failed", "answer_timeout", "bridge_failed",
                                                                         "join_timeout", "media_refused", "media_failed", "media_timeout")]
    rows += [(of_talk, "SUCCESS", "ERROR", reason, True) for reason in ("media_lost", "provider_auth", "restart", "shutdown", "no_such_place", "ari_lost")]
    lines = ["exten => probe,1,Answer()"]
    for number, (guard, stasis, status, reason, _) in enumerate(rows):
        lines += [f" same => n,Set(STASISSTATUS={stasis})", f" same => n,Set(SIDETONE_STATUS={status})", f" same => n,Set(SIDETONE_REASON=${{ROW{number}}})",
                  f" same => n,GotoIf({guard}?took-{number})", f" same => n,UserEvent(Mark,What: row,Row: {number},Took: no)",
                  f" same => n,Goto(next-{number})", f" same => n(took-{number}),UserEvent(Mark,What: row,Row: {number},Took: yes)",
                  f" same => n(next-{number}),NoOp()"]
    house = House(context, plan_more="\n" + "\n".join(lines) + "\n same => n,Hangup()\n\n")
    before = complaints(house)
    # AMI's values are not evaluated: quotes and brackets arrive as they are
    house.ami.originate("Local/quiet@test/n", "test", "probe", variables={f"ROW{n}": row[3] for n, row in enumerate(rows)})
    for number, row in enumerate(rows):
        at = house.ami.wait("UserEvent", UserEvent="Mark", What="row", Row=number)
        assert (at["Took"] == "yes") == row[4], row
    assert complaints(house) == before, house.pbx.complaints()


AEL = """context ael {
    desk => {
        Answer();
        if ("${EXTEN}" = "desk")
            EAGI(desk.sh,${EXTEN}); // why
        else
            NoOp(no);
        %s;
        Hangup();
    }
    look => {
        Answer();
        AGI(look.sh);
        %s;
        Hangup();
    }
};
""" % (MARK, MARK)


def test_a_patched_ael_is_compiled_and_does_what_it_did(context):
    house, etc = house_with_scripts(context)
    ael = os.path.join(etc, "extensions.ael")
    with open(ael, "w", encoding="utf-8") as f:
        f.write(AEL)
    script = os.path.join(house.pbx.dir, "agi", "look.sh")
    with open(script, "w", encoding="utf-8") as f:
        f.write(SCRIPT.replace("head -c 320 <&3 >/dev/null\n", ""))
    os.chmod(script, 0o755)
    before = complaints(house)
    for module in ("res_ael_share.so", "pbx_ael.so"):
        assert house.ami.action("ModuleLoad", Module=module, LoadType="load")["Response"] == "Success"
    assert talked(house, "desk", "ael") == talked(house, "look", "ael") == ("old", "", "", "0")
    code, out, err = run(context, "audit", etc, "--apply", "--with-talks", "--config", house.conf)
    assert code == 0 and not err and ael in out, (out, err)
    assert house.ami.action("ModuleLoad", Module="pbx_ael.so", LoadType="reload")["Response"] == "Success"
    assert complaints(house) == before, house.pbx.complaints()
    assert "Stasis(sidetone,desk)" in house.ami.command("dialplan show desk@ael")
    assert talked(house, "desk", "ael") == talked(house, "look", "ael") == ("old", "", "", "0")
    house.start()
    assert talked(house, "desk", "ael") == ("", "OK", "digit", "0")
    assert talked(house, "look", "ael")[:3] == ("old", "ERROR", "no_route")
    assert run(context, "audit", etc, "--patch", "--with-talks", "--config", house.conf) == (0, "", "")
    assert house.daemon.stop() == 0
