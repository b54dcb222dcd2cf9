"""usage: wired.py BUILD -- every test_*.c is built and run, as the build directory's own lists say."""
import json
import os
import re
import sys

from tree import TOP, Report, files, read


def info(name):
    with open(os.path.join(sys.argv[1], 'meson-info', name), encoding='utf-8') as f:
        return json.load(f)


report = Report('wired')
run = {os.path.realpath(word) for test in info('intro-tests.json') for word in test['cmd']}
sources = set()
for target in info('intro-targets.json'):
    if any(os.path.realpath(f) in run for f in target['filename']):
        for group in target['target_sources']:
            sources.update(os.path.relpath(s, TOP) for s in group.get('sources', ()))
scripts = {os.path.relpath(word, TOP) for word in run}

for path in files('.c', under=('src', 'tests', 'bench', 'dist')):
    name = os.path.basename(path)
    if not name.startswith('test_'):
        continue
    # What has no main() is a helper of the tests beside it.
    if re.search(r'^main\(', read(path), re.M) and path not in sources:
        report.add(path, 'no test runs it: give it a test() in its folder\'s meson.build')
for path in files('.sh', '.py', under=('src', 'tests', 'dist')):
    if os.path.basename(path).startswith('test_') and path not in scripts:
        report.add(path, 'no test runs it: give it a test() in its folder\'s meson.build')
report.done()
