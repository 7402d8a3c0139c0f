#!/usr/bin/env python3
# Habits of pyst2: env by readline until a blank line, write and flush, a regular expression on the reply.
import os
import re
import sys

seen = []
env = {}
while True:
    line = sys.stdin.readline()
    seen.append(line)
    line = line.strip()
    if line == "":
        break
    key, data = line.split(":", 1)
    env[key.strip()] = data.strip()

RESULT = re.compile(r"(?P<code>\d+) result=(?P<result>[^(\s]*)(?:\s*\((?P<data>.*)\))?")


def execute(command, *args):
    sys.stdout.write(" ".join([command] + [str(a) for a in args]) + "\n")
    sys.stdout.flush()
    line = sys.stdin.readline()
    seen.append(line)
    if line.startswith("520-"):
        while not line.startswith("520 "):
            line = sys.stdin.readline()
            seen.append(line)
        return None
    if line.startswith("100"):
        line = sys.stdin.readline()
        seen.append(line)
    found = RESULT.match(line)
    return found.group("data") or found.group("result") if found else None


execute("VERBOSE", '"a \\"quoted\\" line"', 1)
number = execute("GET VARIABLE", '"CALLERID(num)"')
execute("SET VARIABLE", "PY_NUMBER", f'"{number}"')
execute("GET FULL VARIABLE", '"${EXTEN:0:0}${LONG}"')
execute("DATABASE PUT", "pyst", "key", '"va lue"')
value = execute("DATABASE GET", "pyst", "key")
execute("SET VARIABLE", "PY_VALUE", f'"{value}"')
execute("GET VARIABLE", "NOT_SET_AT_ALL")
execute("SET VARIABLE", "ONLY_ONE")
execute("NONSENSE here")
execute("GOSUB", "sub", "s", 1, '"x"')
execute("EXEC", "Set", '"PY_EXEC=yes"')
execute("STREAM FILE", "no-such-file-here", '"#"')
execute("SET VARIABLE", "PY_ARGS", '"%s"' % "|".join(sys.argv[1:]))
execute("SET VARIABLE", "PY_PLACE", '"%s"' % os.getcwd())
execute("SET VARIABLE", "PY_AST", '"%s"' % "|".join(f"{k}={v}" for k, v in sorted(os.environ.items()) if k.startswith("AST_")
                                                     and not k.startswith(("AST_BUILD_", "AST_VERSION"))))
execute("SET VARIABLE", "PY_REQUEST", '"%s|%s"' % (env["agi_request"], sys.argv[0]))
execute("SET VARIABLE", "PY_SEEN", '"%d"' % len(seen))
with open(os.path.join(os.environ["AST_SPOOL_DIR"], "tmp", "seen-" + env["agi_uniqueid"]), "w", encoding="utf-8") as out:
    out.write("".join(seen))
