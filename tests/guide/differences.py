"""doc/differences.md: each row says what differs and why, once; what a command shows is shown."""
import os
import re
import subprocess

import field
import tap
from fieldtgt import FieldTarget

DOC = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "doc", "differences.md")
ROWS = 183
SHOWN = re.compile(r"`([^`]+)` prints (?:`([^`]+)`|nothing)")


def rows():
    """[[row, page, the guide, here, why, shown by]] of each table."""
    with open(DOC, encoding="utf-8") as f:
        parts = f.read().split("\n## ")[1:]
    return [[[cell.strip() for cell in line.strip("|").split(" | ")] for line in part.splitlines() if re.match(r"\| \d", line)]
            for part in parts]


def shape(t, tables):
    with t.case("each difference has its row of the guide once, in order, and a reason"):
        for row in sum(tables, []):
            assert len(row) == 6 and all(row), row
            assert row[4] != "–" and (row[5] == "–" or SHOWN.fullmatch(row[5])), row
        for table in tables:
            numbers = [int(row[0]) for row in table]
            assert numbers == sorted(numbers), numbers
        numbers = [int(row[0]) for row in sum(tables, [])]
        assert len(numbers) > 30 and len(set(numbers)) == len(numbers), numbers
        assert 1 <= min(numbers) and max(numbers) <= ROWS, numbers


def run(t, table, made):
    for row in table:
        shown = SHOWN.fullmatch(row[5])
        if not shown:
            continue
        with t.case("row %s: %s" % (row[0], shown.group(1))):
            out = subprocess.run(["sh", "-c", shown.group(1)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, timeout=30, env=made.env, check=False).stdout
            assert shown.group(2) in out if shown.group(2) else not out, out


def main():
    with tap.script() as t:
        tables = rows()
        shape(t, tables)
        with FieldTarget() as target, field.world(t, target) as made:
            run(t, sum(tables, []), made)


main()
