"""What no compiler checks: formatting, sizes, banned calls, sleeps, scripts that parse.  Reports in TAP.

style.py [--shrink]: take out of exempt.txt what is mended.
"""
import os
import re
import shutil
import subprocess
import sys

import limits

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|strtok|gets|atoi|alloca|system|popen)\s*\(")
MARKS = re.compile(r"\b(TODO|FIXME|XXX)\b")
# What must wait by the clock says why beside this word, on its line or the one before.
SLEEPS = re.compile(r"\b(u|nano)?sleep *(\(|[0-9$])")
SLEEP_OK = "no-sleep-ok"


def files(*patterns):
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard", "--"] + list(patterns),
                         cwd=TOP, capture_output=True, text=True)
    if out.returncode != 0:
        return None
    return [name for name in out.stdout.splitlines() if os.path.exists(os.path.join(TOP, name))]


def lines(name):
    with open(os.path.join(TOP, name), errors="replace") as f:
        return f.read().splitlines()


def scripts():
    """Shell scripts: by name or by their first line."""
    return [n for n in files() if n.endswith(".sh") or
            (not n.endswith((".py", ".c", ".h")) and "." not in os.path.basename(n)
             and re.match(r"#!.*\b(ba)?sh\b", "".join(lines(n)[:1])))]


def formatted():
    if not shutil.which("clang-format"):
        return "# SKIP clang-format is not installed"
    names = files("*.c", "*.h")
    out = subprocess.run(["clang-format", "--dry-run", "-Werror"] + names, cwd=TOP, capture_output=True, text=True)
    return [line for line in out.stderr.splitlines() if "error:" in line]


def texts(*patterns):
    return {name: lines(name) for name in files(*patterns)}


def matches(pattern, names, allowed=None):
    found = []
    for name in names:
        before = ""
        for number, line in enumerate(lines(name), 1):
            if pattern.search(line) and not (allowed and allowed in before + line):
                found.append("%s:%d: %s" % (name, number, line.strip()))
            before = line
    return found


def shell_parses():
    bad = []
    for name in scripts():
        shell = "bash" if "bash" in lines(name)[0] else "sh"
        out = subprocess.run([shell, "-n", name], cwd=TOP, capture_output=True, text=True)
        bad += out.stderr.splitlines()
    return bad


def python_parses():
    bad = []
    for name in files("*.py"):
        try:
            compile("\n".join(lines(name)), name, "exec")
        except SyntaxError as e:
            bad.append("%s:%s: %s" % (name, e.lineno, e.msg))
    return bad


EXEMPT = limits.Exempt()
CASES = [
    ("C files are formatted as .clang-format says", formatted),
    ("files and functions are short enough to understand", lambda: limits.sizes(texts("*.c", "*.h"), EXEMPT)),
    ("nothing stands twice", lambda: limits.twice(texts("src/*.c", "src/*.h"), EXEMPT)),
    ("what is beyond the limits is listed once, and only that", EXEMPT.unused),
    ("no banned call", lambda: matches(BANNED, files("*.c", "*.h"))),
    ("no left-over mark", lambda: matches(MARKS, [n for n in files("*.c", "*.h", "*.def", "*.sh", "*.build")])),
    ("no sleep without a reason", lambda: matches(SLEEPS, files("src/*.c", "tests/*.c", "tests/*.py", "tests/*.sh"),
                                                  SLEEP_OK)),
    ("shell scripts parse", shell_parses),
    ("python scripts parse", python_parses),
]


def main():
    if files() is None:
        print("1..0 # SKIP not a git checkout")
        return 0
    for long in limits.long_files(texts("*.c", "*.h")):
        print("# think again: " + long)
    failed = 0
    for number, (name, check) in enumerate(CASES, 1):
        bad = check()
        skip = bad if isinstance(bad, str) else ""
        good = skip or not bad
        failed += not good
        print("%s %d - %s %s" % ("ok" if good else "not ok", number, name, skip))
        for line in [] if good else bad:
            print("#   " + line)
    print("1..%d" % len(CASES))
    if "--shrink" in sys.argv:
        EXEMPT.shrink()
    return 1 if failed else 0


sys.exit(main())
