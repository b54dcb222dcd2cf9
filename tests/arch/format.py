"""usage: format.py [CLANG-FORMAT] -- every C file is as clang-format leaves it."""
import os
import re
import subprocess
import sys

from tree import TOP, Report, files, skip

VERSION = 14

if len(sys.argv) < 2:
	skip(f'clang-format {VERSION} is not installed')
tool = sys.argv[1]
said = subprocess.run([tool, '--version'], check=True, capture_output=True, text=True).stdout
m = re.search(r'version (\d+)', said)
if not m or int(m.group(1)) != VERSION:
	skip(f'clang-format {VERSION} decides, this one is: {said.strip()}')

report = Report('format')
names = files('.c', '.h')
# One process a processor: most of the time is formatting.
share = max(1, os.cpu_count() or 1)
runs = [subprocess.Popen([tool, '--dry-run', '-Werror', *names[i::share]], cwd=TOP, text=True,
						 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for i in range(share)]
bad = {}
for run in runs:
	_, errors = run.communicate()
	for line in errors.splitlines():
		m = re.match(r'(.+?):(\d+):\d+: error: code should be clang-formatted', line)
		if m:
			bad.setdefault(m.group(1), m.group(2))
	if run.returncode != 0 and not errors:
		report.add(tool, f'ended with {run.returncode}')
for path in sorted(bad):
	report.add(f'{path}:{bad[path]}', 'clang-format would change it (clang-format -i)')
report.done()
