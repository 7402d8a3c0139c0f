"""Every verb of a handler on the real Asterisk: what it gives on a quiet channel, under pressed digits, and after hangup."""
import os
import re
import wave

from daemon import Daemon, free_port
from pbx import Pbx

PLAN = """
[test]
exten => quiet,1,Set(ODD=${URIDECODE(l1%0Al2%29%20x)})
 same => n,AGI(agi://127.0.0.1:@AGI@/quiet,first,second)
 same => n,Hangup()
exten => digits,1,AGI(agi://127.0.0.1:@AGI@/digits)
 same => n,Hangup()
exten => gone,1,AGI(agi://127.0.0.1:@AGI@/gone)
exten => who,1,AGI(agi://127.0.0.1:@AGI@/who)
 same => n,Hangup()
exten => moved,1,Hangup()
 same => n(here),UserEvent(Mark,What: moved,Status: ${SIDETONE_STATUS})
 same => n,Hangup()

[sub]
exten => s,1,Set(SEEN=${ARG1})
 same => n,Return(from-sub)

[peer]
exten => sound,1,Answer()
 same => n(again),Playback(demo-thanks)
 same => n,Goto(again)
exten => press,1,Answer()
 same => n(again),SendDTMF(5,100)
 same => n,Wait(0.15)
 same => n,Goto(again)
"""
# tell(NAME, verb's results...) leaves them in a variable: the event of its setting carries them here.
TELL = """local function tell(name, ...)
  local all = table.pack(...)
  for i = 1, all.n do all[i] = tostring(all[i]):gsub("\\n", "~") end
  call_:set("TOLD_" .. name, table.concat(all, " "))
end
local function try(name, verb, ...)
  local all = table.pack(pcall(call_[verb], call_, ...))
  if all[1] then tell(name, table.unpack(all, 2, all.n)) else tell(name, "error", type(all[2]) == "table" and all[2].code or all[2]) end
end
local function verbs(list)
  for _, v in ipairs(list) do try(v[1], table.unpack(v, 2)) end
end
"""
QUIET = TELL + """function handle(call)
  call_ = call
  verbs {
    { "answer", "answer" }, { "noop", "noop", "a b" }, { "verbose", "verbose", "said", 1 },
    { "status", "channel_status" }, { "status_none", "channel_status", "PJSIP/none" },
    { "set", "set", "X", 'q"\\\\u (o) te' }, { "get", "get", "X" }, { "get_unset", "get", "NEVER" }, { "get_full", "get_full", "<${X}>" },
    { "get_other", "get_full", "x", "PJSIP/none" }, { "odd", "get_safe", "ODD" },
    { "set_callerid", "set_callerid", "Ada <77>" }, { "number", "get", "CALLERID(num)" }, { "name", "get", "CALLERID(name)" },
    { "exec", "exec", "NoOp", "a", "b" }, { "exec_none", "exec", "NoSuchApplication" },
    { "gosub", "gosub", "sub", "s", "1", "an arg" }, { "retval", "get", "GOSUB_RETVAL" }, { "seen", "get", "SEEN" }, { "gosub_none", "gosub", "none", "s", "1" },
    { "commas", "set", "Y", "a,b,(c)" }, { "commas_back", "get", "Y" }, { "two", "exec", "MSet", "P=1,Q=2" }, { "second", "get", "Q" },
    { "music_on", "set_music", true, "default" }, { "music_off", "set_music", false },
    { "autohangup", "set_autohangup", 3600 }, { "autohangup_off", "set_autohangup", 0 },
    { "stream", "stream_file", "digits/1" }, { "stream_none", "stream_file", "no-such-file" },
    { "control", "control_stream_file", "digits/2", "" }, { "option", "get_option", "digits/1", "9", 100 },
    { "data", "get_data", "digits/1", 100, 2 }, { "digit", "wait_for_digit", 50 },
    { "record", "record_file", "@DIR@/one", "wav", "#", 1000 }, { "record_beep", "record_file", "@DIR@/two", "wav", "#", 500, nil, true },
    { "record_nowhere", "record_file", "/proc/none/x", "wav", "#", 500 },
    { "char", "receive_char", 50 }, { "text", "receive_text", 50 }, { "send_text", "send_text", "hello there" }, { "send_image", "send_image", "none" },
    { "tdd", "tdd_mode", "off" },
    { "say_number", "say_number", 7 }, { "say_gender", "say_number", 2, "", "f" }, { "say_digits", "say_digits", "07" },
    { "say_alpha", "say_alpha", "a" }, { "say_case", "say_alpha", "a", "", "a" }, { "say_phonetic", "say_phonetic", "a" }, { "say_date", "say_date", 0 },
    { "say_time", "say_time", 0 }, { "say_datetime", "say_datetime", 0, "", "d", "UTC" },
    { "say_letters", "say_number", "seven" },
    { "db_put", "database_put", "fam", "k", "v w" }, { "db_get", "database_get", "fam", "k" }, { "db_none", "database_get", "fam", "none" },
    { "db_del", "database_del", "fam", "k" }, { "db_tree_none", "database_deltree", "nofam" }, { "db_put2", "database_put", "fam", "a/b", "1" },
    { "db_tree", "database_deltree", "fam", "a" },
    { "speech", "speech_create", "none" }, { "speech_set", "speech_set", "a", "b" }, { "speech_load", "speech_load_grammar", "g", "/g" },
    { "speech_on", "speech_activate_grammar", "g" }, { "speech_off", "speech_deactivate_grammar", "g" }, { "speech_unload", "speech_unload_grammar", "g" },
    { "speech_hear", "speech_recognize", "digits/1", 1 }, { "speech_end", "speech_destroy" },
    { "hangup_none", "hangup", "PJSIP/none" },
  }
  tell("arg", call:arg(1), call:arg(2))
  local reply = call:command("ASYNCAGI BREAK")
  tell("break", reply.code, reply.result)
  reply = call:command('GET FULL VARIABLE "${X}"')
  tell("raw", reply.code, reply.result, reply.value)
  try("unknown", "command", "NO SUCH COMMAND")
  try("usage", "command", "SET VARIABLE X a b")
  try("injection", "set", "X", "a\\nHANGUP")
  verbs { { "context", "set_context", "test" }, { "extension", "set_extension", "moved" }, { "priority", "set_priority", "here" } }
end
"""
DIGITS = TELL + """function handle(call)
  call_ = call
  call:answer()
  local long = "demo-instruct"
  verbs {
    { "stream", "stream_file", long, "5" }, { "control", "control_stream_file", long, "5" }, { "option", "get_option", long, "5", 3000 },
    { "data", "get_data", long, 3000, 2 }, { "digit", "wait_for_digit", 3000 }, { "record", "record_file", "@DIR@/three", "wav", "5", 20000 },
    { "say_number", "say_number", 123456789, "5" }, { "say_digits", "say_digits", "123456789012345", "5" }, { "say_alpha", "say_alpha", "sidetone", "5" },
    { "say_phonetic", "say_phonetic", "sidetone", "5" }, { "say_date", "say_date", 0, "5" }, { "say_time", "say_time", 0, "5" },
    { "say_datetime", "say_datetime", 0, "5" },
  }
end
"""
GONE = TELL + """function handle(call)
  call_ = call
  call:answer()
  call:hangup()
  for i = 1, 100 do
    local ok, e = pcall(call.channel_status, call)
    if not ok then
      verbs { { "caught", "noop" } }
      tell("code", e.code)
      break
    end
    sleep(20)
  end
  verbs { { "set", "set", "X", "1" }, { "get", "get", "X" }, { "full", "get_full", "${X}" }, { "verbose", "verbose", "dead" }, { "exec", "exec", "NoOp" },
          { "db", "database_put", "dead", "k", "v" }, { "db_get", "database_get", "dead", "k" }, { "db_del", "database_del", "dead", "k" },
          { "tree", "database_deltree", "dead" }, { "speech_end", "speech_destroy" }, { "speech_unload", "speech_unload_grammar", "g" } }
end
"""


