"""usage: test_daemons.py PROGRAM PAGE: the page's synopsis and its list of options are those of PROGRAM --help."""
import os
import re
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(TOP, "tests", "lib"))
import tap  # noqa: E402 (found by the line above)

PROGRAM, PAGE = sys.argv[1:]
ENDS = ["h", "help", "version"]  # no page's synopsis shows them


def helped():
    """Of each option its spellings and whether it has an argument: {("d", "debug"): True}."""
    text = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True).stdout
    rows = re.findall(r"^  (-.*)", text, re.M)
    assert rows, "--help lists nothing"
    found = {}
    for row in rows:
        m = re.match(r"(-\w|--[\w-]+)(?:, (--[\w-]+))?( [A-Z][A-Z]*(?=[ \[])\S*)?", row)
        found[tuple(sorted(w.lstrip("-") for w in m.groups()[:2] if w))] = m.group(3) is not None
    return found


def section(text, name):
    return re.search(r"^\.Sh %s\n(.*?)(?=^\.Sh )" % name, text, re.M | re.S).group(1)


def word(flag):
    return flag.lstrip("-")


def listed(text):
    """The tagged list behind "The options are:", as helped()."""
    part = re.search(r"^The options are:\n(.*?)^\.El", text, re.M | re.S).group(1)
    found = {}
    for row in re.findall(r"^\.It (Fl .*)", part, re.M):
        found[tuple(sorted(word(w) for w in re.findall(r"Fl (\S+)", row)))] = " Ar " in row
    return found


def synopsis(text):
    """The spellings in the synopsis, with whether an argument follows."""
    found = {}
    for line in section(text, "SYNOPSIS").splitlines():
        for part in re.split(r"[|]|\bOp\b(?= Fl)", line):
            names = re.match(r"\s*\.?(?:Op )?(?:Fl )?(-?[\w-]+)(.*)", part)
            if names and not part.startswith(".Nm"):
                found[word(names.group(1))] = " Ar " in names.group(2) + " "
    return found


def differ(page, program, what):
    assert page == program, "%s: only the page: %s; only --help: %s" % (
        what, sorted(set(page.items()) - set(program.items())), sorted(set(program.items()) - set(page.items())))


with tap.script() as t:
    with open(PAGE) as f:
        manual = f.read()

    with t.case("the list of options is that of --help, in every spelling"):
        differ(listed(manual), helped(), "options")

    with t.case("the synopsis has every option, and no other"):
        shown, options = synopsis(manual), helped()
        known = {w: has for names, has in options.items() for w in names}
        assert set(shown) <= set(known), "unknown: %s" % sorted(set(shown) - set(known))
        missing = [n for n in options if not set(n) & set(shown) and not set(n) & set(ENDS)]
        assert not missing, "not in the synopsis: %s" % missing
        differ(shown, {w: known[w] for w in shown}, "arguments")
