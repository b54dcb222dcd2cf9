"""Three habits of the house that no tool checks (tests/style has those that one does).

The return type of a definition stands on a line of its own, so that `grep ^conn_rx` finds the body.
No file names a path of somebody's own machine.
JSON is read by jsonmem_load(): jansson's own functions go wrong where memory is short.
"""
import re

from tree import Report, code_only, files, read

# Home folders, and the team's work tree.
MACHINE = re.compile(r'(?<![\w.$}/-])/(?:work|root|home/\w+|Users/\w+)(?:/|\b)')
TEXTS = ('.c', '.h', '.def', '.build', '.py', '.sh', '.md', '.txt', '.json', '.service', '.1', '.5', '.7', '.8',
         'check', 'demo', 'run')
# Programs and helpers of tests may.
JSON_LOAD = re.compile(r'\bjson_load\w*\(')
MAY_LOAD = re.compile(r'^(tests|bench)/|/(test_|fake_)\w+\.c$|\w+test\.c$|/golden\.c$|^src/sys/jsonmem\.c$')


def check_json(report, path):
    for number, line in enumerate(code_only(read(path)).splitlines(), 1):
        if JSON_LOAD.search(line):
            report.add(f'{path}:{number}', 'JSON is read by jsonmem_load()')


def check_signatures(report, path):
    lines = code_only(read(path)).splitlines()
    for number, line in enumerate(lines, 1):
        if not line.startswith('{'):
            continue
        # The last line at the left margin before the body: where the name has to be.
        head = number - 1
        while head > 0 and lines[head - 1].strip() and lines[head - 1][0] in ' \t':
            head -= 1
        if head > 0 and '(' in lines[head - 1] and not re.match(r'\w+\(', lines[head - 1]):
            report.add(f'{path}:{head}', 'the return type stands on a line of its own')


report = Report('habits')
for path in files('.c', '.h'):
    check_signatures(report, path)
    if not MAY_LOAD.search(path):
        check_json(report, path)
for path in files(*TEXTS):
    # This file has to name what it looks for.
    if path == 'tests/arch/habits.py':
        continue
    for number, line in enumerate(read(path).splitlines(), 1):
        if MACHINE.search(line):
            report.add(f'{path}:{number}', 'names a path of one machine')
report.done()
