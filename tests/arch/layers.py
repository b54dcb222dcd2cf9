"""Every #include obeys the table of ARCHITECTURE.md, section "Layers".

The table is the rule: this script only reads it.  A row's folder holds for everything below it that has no
row of its own; a row with an ellipsis holds for all the folders beside it that have none.  "engine (loop)" allows
engine/loop.h (or .def) and nothing else of that folder; "all of these" is every folder of the rows above.
"""
import os
import re

from tree import TOP, Report, code_only, files, read


def table():
    """{folder below src: {folder it may use: set of stems, or None for all}}, and the row of the ellipsis."""
    rules, rest = {}, None
    section = re.search(r'^## Layers$(.*?)^## ', read('ARCHITECTURE.md'), re.S | re.M).group(1)
    for line in section.splitlines():
        cells = [c.strip() for c in line.strip('|').split('|')]
        m = re.match(r'`src/([\w/]+)/`', cells[0])
        if not m:
            continue
        may = {}
        if cells[2] == 'all of these':
            may = {folder: None for folder in rules}
        elif cells[2] != '–':
            for word in re.findall(r'[\w/]+(?: \([^)]*\))?', cells[2]):
                folder, _, stems = word.partition(' (')
                may[folder] = set(re.findall(r'\w+', stems)) or None
        rules[m.group(1)] = may
        if '…' in cells[0]:
            rest = m.group(1)
    return rules, rest


def layer(path, rules, rest):
    """The row of the table that a file below src belongs to."""
    folder = os.path.dirname(path)
    while folder and folder not in rules:
        folder = os.path.dirname(folder)
    return folder or rest


def same_unit(path, target, row, rest):
    """Two folders under the row of the ellipsis are two daemons and do not know of each other."""
    return row != rest or path.split('/')[0] == target.split('/')[0]


report = Report('layers')
rules, rest = table()
if len(rules) < 5 or rest is None:
    report.add('ARCHITECTURE.md', 'the table of layers cannot be read')
for folder, may in rules.items():
    if not os.path.isdir(os.path.join(TOP, 'src', folder)):
        report.add('ARCHITECTURE.md', f'src/{folder}/ is in the table but does not exist')
    for used, stems in may.items():
        if used not in rules:
            report.add('ARCHITECTURE.md', f'src/{folder}/ may use {used}, which has no row')
        for stem in sorted(stems or ()):
            if not any(os.path.exists(os.path.join(TOP, 'src', used, stem + end)) for end in ('.h', '.def')):
                report.add('ARCHITECTURE.md', f'src/{folder}/ may use {used} ({stem}), which does not exist')
for path in files('.c', '.h', '.def', under=('src',)):
    own = path.removeprefix('src/')
    row = layer(own, rules, rest)
    for number, line in enumerate(code_only(read(path), keep_strings=True).splitlines(), 1):
        m = re.match(r'\s*#\s*include\s*"(.+)"', line)
        if not m:
            continue
        target = m.group(1)
        if not os.path.exists(os.path.join(TOP, 'src', target)):
            # A file the build makes stands in the folder that includes it; anything else needs its folder.
            if '/' in target or os.path.exists(os.path.join(TOP, os.path.dirname(path), target)):
                report.add(f'{path}:{number}', f'includes "{target}": give it with its folder below src/')
            continue
        used = layer(target, rules, rest)
        stem = os.path.splitext(os.path.basename(target))[0]
        allowed = rules.get(row, {})
        if used == row and same_unit(own, target, row, rest):
            continue
        if used == row or used not in allowed:
            report.add(f'{path}:{number}', f'includes "{target}": {os.path.dirname(path)}/ may not use '
                       f'src/{os.path.dirname(target)}/ (ARCHITECTURE.md)')
        elif allowed[used] is not None and stem not in allowed[used]:
            report.add(f'{path}:{number}', f'includes "{target}": src/{row}/ may use only '
                       f'{", ".join(sorted(allowed[used]))} of src/{used}/ (ARCHITECTURE.md)')
report.done()
