"""Style that neither the compiler nor clang-format checks; HACKING.md names the rules."""
import re

from tree import Report, code_only, files, read

FILE_LINES = 800
FUNCTION_LINES = 70
BANNED = re.compile(r'\b(strcpy|strcat|sprintf|vsprintf|strtok|gets|atoi|atol|alloca|system|popen)\s*\(')
UNFINISHED = re.compile(r'\b(TODO|FIXME|X{3})\b')
# Where somebody's own machine shows: home folders, the team's work tree, scratch folders that mkdtemp() did not name.
MACHINE = re.compile(r'(?<![\w.$}/-])/(?:work|root|home/\w+|Users/\w+)(?:/|\b)|/tmp/(?!\S*X{6})\w')
SLEEP_C = re.compile(r'\b(sleep|usleep|nanosleep|clock_nanosleep|thrd_sleep)\s*\(')
SLEEP_SCRIPT = re.compile(r'^[^#]*(\btime\.sleep\s*\(|(?:^|[;&|]|\bdo\b|\bthen\b)\s*sleep\s+[\d$](?!.*\d\s*&\s*$))')
# A wait that cannot be an event says so, on its line or the one before: "sleep: why".
EXCUSE = re.compile(r'\bsleep: \w')


def check_functions(report, path, lines):
	start = None
	for number, line in enumerate(lines, 1):
		if line.startswith('{'):
			start = number
			head = number - 1
			# The signature's first line with a parenthesis at the left margin: its name must stand there.
			while head > 0 and lines[head - 1].strip() and lines[head - 1][0] in ' \t':
				head -= 1
			if head > 0 and '(' in lines[head - 1] and not re.match(r'\w+\(', lines[head - 1]):
				report.add(f'{path}:{head}', 'the return type stands on a line of its own')
		elif line.startswith('}') and start is not None:
			if number - start + 1 > FUNCTION_LINES:
				report.add(f'{path}:{start}', f'function of {number - start + 1} lines (limit {FUNCTION_LINES})')
			start = None


def check_sleeps(report, path, lines, pattern):
	for number, line in enumerate(lines, 1):
		before = lines[number - 2] if number > 1 else ''
		if pattern.search(line) and not EXCUSE.search(line) and not EXCUSE.search(before):
			report.add(f'{path}:{number}', 'sleeps: wait for the event, or say why not ("sleep: reason")')


report = Report('style')
for path in files('.c', '.h'):
	text = read(path)
	lines = code_only(text).splitlines()
	if len(lines) > FILE_LINES:
		report.add(path, f'{len(lines)} lines (limit {FILE_LINES})')
	check_functions(report, path, lines)
	for number, line in enumerate(lines, 1):
		m = BANNED.search(line)
		if m:
			report.add(f'{path}:{number}', f'calls {m.group(1)}()')
	# The excuse is a comment, the call is not: look at both.
	both = [c + ' ' + ' '.join(re.findall(r'sleep: \w', t)) for c, t in zip(lines, text.splitlines())]
	check_sleeps(report, path, both, SLEEP_C)
for path in files('.sh', '.py'):
	check_sleeps(report, path, read(path).splitlines(), SLEEP_SCRIPT)
for path in files('.c', '.h', '.def', '.build', '.py', '.sh', '.md', '.1', '.5', '.7', '.8', '.txt', '.json',
				  'check', 'demo', 'run', '.service'):
	for number, line in enumerate(read(path).splitlines(), 1):
		# This file has to name what it looks for.
		if path == 'tests/arch/style.py':
			break
		if UNFINISHED.search(line):
			report.add(f'{path}:{number}', 'says that it is unfinished')
		if MACHINE.search(line):
			report.add(f'{path}:{number}', 'names a path of one machine')
report.done()
