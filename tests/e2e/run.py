#!/usr/bin/env python3
"""End-to-end tests of the program against scripted peers. usage: run.py [--build DIR] [--lanes N] [--without WORD,...] [WORD ...]
--without: leaves out the files whose names have one of the words."""
import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import runner  # noqa: E402

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--build", default="build")
parser.add_argument("--lanes", type=int, default=1, help="run so many tests at a time")
parser.add_argument("--list", action="store_true")
parser.add_argument("--without", default="")
parser.add_argument("only", nargs="*")
options = parser.parse_args()
tests = runner.load(HERE)
left_out = [word for word in options.without.split(",") if word]
tests = [t for t in tests if not any(word in os.path.basename(t.__code__.co_filename) for word in left_out)]
if options.list:
    print("\n".join(t.__name__ for t in tests))
    sys.exit(0)
sys.exit(runner.run(tests, options))
