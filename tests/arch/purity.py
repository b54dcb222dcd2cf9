"""usage: purity.py NM LIBRARY... -- the objects of the pure folders call nothing but memory and strings.

Whatever the libraries need from outside themselves must be in ALLOWED: no clock, no socket, no file,
no stream, no log, no random source.  Headers of the pure folders include no others than PURE_HEADERS.
"""
import re
import subprocess
import sys

from tree import Report, code_only, files, read

ALLOWED = set('''
    memcpy memset memcmp bcmp memmove memchr explicit_bzero
    strlen strnlen strcmp strncmp strcasecmp strncasecmp strchr strrchr strspn strcspn
    malloc calloc free
    snprintf vsnprintf __snprintf_chk __vsnprintf_chk
    inet_pton inet_ntop
    __assert_fail abort __stack_chk_fail _GLOBAL_OFFSET_TABLE_
    __cpu_model __cpu_features2 __cpu_indicator_init
'''.split())
# GNU Libidn: a computation over its constant tables, which knows no locale in these functions and asks only for memory.
ALLOWED |= {'stringprep_4i', 'stringprep_unichar_to_utf8', 'stringprep_iscsi', 'stringprep_rfc3454_B_1'}
# What the compiler puts in by itself: sanitizers, coverage, checked variants of what is allowed.
COMPILER = re.compile(r'__(asan|ubsan|sanitizer|sancov|gcov|llvm)_\w+|__(mem|str|explicit_bzero)\w*_chk|__tls_get_addr')
# Headers that exist to be inlined by the others.
PURE_FOLDERS = ('src/base', 'src/core', 'src/scsi', 'src/lu', 'src/ini')
PURE_HEADERS = set('''
    assert.h errno.h inttypes.h limits.h stdalign.h stdbool.h stddef.h stdint.h stdlib.h string.h strings.h
    stdarg.h stdio.h sys/uio.h arpa/inet.h netinet/in.h sys/socket.h immintrin.h arm_acle.h stringprep.h
'''.split())


def check_objects(report, nm, libraries):
    needed, defined = {}, set()
    for library in libraries:
        shown = subprocess.run([nm, '-A', '-P', library], check=True, capture_output=True, text=True).stdout
        for line in shown.splitlines():
            place, _, rest = line.partition(': ')
            name, kind = rest.split()[:2]
            if kind in 'Uw':
                needed.setdefault(name, set()).add(re.sub(r'.*[/[]|\]', '', place))
            else:
                defined.add(name)
    if not defined:
        report.add(' '.join(libraries), 'no symbols at all: nothing was checked')
    # What a header of the core declares is its own, wherever it is; whether it exists is the linker's affair.
    own = set()
    for path in files('.h', under=PURE_FOLDERS):
        own.update(re.findall(r'(\w+)\(', code_only(read(path))))
    for name in sorted(set(needed) - defined - own):
        if name not in ALLOWED and not COMPILER.fullmatch(name):
            report.add(', '.join(sorted(needed[name])), f'calls {name}(), which the pure core may not')


def check_headers(report):
    for path in files('.c', '.h', under=PURE_FOLDERS):
        # Tests, and what stands in for the rest of the world in them.
        if '/test_' in path or '/fake_' in path:
            continue
        for number, line in enumerate(code_only(read(path)).splitlines(), 1):
            m = re.match(r'\s*#\s*include\s*<(.+)>', line)
            if m and m.group(1) not in PURE_HEADERS:
                report.add(f'{path}:{number}', f'includes <{m.group(1)}>, which the pure core may not')


report = Report('purity')
check_objects(report, sys.argv[1], sys.argv[2:])
check_headers(report)
report.done()