# What each verb gives; the event puts a backslash before each quote and backslash.
PLAIN = {
    "answer": "true", "noop": "true", "verbose": "true", "status": "6", "status_none": "nil", "set": "true", "get": 'q\\"\\\\u (o) te',
    "get_unset": "nil", "get_full": '<q\\"\\\\u (o) te>', "get_other": "nil", "odd": "l1~l2) x", "set_callerid": "true", "number": "77", "name": "Ada",
    "exec": "0", "exec_none": "error no_application", "gosub": "true", "retval": "from-sub", "seen": "an arg", "gosub_none": "false",
    "commas": "true", "commas_back": "a,b,(c)", "two": "0", "second": "2", "music_on": "true", "music_off": "true", "autohangup": "true", "autohangup_off": "true",
    "stream_none": "false 0", "control": "nil -1", "data": " true", "digit": "nil nil",
    "record_nowhere": "writefile nil nil", "char": "false", "text": "nil", "send_text": "true", "send_image": "true", "tdd": "false",
    "db_put": "true", "db_get": "v w", "db_none": "nil", "db_del": "true", "db_tree_none": "false", "db_put2": "true", "db_tree": "true",
    "hangup_none": "false", "arg": "first second", "break": "200 0", "raw": '200 1 q\\"\\\\u (o) te', "unknown": "error 510", "usage": "error 520",
    "injection": "error refused", "context": "true", "extension": "true", "priority": "true",
    **{"say_" + x: "nil nil" for x in ("number", "gender", "digits", "alpha", "case", "phonetic", "date", "time", "datetime")},
    # no engine is installed: each is a plain failure
    **{"speech" + x: "false" for x in ("", "_set", "_load", "_on", "_off", "_unload", "_hear", "_end")},
}
DEAD = {"caught": "true", "code": "hangup", "set": "true", "get": "1", "full": "1", "verbose": "true", "exec": "0", "db": "true", "db_get": "v",
        "db_del": "true", "tree": "false", "speech_end": "false", "speech_unload": "false"}


