#!/usr/bin/env python3
# Waits for the caller, is told of the hangup by a signal, and tidies up in the data base.
import os
import signal
import sys

env = {}
events = []


def on_hup(number, frame):
    events.append("SIGHUP")


signal.signal(signal.SIGHUP, on_hup)
for line in iter(sys.stdin.readline, "\n"):
    key, _, value = line.rstrip("\n").partition(": ")
    env[key] = value


def ask(command):
    sys.stdout.write(command + "\n")
    sys.stdout.flush()
    events.append(sys.stdin.readline().rstrip("\n"))


ask("SET VARIABLE WAITING yes")
ask("WAIT FOR DIGIT -1")
ask("STREAM FILE demo-thanks \"\"")
ask("DATABASE PUT after hangup %s" % env["agi_extension"])
ask("SET VARIABLE AFTER set")
with open(os.path.join(os.environ["AST_SPOOL_DIR"], "tmp", "seen-" + env["agi_uniqueid"]), "w", encoding="utf-8") as out:
    out.write("\n".join(sorted(events)) + "\n")
sys.exit(0)
