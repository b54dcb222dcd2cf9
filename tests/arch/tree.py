"""The source tree as the checks of this folder see it, and how they report.

A check prints one line for each thing that is wrong, `file:line: what is wrong and what would be right`,
and exits with 1.
"""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def files(*suffixes, under=('',)):
    """Relative paths of the tree's files that end with one of the suffixes, in order; never those of builds."""
    found = set()
    for folder in under:
        for where, folders, names in os.walk(os.path.join(TOP, folder)):
            # A build directory is wherever meson made one, whatever its name.
            folders[:] = sorted(f for f in folders if not f.startswith(('.', '__'))
                                and not os.path.exists(os.path.join(where, f, 'meson-private')))
            found.update(os.path.relpath(os.path.join(where, n), TOP) for n in names if n.endswith(suffixes))
    return sorted(found)


def read(path):
    with open(os.path.join(TOP, path), encoding='utf-8') as f:
        return f.read()


def code_only(text, keep_strings=False):
    """C without comments (and without the insides of strings), each line where it was."""
    def blank(m):
        word = m.group(0)
        if word[0] == '/':
            return '\n' * word.count('\n') + ' '
        return word if keep_strings else word[0] * 2
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', blank, text, flags=re.S)


class Report:
    def __init__(self, what):
        self.what, self.wrong = what, 0

    def add(self, place, text):
        self.wrong += 1
        print(f'{place}: {text}')

    def done(self):
        print(f'{self.what}: {self.wrong} wrong' if self.wrong else f'{self.what}: fine')
        sys.exit(1 if self.wrong else 0)
