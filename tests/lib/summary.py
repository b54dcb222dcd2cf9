#!/usr/bin/env python3
"""summary.py TESTLOG... -- FAILURE...: count test cases in meson's logs, say what failed and why tests were skipped, and end
with the line "N passed, N failed, N skipped".  FAILURE: things outside of meson that failed."""
import collections
import json
import re
import sys

CASE = re.compile(r"^\s*(not )?ok\b\s*\d*\s*(?:- )?(.*?)\s*(?:#\s*(SKIP)\b\s*(.*))?$", re.IGNORECASE)
TAIL = 60


class Count:
    def __init__(self):
        self.passed = self.failed = 0
        self.skipped = []

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
        if result in ("FAIL", "ERROR", "TIMEOUT", "INTERRUPT", "UNEXPECTEDPASS"):
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
    split = sys.argv.index("--")
    count = Count()
    for path in sys.argv[1:split]:
        try:
            with open(path) as f:
                tests = [json.loads(line) for line in f]
        except OSError as e:
            print("no results in %s: %s" % (path, e.strerror))
            count.failed += 1
            continue
        for test in tests:
            count.add_cases(test)
    for failure in sys.argv[split + 1:]:
        print("---- failed: " + failure)
        count.failed += 1
    if count.skipped:
        print("skipped:")
        for reason, times in sorted(collections.Counter(count.skipped).items()):
            print("    %s%s" % (reason, " (in both builds)" if times > 1 else ""))
    print("%d passed, %d failed, %d skipped" % (count.passed, count.failed, len(count.skipped)))
    return 1 if count.failed or not count.passed else 0


sys.exit(main())
