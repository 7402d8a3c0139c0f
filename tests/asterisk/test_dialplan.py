"""The auditor's reading of extensions.conf beside the running Asterisk's own: contexts, extensions, priorities, labels, applications, order."""
import os
import random
import subprocess

from pbx import Pbx

PLAN = """
[globals]
EXT=77
LEG = PJSIP/6

[shape](!)
exten => 9,1,NoOp(from the template)
 same => n,Hangup

[plain]
exten => 1,1(top),NoOp( x )
 same => n,Playback(a,b(c))   ; a comment (with brackets)
 same => n+2(later),Hangup
exten => 13,n,Answer()
exten => ${EXT},1,Answer()
exten => 1 2 3,1,NoOp(blanks go)
exten => 6,hint,PJSIP/6&PJSIP/7
exten = 1,top+1,NoOp(taken)
exten => 1,later+1(more),NoOp(a\\;b)
exten => 2,1,NoOp(a)b)
exten => 3,1,NoOp
exten => 4,1,NoOp(open
EXTEN => 5,1,NoOp(upper)
exten => 8,1,Set(X=${IF($["${Y}"="1"]?a,b:c)})
;-- exten => 8,2,NoOp(in a block comment)
--;
 same => next,NoOp(next)
 same => s,NoOp(the same again)
samething => n,NoOp(any key that begins with same)
extn => 8,9,NoOp(no directive)
exten => 10,n,NoOp(on)
exten => 11,5,NoOp(five)
exten => 11,3,NoOp(three)
exten => 11,n,NoOp(four)
exten => "q x",1,NoOp(quotes)
exten => 14,1,NoOp(Line, with, commas)
exten => 15,1, NoOp (blank)
exten => 16,1,Play,${FILE}|${CALLERID(num)}

[heir](shape)
exten => 9,3,NoOp(own)

[plain]
exten => 20,1,NoOp(opened again)
exten => 1,20,NoOp(more of it)

[first]
exten => 1,n,NoOp(nothing before)
 same => n,NoOp(either)

[order]
exten => _X.,1,NoOp()
exten => _NXX,1,NoOp()
exten => _1XX,1,NoOp()
exten => _[12]XX,1,NoOp()
exten => _X!,1,NoOp()
exten => _XXX,1,NoOp()
exten => _ZXX,1,NoOp()
exten => _10[0-5],1,NoOp()
exten => _*X,1,NoOp()
exten => _[a-c]X,1,NoOp()
exten => _+X.,1,NoOp()
exten => _12X.,1,NoOp()
exten => _12X,1,NoOp()
"""


def shown(pbx):
    """(context, extension, priority) -> (label, application, data), and the order of each context's extensions."""
    ami = pbx.ami("off")
    steps, order = {}, {}
    assert ami.action("ShowDialPlan")["Response"] == "Success"
    ami.wait("ShowDialPlanComplete")
    for e in ami.seen:
        if e.get("Event") != "ListDialplan" or "Priority" not in e:
            continue
        context, name = e["Context"], e["Extension"]
        key = (context, name, -1 if e["Priority"] == "hint" else int(e["Priority"]))
        steps[key] = (e.get("ExtensionLabel", ""), e["Application"], e.get("AppData", ""))
        names = order.setdefault(context, [])
        if name not in names:
            names.append(name)
    return steps, order


def read(context, folder):
    program = os.path.join(os.path.abspath(context.build), "tests", "unit", "dump_dialplan")
    out = subprocess.run([program, folder], capture_output=True, text=True, timeout=30, check=True).stdout
    steps, order = {}, {}
    for line in out.split("\n")[:-1]:
        where, name, _, priority, label, app, args = line.split("\t")
        steps[(where, name, int(priority))] = (label, app, args)
        names = order.setdefault(where, [])
        if name not in names:
            names.append(name)
    return steps, order


def compare(context, plan, contexts):
    pbx = Pbx(context, plan)
    theirs, their_order = shown(pbx)
    ours, our_order = read(context, os.path.join(pbx.dir, "etc"))
    theirs = {k: v for k, v in theirs.items() if k[0] in contexts}
    ours = {k: v for k, v in ours.items() if k[0] in contexts}
    wrong = [f"{k}: Asterisk {theirs.get(k)}, we {ours.get(k)}" for k in sorted(set(theirs) | set(ours)) if theirs.get(k) != ours.get(k)]
    assert not wrong, "\n".join(wrong[:40])
    assert len(ours) >= 20, len(ours)
    for where in contexts:
        one = [n for n in their_order.get(where, []) if n.startswith("_")]
        other = [n for n in our_order.get(where, []) if n.startswith("_")]
        assert one == other, f"{where}: Asterisk {one}, we {other}"


def test_dialplan_is_read_as_asterisk_reads_it(context):
    compare(context, PLAN, ["plain", "heir", "first", "order"])


def generated(rng):
    """A dialplan of every construct in random order, wrong ones among them."""
    lines = []
    names = ["1", "2", "100", "s", "_1X", "_NXX", "_X.", "_[2-4]X!", "*9", "a-b", "_Z1"]
    for number in range(6):
        lines.append(f"[gen{number % 4}]")
        for _ in range(rng.randrange(4, 14)):
            priority = rng.choice(["1", "1", "2", "3", "n", "n", "n+2", "n(la)", "7(lb)", "s", "next", "0", "la", "lb+1", "", "N", "7x"])
            app = rng.choice(["NoOp()", "NoOp", "Answer()", "Set(A=${B:1}(x))", "Goto(1,1)", "NoOp(a;b)", "NoOp(a\\;b)", "Playback( a , b )"])
            start = rng.choice([f"exten => {rng.choice(names)},", f"exten={rng.choice(names)} , ", " same => ", "same=", "same => "])
            if rng.randrange(12) == 0:
                priority, app = "hint", "PJSIP/7"
            lines.append(f"{start}{priority},{app}")
    return "\n".join(lines) + "\n"


def test_generated_dialplans_are_read_as_asterisk_reads_them(context):
    rng = random.Random(20261123)
    plan = ""
    for batch in range(30):
        plan += generated(rng).replace("[gen", f"[gen{batch}x")
    compare(context, plan, [f"gen{b}x{n}" for b in range(30) for n in range(4)])
