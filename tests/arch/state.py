"""usage: state.py BUILD [--shrink] -- no state at file scope: what a program knows belongs to what it has made.

Exempt are the files of main() (a program's own), and what state.txt names with its reason; that list can only shrink.
"""
import re
import sys

import objects
from tree import Report, read

# Tables with addresses in them are written once, by the loader; compilers and sanitizers have their own.
SECTIONS = re.compile(r'\.(data|bss|tdata|tbss|lbss|ldata)(\.(?!rel\.ro)\w*)*$|\*COM\*')
NOT_OURS = re.compile(r'__(\w*san|sancov|odr|gcov|llvm)_?|^_GLOBAL|^\.|^llvm|^anon|^___')

report = Report('state')
found = set()
for place, symbol, section, _ in objects.symbols(sys.argv[1])[0]:
    if SECTIONS.match(section) and not NOT_OURS.match(symbol) and not re.search(r'^main\(', read(place), re.M):
        found.add((place, re.sub(r'\.\d+$', '', symbol)))
objects.compare(report, found, 'state.txt', 'is state at file scope')
report.done()
