#!/usr/bin/env python3
"""End-to-end tests of the program against scripted peers. usage: run.py [--build DIR] [WORD ...]"""
import argparse
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import runner  # noqa: E402

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--build", default="build")
parser.add_argument("--list", action="store_true")
parser.add_argument("only", nargs="*")
options = parser.parse_args()
tests = runner.load(HERE)
if options.list:
    print("\n".join(t.__name__ for t in tests))
    sys.exit(0)
sys.exit(runner.run(tests, options))
