"""usage: unused.py BUILD [--shrink] -- what a unit exports, the product uses.

What only tests use is no part of a contract.  unused.txt names the exceptions with their reasons; that list can only shrink.
"""
import re
import sys

import objects
from tree import Report, code_only, read


def is_called_here(place, symbol):
    """Also where the compiler has put the called in the place of the call."""
    return len(re.findall(r'\b%s\b' % symbol, code_only(read(place)))) > 1


report = Report('unused')
defined, needed = objects.symbols(sys.argv[1])
own = objects.references(sys.argv[1])
found = {(place, symbol) for place, symbol, _, is_function in defined
         if is_function and symbol not in needed and symbol != 'main' and (place, symbol) not in own
         and not is_called_here(place, symbol)}
objects.compare(report, found, 'unused.txt', 'is called by nobody in the product')
report.done()
