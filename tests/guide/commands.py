"""Each command line of each document and manual can be typed: without a driver it says that none answers, not that it is wrong."""
import glob
import os
import re
import shlex
import subprocess

import box
import tap
from initiator import BUILD, tree

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TOOLS = ("iscsiutil", "ioscan", "insf", "rmsf")
# Their lines are read with --help behind them, which is the last word that they look at: nothing is started or written.
STARTED = ("iscsidiag", "iscsi", "iscsi_driverd", "iscsi_holderd", "iswd", "iscsi_resolvd", "islpd", "iradd")
# What stands there instead of a word, in prose.
BLANK = re.compile(r"…|\.\.\.|<[^>]*>|\[|\b(NAME|KEY|ID|ADDRESS|HOST|DIR|FILE|A|N)\b")
# Shown with its fault, or with a file that is not there.
FAULTS = ("iscsiutil /dev/null",)
OK, FAILED, NOT_RUNNING = 0, 1, 3


def of_markdown(text):
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for block in blocks:
        yield from re.findall(r"^# (.*)$", block, re.MULTILINE)
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


def of_manual(text):
    # What goes on in the next line is one line.
    text = text.replace("\\-", "-").replace("\\e\n", " ")
    yield from (line for line in re.findall(r"^# (.*)$", text, re.MULTILINE))


def commands():
    found = {}
    for pattern, lines in (("*.md", of_markdown), ("doc/*.md", of_markdown), ("src/**/*.8*", of_manual), ("man/*.in", of_manual),
                           ("dist/*.8", of_manual)):
        for path in glob.glob(os.path.join(TOP, pattern), recursive=True):
            with open(path, encoding="utf-8") as f:
                # Those of differences.md are run by differences.py.
                for line in lines(f.read() if "differences" not in path else ""):
                    for part in re.split(r"\|\||&&|[;|]", line):
                        words = part.split(" >")[0].split("2>")[0].strip()
                        if words.split(" ")[0] in TOOLS + STARTED and not BLANK.search(words):
                            found.setdefault(words, os.path.relpath(path, TOP))
    return found


def main():
    with tap.script() as t:
        root = box.directory()
        tree.make(BUILD)
        found = commands()
        with t.case("the documents have command lines"):
            assert len(found) > 60, len(found)
        wrong = []
        with t.case("each of %d command lines in documents and manuals can be typed" % len(found), limit=120):
            for line, path in sorted(found.items()):
                words = [w for w in shlex.split(line) if not w.startswith("$")]
                if "--root" in words:
                    del words[words.index("--root"):words.index("--root") + 2]
                last = ["--help"] if words[0] in STARTED else ["--root", root]
                out = subprocess.run([os.path.join(BUILD, "tree", "bin", words[0]), *words[1:], *last], text=True,
                                     stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
                # There is nothing on the standard input that could be a secret, and no such file.
                good = (OK, NOT_RUNNING, FAILED) if {"-", "--apply"} & set(words) else (OK, NOT_RUNNING)
                if out.returncode not in good and line not in FAULTS:
                    wrong.append("%s: %s: status %d: %s" % (path, line, out.returncode, out.stdout.strip()[:160]))
            assert not wrong, "\n".join(wrong)


main()
