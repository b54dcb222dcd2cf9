#!/usr/bin/env python3
"""summary.py TESTLOG... -- FAILURE...: count test cases in meson's logs, say what failed and why tests were skipped, and end
with the line "N passed, N failed, N skipped".  FAILURE: things outside of meson that failed.  Beside a log, alone.json may tell
how what failed went when it was tried alone: what passed then is counted so, and named.

summary.py --failed TESTLOG: the names of the tests that failed there, one a line."""
import collections
import json
import os
import re
import sys

CASE = re.compile(r"^\s*(not )?ok\b\s*\d*\s*(?:- )?(.*?)\s*(?:#\s*(SKIP)\b\s*(.*))?$", re.IGNORECASE)
BAD = ("FAIL", "ERROR", "TIMEOUT", "INTERRUPT", "UNEXPECTEDPASS")
TAIL = 60


def read(path):
    """The tests of a log: dictionaries, as meson writes them, one a line."""
    with open(path) as f:
        return [json.loads(line) for line in f]


def passed_alone(path):
    """By name, the tests that passed when they were tried once more beside this log's run."""
    alone = os.path.join(os.path.dirname(path), "alone.json")
    tests = read(alone) if os.path.exists(alone) else []
    return {test["name"]: test for test in tests if test["result"] == "OK"}


class Count:
    def __init__(self):
        self.passed = self.failed = 0
        self.skipped = []
        self.unstable = []

    def add_log(self, path):
        """All tests of a run."""
        alone = passed_alone(path)
        for test in read(path):
            again = alone.get(test["name"]) if test["result"] in BAD else None
            if again:
                self.explain(test)
                self.unstable.append(test["name"])
            self.add_cases(again or test)

    def add_cases(self, test):
        """The cases of one test program; a program that reports none is one case itself."""
        out = test.get("stdout", "")
        before = self.failed
        cases = [m for m in map(CASE.match, out.splitlines()) if m]
        for bad, name, skip, reason in (m.groups() for m in cases):
            if skip:
                self.skipped.append("%s: %s" % (test["name"], " ".join(w for w in (name, reason) if w)))
            elif bad:
                self.failed += 1
            else:
                self.passed += 1
        result = test["result"]
        if result in BAD:
            if self.failed == before:
                self.failed += 1
            self.explain(test)
        elif not cases:
            if result == "SKIP":
                lines = (out + test.get("stderr", "")).strip().splitlines()
                self.skipped.append("%s: %s" % (test["name"], lines[-1] if lines else "no reason given"))
            else:
                self.passed += 1

    @staticmethod
    def explain(test):
        print("---- %s: %s after %.1f s; its last lines:" % (test["name"], test["result"], test["duration"]))
        lines = (test.get("stdout", "") + test.get("stderr", "")).splitlines()
        bad = next((i for i, line in enumerate(lines) if line.startswith("not ok")), None)
        shown = lines[-TAIL:] if bad is None else lines[bad:bad + TAIL]
        print("\n".join("    " + line for line in shown))


def main():
    if sys.argv[1] == "--failed":
        for test in read(sys.argv[2]):
            if test["result"] in BAD:
                print(test["name"].split(" / ")[-1])  # as meson wants it; before that stand its suites
        return 0
    split = sys.argv.index("--")
    count = Count()
    for path in sys.argv[1:split]:
        try:
            count.add_log(path)
        except OSError as e:
            print("no results in %s: %s" % (path, e.strerror))
            count.failed += 1
    for failure in sys.argv[split + 1:]:
        print("---- failed: " + failure)
        count.failed += 1
    if count.unstable:
        print("failed beside other tests and passed alone, to be mended: " + ", ".join(count.unstable))
    if count.skipped:
        print("skipped:")
        for reason, times in sorted(collections.Counter(count.skipped).items()):
            print("    %s%s" % (reason, " (in both builds)" if times > 1 else ""))
    print("%d passed, %d failed, %d skipped" % (count.passed, count.failed, len(count.skipped)))
    return 1 if count.failed or not count.passed else 0


sys.exit(main())
