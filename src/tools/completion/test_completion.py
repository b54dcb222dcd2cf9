"""Completions have every option of the tables, and bash offers those that fit.  test_completion.py OPTS.DEF COMMON.DEF BASH ZSH FISH"""
import os
import re
import subprocess
import sys
import tempfile

OPTS, COMMON, BASH, ZSH, FISH = sys.argv[1:]
TOOL = os.path.basename(BASH)
ROW = re.compile(r"^OPT\((\w+), *(?:'(.)'|0), *(?:\"([^\"]+)\"|NULL), *(\w+),", re.MULTILINE)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read()


def offers(*words, root=""):
    """What bash offers for the last word."""
    script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _%s; printf "%%s\\n" "${COMPREPLY[@]}"' % TOOL
    out = subprocess.run(["bash", "--norc", "-c", script, "bash", BASH, TOOL, *words], stdout=subprocess.PIPE, text=True,
                         env={"PATH": "/usr/bin:/bin", "OPENISW_ROOT": root}, check=True)
    return set(out.stdout.split())


def every_option(rows, texts):
    for _, letter, name, _ in rows:
        if letter:
            assert re.search(r"[ (|]-%s\b" % re.escape(letter), texts[BASH]), (BASH, letter)
            assert re.search(r"['{]-%s[+\[,']" % re.escape(letter), texts[ZSH]), (ZSH, letter)
            assert re.search(r"^complete -c %s -s %s\b" % (TOOL, re.escape(letter)), texts[FISH], re.MULTILINE), (FISH, letter)
        if name:
            assert re.search(r"[ |]--%s\b" % name, texts[BASH]), (BASH, name)
            assert re.search(r"--%s[=\[})]" % name, texts[ZSH]), (ZSH, name)
            assert re.search(r"^complete .* -l %s\b" % name, texts[FISH], re.MULTILINE), (FISH, name)


def quotes(texts):
    for path in (ZSH, FISH):
        for line in texts[path].splitlines():
            bare = line.replace("'\\''", "").replace("\\'", "")
            assert bare.count("'") % 2 == 0, (path, line)


def bash(rows):
    verbs = {"-" + r[1] if r[1] else "--" + r[2] for r in rows if r[3] == "VERB"}
    common = {"--root", "--json", "--help", "--version", "-h"}
    first = offers("")
    assert common <= first, first
    if verbs:
        assert verbs <= first and "--force" not in first, first
        assert offers("-a", "") >= {"-I", "-P", "-M", "-T", "--if-absent"} and "-L" not in offers("-a", "")
        assert offers("-n", "-") >= {"-S", "-L"} and not offers("-n", "-") & verbs
        assert "CHAP_BI" in offers("-u", "-H", "CHAP_B")
    else:
        assert {"-" + r[1] for r in rows if r[1]} <= first, first
    if TOOL == "rmsf":
        with tempfile.TemporaryDirectory() as root:
            os.makedirs(os.path.join(root, "dev", "dsk", "c7t0d1"))
            assert offers("-q", "c7", root=root) == {"c7t0d1"}
    assert offers("--root", "/us") == {"/usr"}, offers("--root", "/us")


def main():
    rows = ROW.findall(read(OPTS)) + ROW.findall(read(COMMON))
    texts = {path: read(path) for path in (BASH, ZSH, FISH)}
    assert len(rows) >= 5, rows
    for number, (what, check) in enumerate((
            ("every option of %s is completed by bash, zsh and fish" % TOOL, lambda: every_option(rows, texts)),
            ("what is quoted for zsh and fish is quoted to its end", lambda: quotes(texts)),
            ("bash offers what fits what stands there", lambda: bash(rows))), 1):
        try:
            check()
        except AssertionError as wrong:
            print("not ok %d - %s\n# %s" % (number, what, wrong))
        else:
            print("ok %d - %s" % (number, what))
    print("1..3")


main()
