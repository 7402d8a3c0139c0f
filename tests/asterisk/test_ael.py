"""The auditor's reading of extensions.ael beside the steps that the running Asterisk's own compiler makes of it, priorities and all."""
import os
import random

from pbx import Pbx, which
from test_dialplan import read, shown

OURS = ("parkedcalls", "__func_periodic_hook_context__")  # what modules make for themselves

PLAN = r"""
// every construct
/* a comment
   of lines */
globals {
    OUT=PJSIP/trunk;
    EXT=77;
    W = a b ;
};

macro std ( ext , dev , x-y ) {
    local opt = "tT";
    if ("${DB(x/y)}" != "") {
        Dial(${dev},20,${opt});
    } else
        NoOp(none);
    switch (${DIALSTATUS}) {
    case BUSY:
        Voicemail(${ext},b);
        break;
    case NOANSWER:
    case CONGESTION:
        NoOp(${EXTEN} ${EXTEN:1});
    pattern N[0-9a]XX.:
        NoOp(p);
    pattern [ab]X!:
        &std(1,2,3);
    default:
        Voicemail(${ext},u);
        goto inside;
    inside:
        NoOp(in);
    };
    catch a {
        VoiceMailMain(${ext});
        return;
    };
    catch o { NoOp(o); }
};

macro empty () { }
macro noret (a) { NoOp(${a}); goto out; NoOp(x); out: NoOp(y); return; NoOp(after); }
macro sw2 () { switch(${X}) { case 1: switch(${Y}) { case 2: NoOp(${EXTEN}); break; default: NoOp(d); } break; } while(${I}<3) { switch(${Z}) { case q: NoOp(q); } } return; }

context default {
    s => {
        Answer();
        Wait(1);
      again:
      twice:
        x=0;
        y = ${x} + 1 ;
        CALLERID(name)= foo bar;
        Set(FOO=${BAR});
        local z=5;
        while (${x} < 5) {
            x=${x}+1;
            if (${x} = 2) continue;
            if (${x} = 3) { break; }
            else if (${x} = 4) NoOp(four); else { NoOp(other); };
        }
        for (i=0; ${i} < 10; i=${i}+1) {
            NoOp(${i});
            if (${i}=7) continue;
            random(30) { NoOp(rand); } else { break; }
        }
        for (Set(a=1); 1; Verbose(x,(y))) NoOp();
        for (&empty(); ${a b}; & noret( q , r )) ;
        for (nothing; ; ) { }
        ifTime(*|*|20-25|dec) { NoOp(xmas); }
        ifTime(9:00-17:30|mon-fri|*|*) NoOp(open); else { NoOp(closed); jump 5@night; }
        &std(1000,"PJSIP/1000", ${x} y);
        &empty();
        &std( a,,);
        goto again;
        goto s|again;
        goto default,s,1;
        goto night|_5X|lab;
        jump 5;
        jump 5@night;
        jump 5,lab@night;
        Goto(night,5,1);
        GOTO(twice);
        Playback;
        Playback( a , b(c,d), "e;f" );
        Set(X=\,y\)z);
        NoOp(${CUT(a,\,,1)} [x,y] {z});
        NoOp(two // no comment ) ;
        Set(X=${IF($["${Y}"="1"]?a,b:c)});
        return;
    last:
    }
    5 => NoOp(five);
    _1XXX/5551212 => NoOp(cid);
    regexten 6 => { NoOp(reg); NoOp(ext); }
    hint(PJSIP/7&Custom:x y) 7 => { NoOp(h); }
    regexten hint(PJSIP/8) 8 => NoOp(h2);
    hint(PJSIP/9@x) 9 => ;
    ${EXT} => NoOp(global);
    _X. => { if (${x}) { y=1; }; lab: NoOp(1); }
    a@b => NoOp(at);
    10 => lab:
    11 => ;
    h => { switch (${EXTEN}) { case 1: case 2: pattern 3X: default: NoOp(); } NoOp(${EXTEN}); }
    12 => {
        switch(${CALLERID(num)}) {
        case 100: { NoOp(block); goto deep; }
        case 200: while(1) { break; } break;
        pattern 3XX: { if (${EXTEN} = 1) { deep: NoOp(${EXTEN:2:3}); } else { goto 12,deep; } }
        case 400: return;
        case 500: goto after;
        case ${VAR}x: NoOp(var); switch(${A}) { case 1: goto deep2; default: deep2: NoOp(${EXTEN}); break; }
        }
        after: NoOp(${EXTEN});
        switch(x${B}) { default: break; }
        goto deep;
        goto default,12,deep2;
    }
    13 => { goto out5; }
    14 => { switch(1) { case 1: out5: NoOp(x); } }
    assigned = 4;
    ignorepat => 9;
    includes { night; default2|9:00-17:00|mon-fri|*|*; night|*|sat-sun|1-3|jan-mar; }
    switches { Realtime/x@y; DUNDi/e164; }
    eswitches { Loopback/${X}; }
}
abstract context abs { 1 => NoOp(); }
extend context default { 20 => NoOp(more); 5 => { NoOp(again); NoOp(second); } }
extend abstract context night { 6 => NoOp(6); };
context night {
    _5X => { lab: NoOp(lab); }
    5 => { NoOp(1); lab: NoOp(2); }
    i => Hangup;
};
context default2 { 1 => { NoOp(x)  ; ; ; } ; }
context many.words-here { "q" => NoOp("a b"); *9#8 => Hangup(); 1<2>3! => NoOp(); defaultx => NoOp(); casex => { breakx: contextual=1; ifx(1); } }
context crlf { 
  1 => { NoOp(x); } 
}
context odd { 1 => NoOp(1); /* two stars are no end **/ 2 => NoOp(2); /* one is */ 3 => { NoOp(3)% ; default$x(1); defaultx; } }
macro inc() { includes { default; } }
macro exits() { MacroExit(); NoOp(dead); }
context uni { 1 => NoOp(ä ö); ü => NoOp(); a\,b => NoOp(); }
"""

