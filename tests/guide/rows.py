"""Each of the 183 rows of the guide is kept by a case that names it (here or in rows.txt), or deliberately different."""
import glob
import os
import re

import tap

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.join(HERE, "..", "..")
ROWS = 183
UNTOLD = ("none", "open")  # nothing to look at; brought by other work
NAMED = re.compile(r't\.case\(\s*"rows? ([\d, ]+):')


def named():
    """Rows that a case of this folder names in its title."""
    found = set()
    for path in glob.glob(os.path.join(HERE, "*.py")):
        with open(path, encoding="utf-8") as f:
            for numbers in NAMED.findall(f.read()):
                found |= {int(n) for n in numbers.split(",")}
    return found


def elsewhere():
    with open(os.path.join(HERE, "rows.txt"), encoding="utf-8") as f:
        lines = [line.strip() for line in f if line.strip() and line[0] != "#"]
    return [[cell.strip() for cell in line.split(" | ")] for line in lines]


def different():
    with open(os.path.join(TOP, "doc", "differences.md"), encoding="utf-8") as f:
        return {int(n) for n in re.findall(r"^\| (\d+) \|", f.read(), re.MULTILINE)}


def main():
    with tap.script() as t:
        others = elsewhere()
        with t.case("what rows.txt names is there, in the order of the rows"):
            for row in others:
                assert len(row) == 3 and len(row[2]) > 10, row
                if row[1] in UNTOLD:
                    continue
                with open(os.path.join(TOP, row[1]), encoding="utf-8") as f:
                    assert row[2] in f.read(), row
            numbers = [int(row[0]) for row in others]
            assert numbers == sorted(set(numbers)), numbers
        with t.case("every row is kept, different or open, and none is both kept and open"):
            kept = named() | {int(row[0]) for row in others if row[1] not in UNTOLD}
            unsaid = set(range(1, ROWS + 1)) - kept - different() - {int(row[0]) for row in others}
            assert not unsaid, sorted(unsaid)
            twice = named() & {int(row[0]) for row in others}
            assert not twice, sorted(twice)
            assert max(kept) <= ROWS and min(kept) >= 1, kept
        for row in others:
            if row[1] == "open":
                t.comment("row %s is open: %s" % (row[0], row[2]))


main()
