"""How long a file and a function may be, and that nothing stands twice.  exempt.txt has what is beyond, with the reason."""
import collections
import os
import re

FILE_LINES, FILE_LINES_GOOD = 600, 400
FUNCTION_LINES, FUNCTION_LINES_MAX = 60, 70
TWICE_LINES = 12
EXEMPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "exempt.txt")


class Exempt:
    """Rows "KIND WHAT REASON"; what is not needed any more is wrong, so that the list can only shrink."""

    def __init__(self):
        self.rows, self.used = {}, set()
        with open(EXEMPT, encoding="utf-8") as f:
            for line in f:
                words = line.split(None, 2)
                if words and not words[0].startswith("#"):
                    self.rows[words[0], words[1]] = words[2].strip() if len(words) > 2 else ""

    def has(self, kind, what):
        self.used.add((kind, what))
        return bool(self.rows.get((kind, what)))

    def unused(self):
        return ["tests/style/exempt.txt: %s %s is mended: take its row out (tests/style/style.py --shrink does)" % key
                for key in sorted(set(self.rows) - self.used)]

    def shrink(self):
        with open(EXEMPT, encoding="utf-8") as f:
            lines = f.readlines()
        with open(EXEMPT, "w", encoding="utf-8") as f:
            f.writelines(line for line in lines
                         if line.startswith("#") or not line.strip() or tuple(line.split()[:2]) in self.used)


def functions(text):
    """(name, number of its first line, lines) of each definition."""
    name, start = "", 0
    for number, line in enumerate(text, 1):
        m = re.match(r"(\w+)\(", line)
        if m:
            name = m.group(1)
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start:
            yield name, start, number - start + 1
            start = 0


def sizes(texts, exempt):
    bad = []
    for path, text in texts.items():
        if len(text) > FILE_LINES and not exempt.has("file", path):
            bad.append("%s: %d lines (limit %d)" % (path, len(text), FILE_LINES))
        for name, start, n in functions(text):
            if n > FUNCTION_LINES_MAX or (n > FUNCTION_LINES and not exempt.has("function", "%s:%s" % (path, name))):
                bad.append("%s:%d: %s() has %d lines (limit %d; a table's up to %d, with a reason in exempt.txt)" % (
                    path, start, name, n, FUNCTION_LINES, FUNCTION_LINES_MAX))
    return bad


def long_files(texts):
    """Not wrong, but to be thought about."""
    return ["%s: %d lines" % (path, len(text)) for path, text in texts.items() if FILE_LINES_GOOD < len(text) <= FILE_LINES]


def windows(text):
    """(number of the first line, the lines) of each run of lines that are not blank."""
    lines = [(number, line.strip()) for number, line in enumerate(text, 1) if line.strip()]
    for k in range(len(lines) - TWICE_LINES + 1):
        yield lines[k][0], tuple(line for _, line in lines[k:k + TWICE_LINES])


def twice(texts, exempt):
    seen, pairs = {}, collections.OrderedDict()
    for path, text in texts.items():
        for number, run in windows(text):
            first = seen.setdefault(run, (path, number))
            if first != (path, number):
                pairs.setdefault("=".join(sorted((first[0], path))), (first, path, number))
    return ["%s:%d: %d lines that stand in %s:%d, too" % (path, number, TWICE_LINES, *first)
            for pair, (first, path, number) in pairs.items() if not exempt.has("twice", pair)]
