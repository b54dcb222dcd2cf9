"""The objects that the product's programs are made of, and their symbols."""
import functools
import json
import os
import re
import subprocess
import sys

from tree import TOP

HERE = os.path.dirname(os.path.abspath(__file__))


def output(*argv, where):
    return subprocess.run(argv, cwd=where, check=True, capture_output=True, text=True).stdout


@functools.cache
def product(build):
    """Paths below the build directory of all objects of the programs that are installed."""
    with open(os.path.join(build, 'meson-info', 'intro-targets.json'), encoding='utf-8') as f:
        programs = [os.path.relpath(name, build) for target in json.load(f)
                    if target['type'] == 'executable' and target['installed'] for name in target['filename']]
    inputs = output('ninja', '-t', 'inputs', *programs, where=build).split()
    return sorted(name for name in set(inputs) if name.endswith('.o'))


@functools.cache
def sources(build):
    """{object: source}, the latter below the top of the tree."""
    with open(os.path.join(build, 'compile_commands.json'), encoding='utf-8') as f:
        return {row['output']: os.path.relpath(os.path.join(row['directory'], row['file']), TOP) for row in json.load(f)}


def symbols(build):
    """[(source, symbol, section, is a global function)] of what is defined, {symbol} of what is needed from elsewhere."""
    defined, needed, place = [], set(), None
    for line in output('objdump', '-t', *product(build), where=build).splitlines():
        m = re.match(r'(\S+):\s+file format', line)
        if m:
            place = sources(build)[m.group(1)]
            continue
        # "0000000000000000 g     F .text  00000000000000b7 name": flags are seven characters.
        m = re.match(r'[0-9a-f]{8,16} (.{7}) (\S+)\s+[0-9a-f]+ (?:\.hidden )?(\S+)$', line)
        if not m:
            continue
        flags, section, name = m.groups()
        if section == '*UND*':
            needed.add(name)
        else:
            defined.append((place, name, section, flags[0] == 'g' and flags[6] == 'F'))
    return defined, needed


def references(build):
    """{(source, symbol)}: what a file's own code and tables refer to."""
    found, place = set(), None
    for line in output('objdump', '-r', *product(build), where=build).splitlines():
        m = re.match(r'(\S+):\s+file format', line)
        if m:
            place = sources(build)[m.group(1)]
        elif ' R_' in line and '.debug' not in line:
            found.add((place, re.split(r'[-+]0x', line.split()[-1])[0]))
    return found


def exempted(report, path):
    """{(source, symbol): reason} of a list "SOURCE SYMBOL REASON" beside this file."""
    rows = {}
    with open(os.path.join(HERE, path), encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            words = line.split(None, 2)
            if not words or words[0].startswith('#'):
                continue
            if len(words) < 3:
                report.add(f'tests/arch/{path}:{number}', 'a row is "SOURCE SYMBOL REASON"')
            rows[tuple(words[:2])] = words[-1].strip()
    return rows


def compare(report, found, path, what):
    """What is found must be listed in the file of this name, with its reason; what is listed must be there, so that the list
    can only shrink.  The word --shrink takes out of it what is mended."""
    listed = exempted(report, path)
    for place, symbol in sorted(found - set(listed)):
        report.add(place, f'{symbol} {what} (or give it a row with a reason in tests/arch/{path})')
    mended = set(listed) - found
    if '--shrink' in sys.argv:
        with open(os.path.join(HERE, path), encoding='utf-8') as f:
            lines = f.readlines()
        with open(os.path.join(HERE, path), 'w', encoding='utf-8') as f:
            f.writelines(line for line in lines if tuple(line.split()[:2]) not in mended)
        return
    for place, symbol in sorted(mended):
        report.add(f'tests/arch/{path}', f'{place} {symbol} is mended: take its row out (--shrink does)')
