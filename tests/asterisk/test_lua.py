"""The auditor's reading of extensions.lua beside what the running Asterisk makes of it: contexts, hints, and the applications that a call runs."""
import json
import os
import re
import time

from daemon import run
from pbx import Pbx, which
from test_dialplan import read, shown

PLAN = r"""
local sounds, M = "beep", {}
trunk = "Local/" .. 'none'

function M.say(text, more)
    app.noop("say", text, more)
end

local function twice(text)
    M.say(text)
    M["say"](text, nil)
end

function mark(context, extension)
    app.userevent("End", "Extension: " .. extension)
end

extensions = {
    plain = {
        ["100"] = function(context, extension)
            app.noop()
            app.NoOp(nil, 1, true and 2, nil)
            app["verbose"](1, [[long
text]])
            app.noop 'literal'
            app.noop("a" .. "b" .. 5, extension .. "@" .. context, (extension))
            app.noop("\65\x2d\10 '\"", 'x\z')
            app.noop("${EXTEN}", 3.50, 0x10, tostring(extension))
            twice(extension)
            app.noop(string.format("%s and %s%%", extension, sounds))
            channel.X = "x" .. extension
            channel["Y"]:set(5)
            channel.CALLERID("name"):set("Ann")
            app.noop(channel.X:get(), channel["Y"]:get(), channel.CALLERID("name"):get(), channel.NOTSET:get() or "none")
            mark(context, extension)
        end;
        _2X = function(c, e)
            local where = "made"
            app["goto"](where, "s", 1)
        end;
        include = { "more", 'deep' };
    };
    more = { ["300"] = mark };
    deep = { include = { "more" } };
}
extensions.made = { s = function() app.noop("made") mark("made", "s") end }
extensions["late"] = {}
extensions.late["_4."] = mark
hints = { plain = { [100] = "PJSIP/100", ["101"] = "PJSIP/101" }, only = { ["7"] = "PJSIP/7" } }
""".replace(r"\x2d", r"\45").replace(r", 'x\z'", "")  # Lua 5.1 knows neither

CONF = """[conf]
exten => hold,1,Answer()
 same => n,Wait(30)
"""


def start(context, plan, is_sound=True):
    pbx = Pbx(context, CONF)
    with open(os.path.join(pbx.dir, "etc", "extensions.lua"), "w", encoding="utf-8") as out:
        out.write(plan)
    ami = pbx.ami()
    answer = ami.action("ModuleLoad", Module="pbx_lua.so", LoadType="load")
    assert (answer["Response"] == "Success") == is_sound, (answer, pbx.complaints())
    return pbx, ami


def contexts_of(ami):
    """Those that Asterisk has registered for Lua."""
    assert ami.action("ShowDialPlan")["Response"] == "Success"
    ami.wait("ShowDialPlanComplete")
    return {e["Context"] for e in ami.seen if e.get("Event") == "ListDialplan" and e.get("Switch", "").startswith("Lua/")}


def compare(pbx, ami, ours):
    hints = {k: v for k, v in shown(pbx)[0].items() if k[2] == -1}
    assert {k: v[1] for k, v in hints.items()} == {k: v[1] for k, v in ours.items() if k[2] == -1}
    theirs = contexts_of(ami)
    mine = {k[0] for k in ours if k[2] != -1 and k[0] != "conf"}
    assert mine <= theirs, (mine, theirs)
    return theirs


def logged(pbx, is_there):
    """What the log has by then: Asterisk writes it behind what it does."""
    limit = time.monotonic() + 20
    while not is_there():
        assert time.monotonic() < limit, pbx.log()[-2000:]
        time.sleep(0.05)


def run_of(pbx, ami, context, extension, caller):
    """The applications that a call to the extension runs, with what they are given: the console tells them, the last one is the UserEvent."""
    ami.originate("Local/hold@conf/n", context, extension, caller=caller)
    mark = ami.wait("UserEvent", seconds=20, UserEvent="End", CallerIDNum=caller)
    told = re.compile(r"pbx_lua.c: Executing \[[^]]*\] (\w+)\(\"" + re.escape(mark["Channel"]) + r"\", \"(.*)\"\)$")
    ran = []

    def has_ended():
        ran[:] = [(m[1].lower(), m[2]) for m in map(told.search, pbx.log().splitlines()) if m]
        return ran and ran[-1][0] == "userevent"

    logged(pbx, has_ended)
    return ran, mark


def expected(ours, context, extension, call, values):
    out = []
    for (where, name, priority), (_, app, args) in sorted(ours.items()):
        if (where, name) != (context, extension) or priority < 0 or app == "Set":
            continue
        for key, value in {"${EXTEN}": call, "${CONTEXT}": context, **values}.items():
            args = args.replace(key, value)
        out.append((app.lower(), args.replace("?{EXTEN}", "${EXTEN}")))
    return out


def test_lua_is_read_as_asterisk_runs_it(context):
    pbx, ami = start(context, PLAN.replace("[[long\ntext]]", "[[long text]]").replace(r"\10", ""))
    ours = read(context, os.path.join(pbx.dir, "etc"))[0]
    compare(pbx, ami, ours)
    ran, _ = run_of(pbx, ami, "plain", "100", "5001")
    values = {"${X}": "x100", "${Y}": "5", "${CALLERID(name)}": "Ann", "${NOTSET}": "none", "${LUA}": "2"}
    assert ran == expected(ours, "plain", "100", "100", values), (ran, expected(ours, "plain", "100", "100", values))
    assert len(ran) >= 11, ran
    ran, mark = run_of(pbx, ami, "plain", "300", "5002")  # of the context that is included
    assert ran == expected(ours, "more", "300", "300", {}) and mark["Extension"] == "300", ran
    ran, _ = run_of(pbx, ami, "late", "456", "5003")
    assert ran == expected(ours, "late", "_4.", "456", {}), ran
    ran, mark = run_of(pbx, ami, "plain", "25", "5004")   # a jump to another context
    assert [app for app, _ in ran] == ["goto", "noop", "userevent"], ran
    assert ours["plain", "_2X", 1][1:] == ("goto", "made,s,1") and mark["Extension"] == "s", (ours, mark)


def test_the_sample_of_lua_is_read_as_asterisk_reads_it(context):
    chosen = which(context)
    with open(os.path.join(chosen[1] if chosen else "/", "etc", "asterisk", "extensions.lua"), encoding="utf-8") as sample:
        pbx, ami = start(context, sample.read())
    ours = read(context, os.path.join(pbx.dir, "etc"))[0]
    theirs = compare(pbx, ami, ours)
    assert theirs == {"demo", "default", "public", "local"}, theirs
    assert ours["demo", "1234", 1][1:] == ("playback", "transfer,skip") and len(ours) >= 30, ours


def test_damaged_lua_is_refused_by_both(context):
    pbx, ami = start(context, PLAN + "\nend\n", is_sound=False)
    logged(pbx, lambda: any("extensions.lua" in line for line in pbx.complaints()))
    assert not contexts_of(ami)
    _, out, _ = run(context, "audit", os.path.join(pbx.dir, "etc"), "--only", "ST103", "--json")
    found = [f for f in json.loads(out)["findings"] if f["code"] == "ST103"]
    assert [f["line"] for f in found] == [51], found