INCLUDED = """
context included { 1 => NoOp(from ${EXTEN}); includes { default; } }
"""

HALF = """
    3 => NoOp(three);
    4 => { NoOp(four);
"""

AROUND = """
#include "more/*.ael"
context around {
    1 => NoOp(one);
#include "half.inc"
    NoOp(still four); }
    5 => NoOp(five);
#include "missing.inc"
}
"""


def compare(context, files, name="a"):
    pbx = Pbx(context, "[conf]\nexten => 1,1,Hangup()\n", name=name)
    etc = os.path.join(pbx.dir, "etc")
    for file, text in files.items():
        os.makedirs(os.path.dirname(os.path.join(etc, file)), exist_ok=True)
        with open(os.path.join(etc, file), "w", encoding="utf-8") as out:
            out.write(text)
    ami = pbx.ami("off")
    for module in ("res_ael_share", "pbx_ael"):
        assert ami.action("ModuleLoad", Module=module + ".so", LoadType="load")["Response"] == "Success", pbx.complaints()
    theirs = {k: v for k, v in shown(pbx)[0].items() if k[0] not in OURS}
    ours = read(context, etc)[0]
    wrong = [f"{k}: Asterisk {theirs.get(k)}, we {ours.get(k)}" for k in sorted(set(theirs) | set(ours)) if theirs.get(k) != ours.get(k)]
    assert not wrong, "\n".join(wrong[:40])
    return ours


def test_ael_is_compiled_as_asterisk_compiles_it(context):
    steps = compare(context, {"extensions.ael": PLAN})
    assert len(steps) >= 240, len(steps)
    assert any(k[1].startswith("_sw_") and k[1].endswith("_3XX") and k[2] == 12 for k in steps)


def test_ael_includes_are_followed_as_asterisk_follows_them(context):
    steps = compare(context, {"extensions.ael": AROUND, "half.inc": HALF, "more/b.ael": INCLUDED.replace("included", "second"), "more/a.ael": INCLUDED})
    assert steps["around", "4", 2][2] == "still four" and ("second", "1", 1) in steps and len(steps) == 15, steps


