#!/usr/bin/env python3
"""Tests against a real, private Asterisk. usage: run.py [--build DIR] [--asterisk DIR] [--lanes N] [--list] [WORD ...]

Without an Asterisk (neither unpacked by tools/get-asterisk nor installed) they are skipped; with CI=true they fail."""
import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
sys.path.insert(0, HERE)
import runner  # noqa: E402

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--build", default="build", help="folder with the program (default: build)")
parser.add_argument("--asterisk", default=os.environ.get("SIDETONE_ASTERISK", "build/asterisk"),
                    help="unpacked Asterisk (default: $SIDETONE_ASTERISK or build/asterisk); else the installed one")
parser.add_argument("--lanes", type=int, default=1, help="run so many tests at a time")
parser.add_argument("--list", action="store_true", help="print the names of the tests")
parser.add_argument("only", nargs="*", help="run only tests whose name has one of these words")
options = parser.parse_args()
tests = runner.load(HERE)
if options.list:
    print("\n".join(t.__name__ for t in tests))
    sys.exit(0)
sys.exit(runner.run(tests, options))