def differing(told, wanted):
    return {name: (told.get(name), value) for name, value in wanted.items() if told.get(name) != value}


WHO = TELL + """function handle(call)
  call_ = call
  tell("who", call.env.agi_callerid, "<" .. (call:get("CALLERID(num)") or "nil") .. ">")
end
"""


class Verbs:
    def __init__(self, context, **handlers):
        port = free_port()
        self.sounds = context.path("sounds")
        os.mkdir(self.sounds)
        os.chmod(self.sounds, 0o777)
        routes = ""
        for name, text in handlers.items():
            context.write(f"handlers/{name}.lua", text.replace("@DIR@", self.sounds))
            routes += f"[route {name}]\nhandler = {name}.lua\ndeadline = 120s\n"
        conf = context.write("sidetone.conf", f"[sidetone]\nstate_dir = {context.path('state')}\n[fastagi]\nlisten = 127.0.0.1:{port}\n{routes}")
        self.pbx = Pbx(context, PLAN.replace("@AGI@", str(port)))
        self.daemon = Daemon(context, conf)
        self.ami = self.pbx.ami()

    def told(self, exten, peer, last, caller="1001"):
        """{verb: what it gave} of one call."""
        self.ami.originate(f"Local/{exten}@test/n", "peer", peer, caller=caller)
        told = {}
        while last not in told:
            event = self.ami.wait("VarSet", seconds=60)
            if event["Variable"].startswith("TOLD_"):
                told[event["Variable"][5:]] = event["Value"]
        return told

    def seconds(self, name):
        with wave.open(os.path.join(self.sounds, name + ".wav")) as f:
            return f.getnframes() / f.getframerate()


def test_verbs_on_a_quiet_channel(context):
    verbs = Verbs(context, quiet=QUIET)
    told = verbs.told("quiet", "sound", "priority")
    assert not differing(told, PLAIN), differing(told, PLAIN)
    for name in ("stream", "option"):  # to the end of the prompt, and where that is
        digit, at = told[name].split()
        assert digit == "nil" and int(at) > 1000, told[name]
    for name, file, seconds in (("record", "one", 1), ("record_beep", "two", 0.5)):
        why, at, digit = told[name].split()
        assert (why, digit) == ("timeout", "nil") and int(at) > 1000, told[name]
        assert seconds / 2 < verbs.seconds(file) < seconds * 2 and abs(verbs.seconds(file) - int(at) / 8000) < 0.2, (told[name], verbs.seconds(file))
    assert told["say_letters"].startswith("error bad argument"), told["say_letters"]  # Asterisk would answer 520
    assert verbs.ami.wait("UserEvent", UserEvent="Mark", What="moved")["Status"] == "OK"


def test_verbs_under_digits(context):
    verbs = Verbs(context, digits=DIGITS)
    told = verbs.told("digits", "press", "say_datetime")
    assert told.pop("data") == "55 false", told
    assert told.pop("record").startswith("dtmf ") and os.path.exists(os.path.join(verbs.sounds, "three.wav")), told
    assert len(told) == 11 and all(v.split()[0] == "5" for v in told.values()), told
    assert all(int(told[name].split()[1]) > 0 for name in ("stream", "control", "option")), told


def test_verbs_after_hangup(context):
    verbs = Verbs(context, gone=GONE)
    told = verbs.told("gone", "sound", "speech_unload")
    assert not differing(told, DEAD), differing(told, DEAD)


def test_verbs_tell_a_withheld_number_from_one_named_unknown(context):
    verbs = Verbs(context, who=WHO)
    assert verbs.told("who", "sound", "who", caller="unknown <unknown>")["who"] == "unknown <unknown>"
    assert verbs.told("who", "sound", "who", caller="")["who"] == "unknown <>"


def test_no_verb_is_forgotten(context):
    """Each verb of the reference stands in one of the handlers here."""
    with open(os.path.join(os.path.dirname(__file__), "../../docs/handlers.md"), encoding="utf-8") as f:
        verbs = re.findall(r"`call:([a-z_]+)\(", f.read())
    elsewhere = {"query", "hand_off", "finish"}  # test_call.py, test_fastagi.py, test_asyncagi.py
    assert len(verbs) > 50, verbs
    missing = [v for v in verbs if v not in elsewhere and f'"{v}"' not in QUIET and f"call:{v}(" not in QUIET]
    assert not missing, missing
