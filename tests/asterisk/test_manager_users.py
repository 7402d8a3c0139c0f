"""The auditor's reading of manager.conf and users.conf beside the running Asterisk's own: users, secrets, lists of addresses, classes."""
import os
import subprocess

from pbx import Pbx

MANAGER = """
[wall](!)
secret = fromTheTemplate1
read = call,agent

[plain]
secret = plainSecret12345
read = system, call,nonsense
write = all

[board](wall)
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/32

[nobody]
read = call

[reader]
secret = readerSecret1234
read = all
write =

[twice]
secret = twiceSecret12345
read = call
write = call

[TWICE]
write = originate

[none]
secret = noneSecret123456
read = none
write = command,config

[6002]
read = cdr

[odd]
secret = oddSecret1234567
read = call,,agent
write = sys,user

[odder]
secret = odderSecret12345
read = Call,co,x,
write = ,call

[oddest]
secret = oddestSecret1234
read = yes
write = call ,agent
"""
USERS = """
[general]
secret = allTheSame123456

[6001]
hasmanager = yes
secret = phoneSecret12345

[6002]
hasmanager = yes
write = user

[6003]
hasmanager = no

[6004](!)
hasmanager = yes
"""


def told(pbx):
    """{name: (secret?, lists?, read classes, write classes)} by `manager show user`."""
    ami = pbx.ami("off")

    def cli(command):
        out = ami.action("Command", Command=command).get("Output", [])
        return out if isinstance(out, list) else [out]

    listed = [line.strip() for line in cli("manager show users")]
    names = listed[listed.index("--------") + 1:listed.index("-------------------")]
    users = {}
    for name in names:
        facts = {}
        for line in cli(f"manager show user {name}"):
            key, colon, value = line.partition(":")
            if colon:
                facts.setdefault(key.strip(), value.strip())
        users[name] = (facts["secret"] == "<Set>", facts["ACL"] == "yes", classes(facts["read perm"]), classes(facts["write perm"]))
    return users


ALL = {"system", "call", "log", "verbose", "command", "agent", "user", "config", "dtmf", "reporting", "cdr", "dialplan", "originate", "agi", "cc", "aoc",
       "test", "security", "message"}


def classes(text):
    words = {word.strip() for word in text.split(",")}
    return ALL if "all" in words or ALL <= words else words & ALL


def read(context, folder):
    program = os.path.join(os.path.abspath(context.build), "tests", "unit", "dump_manager")
    out = subprocess.run([program, folder], capture_output=True, text=True, timeout=30, check=True).stdout
    users = {}
    for line in out.split("\n")[:-1]:
        name, secret, lists, may_read, may_write = line.split("\t")
        users[name] = (secret == "yes", lists == "yes", classes(may_read), classes(may_write))
    return users


def test_manager_users_are_read_as_asterisk_reads_them(context):
    pbx = Pbx(context, "[x]\nexten => 1,1,Hangup()\n", configs={"manager": MANAGER, "users": USERS})
    theirs, ours = told(pbx), read(context, os.path.join(pbx.dir, "etc"))
    wrong = [f"{name}: Asterisk {theirs.get(name)}, we {ours.get(name)}" for name in sorted(set(theirs) | set(ours)) if theirs.get(name) != ours.get(name)]
    assert not wrong, "\n".join(wrong)
    assert len(ours) >= 12, sorted(ours)
