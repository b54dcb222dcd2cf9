"""Each command line of each document, manual and advice can be typed: without a driver it says that none answers, not that it is
wrong.  What stands for a word is filled in; a line that is only the beginning of one has options and words that there are."""
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
# Their lines, and one that waits for a driver, are read with --help behind them, which is the last word that they look at: nothing
# is started or written.
STARTED = ("iscsi-replay", "iscsidiag", "iscsi", "iscsi_driverd", "iscsi_holderd", "iswd", "iscsi_resolvd", "islpd", "iisnsd", "iradd")
OURS = "|".join(TOOLS + STARTED)
# What stands there instead of a word.
FILLED = ((r"<ip-address>|\bADDRESS\b|\bHOST\b|(?<=-I )A\b", "192.0.2.1"), (r"<target-name>|\bNAME\b|%s", "iqn.2001-04.com.example:x"),
          (r"<ssn_inst>|(?<!-)\bN\b|%lld", "0"), (r"\bKEY\b", "NOPTimeout"), (r"\bVALUE\b", "5"), (r"\bID\b", "C12"), (r"\bDIR\b", "/nowhere"),
          (r"\bFILE\b", "/nowhere"), (r"\bDEVICE\b", "c0t0d0"), (r"\bSECONDS\b", "1"))
# From here on it is not said.
CUT = re.compile(r"…|\.\.\.|\[|<")
# Shown with its fault, or with a file that is not there.
FAULTS = ("iscsiutil /dev/null",)
# Sentences of what a program does, in the middle of prose.
PROSE = re.compile(r"^(ioscan (opens|does|finds) |insf makes |iradd (is|does) )")
OK, FAILED, NOT_RUNNING = 0, 1, 3


def of_markdown(text):
    blocks = re.findall(r"^```\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    for block in blocks:
        yield from re.findall(r"^# (.*)$", block, re.MULTILINE)
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"^```\n.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))


def of_manual(text):
    # What goes on in the next line is one line.
    text = text.replace("\\-", "-").replace("\\e\n", " ")
    yield from re.findall(r"^# (.*)$", text, re.MULTILINE)


def quoted_in_manual(text):
    for line in re.findall(r"^\.(?:Ql|Dl|D1|Li) (.*)$", text.replace("\\-", "-"), re.MULTILINE):
        yield re.sub(r"( [.,;:)])+$", "", line.replace('"', ""))


def of_source(text):
    """What users are told to type, in strings: 'iscsi start', and "start it: iscsi start"."""
    text = re.sub(r'"\s*"', "", text)  # one string, over several lines
    yield from re.findall(r"'((?:%s)(?: [^'\"\n]*)?)'" % OURS, text)
    yield from (m for m in re.findall(r'"[^"\n]*?: ((?:%s) [^"\n;,]*?)\.?["\n;,]' % OURS, text) if not PROSE.match(m))


def parts(line):
    """The commands of one line."""
    for part in re.split(r"\|\||&&|[;|]", line):
        yield part.split(" >")[0].split("2>")[0].strip()


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def files(*patterns):
    for pattern in patterns:
        yield from sorted(glob.glob(os.path.join(TOP, pattern), recursive=True))


def commands():
    """{command: (where it stands, whether all of it does)}"""
    found = {}

    def add(path, lines, is_whole):
        for line in lines:
            for words in parts(line):
                for what, word in FILLED:
                    words = re.sub(what, word, words)
                # One word tells which command is spoken of.
                whole = is_whole and not CUT.search(words) and len(words.split()) != 2
                words = CUT.split(words)[0].strip()
                if words.split(" ")[0] in TOOLS + STARTED:
                    before = found.get(words, ("", False))
                    found[words] = (os.path.relpath(path, TOP), whole or before[1])
    for path in files("*.md", "doc/*.md"):
        # Those of differences.md are run by differences.py, and blocks that are a console by tests/doc.
        add(path, of_markdown(read(path) if "differences" not in path else ""), True)
    for path in files("src/**/*.8*", "man/*.in", "dist/*.8"):
        add(path, of_manual(read(path)), True)
        add(path, quoted_in_manual(read(path)), False)
    for path in files("src/**/*.c", "src/**/*.def"):
        if not os.path.basename(path).startswith("test_"):
            add(path, of_source(read(path)), False)
    return found


def scripts():
    """(document, file of the project) of each that is to be run: ./check, dist/build-deb, tests/mutants/run."""
    for path in files("*.md", "doc/*.md", "tests/*/README.md", "bench/README.md"):
        text = read(path)
        lines = re.findall(r"`([^`\n]+)`", text) + re.findall(r"^(?: {4}|)((?:\./|dist/|tests/|bench/)\S+)", text, re.MULTILINE)
        for line in lines:
            m = re.match(r"(?:\./)?((?:(?:dist|tests|bench)/[\w./-]+)|(?<=\./)\w[\w-]*)(?= |$)", line)
            if m:
                yield os.path.relpath(path, TOP), m.group(1).rstrip("/")


def run(root, words, last):
    return subprocess.run([os.path.join(BUILD, "tree", "bin", words[0]), *words[1:], *last], text=True, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False, cwd=root)


def fault(root, line, is_whole):
    """What is wrong with it; None: nothing."""
    words = [w for w in shlex.split(line) if not w.startswith("$")]
    if "--root" in words:
        del words[words.index("--root"):words.index("--root") + 2]
    if words[0] in STARTED or not is_whole or "--notify" in words:
        out, good = run(root, words, ["--help"]), (OK,)
    else:
        # There is nothing on the standard input that could be a secret, and no such file.
        out, good = run(root, words, ["--root", root]), (OK, NOT_RUNNING) + ((FAILED,) if {"-", "--apply"} & set(words) else ())
    return None if out.returncode in good or line in FAULTS else "status %d: %s" % (out.returncode, out.stdout.strip()[:160])


def main():
    with tap.script() as t:
        root = box.directory()
        tree.make(BUILD)
        found = commands()
        with t.case("documents, manuals and advice have command lines"):
            kinds = [sum(test(path) for path, _ in found.values()) for test in (
                lambda p: p.endswith(".md"), lambda p: p.endswith((".c", ".def")), lambda p: ".8" in p or p.startswith("man"))]
            assert all(n > 20 for n in kinds), kinds
        with t.case("each of %d command lines in documents, manuals and advice can be typed" % len(found), limit=180):
            wrong = ["%s: %s: %s" % (path, line, why) for line, (path, whole) in sorted(found.items())
                     for why in [fault(root, line, whole)] if why]
            assert not wrong, "\n".join(wrong)
        with t.case("each script of the project that documents tell to run is there"):
            named = set(scripts())
            gone = [row for row in named if not any(os.path.exists(os.path.join(TOP, row[1] + end)) for end in ("", ".py"))]
            assert len(named) > 20 and not gone, (len(named), gone)
        with t.case("a line that is wrong is found, wherever it stands"):
            for text, lines in (("`iscsiutil --bogus`", of_markdown), ("```\n# iscsiutil -a -Q\n```\n", of_markdown),
                                ("# ioscan --bogus\n", of_manual), (".Ql insf --bogus ,\n", quoted_in_manual),
                                ('"list them: iscsiutil -p -Q"', of_source), ("\"do it with 'rmsf --bogus' \"\n\"now\"", of_source)):
                typed = [words for line in lines(text) for words in parts(line)]
                assert len(typed) == 1 and fault(root, typed[0], True) and fault(root, typed[0], False), (text, typed)


main()
