"""Test cases that report in TAP, which meson reads.

	with tap.script() as t:
		with t.case("a write is found in the backing file"):
			...

A case fails by any exception, is skipped by raising Skip, and has a time limit of its own.
"""
import contextlib
import signal
import sys
import traceback

import box


class Skip(Exception):
    """Raised in a case that cannot run here; its text is the reason."""


class OverTime(AssertionError):
    pass


class Script:
    def __init__(self):
        self.count = self.failed = 0
        self.logs = []       # things with tail(): shown when a case failed

    def show_on_failure(self, thing):
        self.logs.append(thing)

    def report(self, good, name, note=""):
        self.count += 1
        print("%s %d - %s%s" % ("ok" if good else "not ok", self.count, name.replace("#", "no."), note), flush=True)

    def comment(self, text):
        for line in str(text).splitlines():
            print("# " + line, flush=True)

    def fail(self, name):
        self.failed += 1
        self.report(False, name)
        self.comment(traceback.format_exc(limit=-6))
        for thing in self.logs:
            self.comment("--- " + getattr(thing, "log", str(thing)))
            for line in thing.tail():
                self.comment(line)

    @contextlib.contextmanager
    def case(self, name, limit=60):
        def over(_number, _frame):
            raise OverTime("over the case's limit of %s s" % limit)
        signal.signal(signal.SIGALRM, over)
        signal.alarm(limit)
        try:
            yield
        except Skip as reason:
            self.report(True, name, " # SKIP " + str(reason).replace("\n", " "))
        except Exception:
            signal.alarm(0)
            self.fail(name)
        else:
            self.report(True, name)
        finally:
            signal.alarm(0)


@contextlib.contextmanager
def script():
    """Enters the box; what fails outside of any case (a fixture) fails the script."""
    box.enter()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    t = Script()
    try:
        yield t
    except Skip as reason:
        t.report(True, "everything else", " # SKIP " + str(reason))
    except Exception:
        t.fail("set-up")
    print("1..%d" % t.count, flush=True)
    sys.exit(1 if t.failed else 0)