def test_the_sample_of_ael_is_compiled_as_asterisk_compiles_it(context):
    chosen = which(context)
    with open(os.path.join(chosen[1] if chosen else "/", "etc", "asterisk", "extensions.ael"), encoding="utf-8") as sample:
        assert len(compare(context, {"extensions.ael": sample.read()})) >= 40


class Writer:
    """Statements in random order, within each other; each label once in an extension."""

    def __init__(self, rng):
        self.rng, self.labels, self.loops = rng, 0, []

    def plain(self):
        return self.rng.choice(["NoOp(${EXTEN});", "NoOp( a , ${EXTEN:1:2});", "Answer;", "x=${y}+1;", "local z = 2 ;", "CALLERID(num)=5;", "return;", ";",
                                "&m1(a,${EXTEN});", "&m0();", "Set(A=${B}[1]{2});", "goto s,1;", "jump s@gen;", "// a word\n", "/* two\n * lines */",
                                'Playback("a;b",(c));'])

    def jump(self):
        if self.loops and self.rng.randrange(2):
            return self.rng.choice(["break;", "continue;"] if self.loops[-1] == "loop" else ["break;"])
        return self.plain()

    def body(self, depth):
        return "{ " + " ".join(self.one(depth - 1) for _ in range(self.rng.randrange(0, 4))) + " }"

    def loop(self, head, depth):
        self.loops.append("loop")
        text = head + self.body(depth)
        self.loops.pop()
        return text

    def switch(self, depth):
        self.loops.append("switch")
        text = "switch (" + self.rng.choice(["${X}", "${EXTEN}", "a${B}"]) + ") { "
        cases = ["case 1:", "case ab:", "pattern N[2-4]X.:", "pattern ZX!:", "default:"]
        for case in self.rng.sample(cases, self.rng.randrange(1, 5)):
            text += case + " " + " ".join(self.one(depth - 1) for _ in range(self.rng.randrange(0, 3))) + " "
        self.loops.pop()
        return text + "}"

    def label(self):
        self.labels += 1
        return f"l{self.labels}: NoOp(label);" + (f" goto l{self.labels};" if self.rng.randrange(2) else "")

    def one(self, depth):
        if depth <= 0:
            return self.jump()
        return self.rng.choice([
            self.plain, self.jump, self.label, lambda: self.body(depth), lambda: self.switch(depth),
            lambda: "if (${x} = 1) " + self.body(depth), lambda: "if (${x}) " + self.body(depth) + " else " + self.body(depth),
            lambda: "if (1) NoOp(yes); else if (2) NoOp(no);", lambda: "random(20) " + self.body(depth) + " else " + self.body(depth),
            lambda: "ifTime(9:00-17:00|mon-fri|*|*) " + self.body(depth) + self.rng.choice(["", " else " + self.body(depth)]),
            lambda: self.loop("while (${x} < 3) ", depth), lambda: self.loop("for (i=0; ${i} < 9; i=${i} + 1) ", depth),
            lambda: self.loop("for (&m1(1,2); ${EXTEN}; Set(x=1)) ", depth)])()


def test_generated_ael_is_compiled_as_asterisk_compiles_it(context):
    rng = random.Random(20261123)
    plan = "macro m1(a, b) { switch (${a}) { case 1: NoOp(${b}); } catch o { NoOp(); } }\nmacro m0() { return; }\ncontext gen { s => NoOp(s); }\n"
    for number in range(60):
        plan += f"context gen{number} {{ s => NoOp(s);\n"
        for extension in ("1", "_X.", "h", "regexten 7", "hint(PJSIP/1&PJSIP/2) 8", "9/555"):
            plan += f"  {extension} => {Writer(rng).body(4)}\n"
        plan += "}\n"
        plan += f"macro g{number}(x) {Writer(rng).body(3)}\n".replace("goto s,1;", "NoOp(g);")
    assert len(compare(context, {"extensions.ael": plan})) >= 2000
