"""What stands in a process's memory, for whoever looks for what should not be there."""
import contextlib
import os

import tap


def can_look(program):
    """Only root can, and AddressSanitizer keeps what is freed."""
    with open(program, "rb") as f:
        return os.geteuid() == 0 and b"__asan_init" not in f.read()


def need_sight(program):
    if not can_look(program):
        raise tap.Skip("only root reads a process's memory; AddressSanitizer keeps what is freed")


def parts(pid):
    """Every byte that the process can write, or could."""
    with open("/proc/%d/maps" % pid) as maps, open("/proc/%d/mem" % pid, "rb", 0) as memory:
        for line in maps:
            span, rights = line.split()[:2]
            if "rw" not in rights or line.rstrip().endswith("[vvar]"):
                continue
            start, end = (int(x, 16) for x in span.split("-"))
            with contextlib.suppress(OSError):
                memory.seek(start)
                yield memory.read(end - start)


def count(pid, text):
    """How often a text is in it."""
    return sum(part.count(text.encode()) for part in parts(pid))
