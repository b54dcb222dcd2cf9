"""A short life of an initiator, in which one call fails: what must be true whatever it was.

Nothing crashes, nothing hangs, no byte differs, nothing is said to be done that is not; what fails says why and what to do next;
afterwards all works, or the program ended with a message and works when it is started again; nothing is left behind.
"""
import os
import select
import shutil
import signal
import time

import box
import field
import proc
from fieldtgt import FieldTarget
from fieldunit import Unit
from initiator import Initiator, Refused

PATIENCE = 25   # seconds until all works again
IO_LIMIT = 20   # seconds for a read or write
CRASHES = ("Sanitizer", "runtime error:", "Assertion", "assertion", "stack smashing", "free():", "malloc():", "double free", "corrupted")


HELPERS = ("iscsi_resolvd", "islpd", "iisnsd", "iradd")
# driver/call.c ends the driver on purpose, and says so, where a question between its threads cannot be asked.
NO_MEMORY = "out of memory: the driver cannot go on"
# Other tests on this machine look at all loop devices.
IN_USE = "in use"
# What only a restart ends; the message says so.
ANEW = "start iscsi_driverd anew"


class Violated(AssertionError):
    pass


class Unclear(Violated):
    pass


class Life:
    """page: what fails in it.  Used once, with `with`."""

    IS_HELD = False

    def __init__(self, page, name, is_over_at_trouble=False):
        """is_over_at_trouble: nothing fails any more once something has been refused."""
        self.page, self.name, self.is_over_at_trouble = page, name, is_over_at_trouble
        self.target = FieldTarget([Unit(0)])
        self.made = Initiator(name, held=self.IS_HELD)
        self.made.env.update(page.environment())
        self.made.env["MALLOC_PERTURB_"] = "165"  # what is used after its end is seen
        self.made.env["ASAN_OPTIONS"] += ":verify_asan_link_order=0"
        self.expected, self.fds, self.troubles, self.restarts = bytearray(1 << 20), None, [], 0
        self.log_seen = 0
        self.host = self.target.host
        if page.program in HELPERS:
            self.made.helpers[page.program] = self.made.daemon(page.program, self.made.log)
        if page.program == "iscsi_resolvd":
            self.host = "localhost"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for daemon in self.made.all():
            daemon.kill()
        self.target.stop()
        box.undo_devices(self.made.dir)
        shutil.rmtree(self.made.dir, ignore_errors=True)
        if os.path.exists(self.made.log):
            os.unlink(self.made.log)

    # -- what happens ----------------------------------------------------------------------------------------------------

    def new_log(self):
        try:
            with open(self.made.log, errors="replace") as f:
                f.seek(self.log_seen)
                return f.read()
        except OSError:
            return ""

    def no_crash(self):
        text = self.new_log()
        for word in CRASHES:
            if word in text:
                raise Violated("the log says %r:\n%s" % (word, "\n".join(line for line in text.splitlines() if word in line)[:2000]))

    def ended(self, daemon):
        """It ended by itself: well, and it said why."""
        code = daemon.process.returncode
        name = os.path.basename(daemon.argv[0])
        self.no_crash()
        if code < 0 and not (code == -signal.SIGABRT and NO_MEMORY in self.new_log()):
            raise Violated("%s was ended by signal %d" % (name, -code))
        self.allowed("%s ended with %d" % (name, code))
        if code == 0:
            raise Violated("%s ended with status 0 by itself" % name)
        if name not in self.new_log():
            raise Unclear("%s ended with %d and did not say why" % (name, code))
        self.restarts += 1

    def allowed(self, what, whole=None):
        self.troubles.append(what)
        if IN_USE in what:
            return
        if ANEW in (whole or what):
            self.administrator_restarts()
        if not self.page.failed:
            raise Violated("nothing failed yet, but: " + what)
        if self.is_over_at_trouble:
            self.page.disarm()

    def revive(self):
        made = self.made
        for daemon in made.all():
            if daemon.process is not None and not daemon.alive():
                self.ended(daemon)
                with open(made.log, "ab") as f:
                    self.log_seen = f.tell()
                daemon.start()

    def administrator_restarts(self):
        """iscsi stop, iscsi start."""
        self.restarts += 1
        self.end(self.made.driver)
        self.made.driver.start()
        self.wait("the driver", lambda: self.made.request("driver.version", limit=10))

    def attempt(self, what, action, limit=PATIENCE):
        """Until it works; what fails before that must be clear, and have its cause."""
        end = time.monotonic() + limit
        while True:
            try:
                self.revive()
                return action()
            except Refused as e:
                self.allowed("%s: %s" % (what, e))
                if not e.error.get("message") or "next" not in e.error:
                    raise Unclear("%s: an error without words: %r" % (what, e.error))
                trouble = e
            except TimeoutError as e:
                raise Violated("%s: no answer" % what) from e
            except (OSError, proc.Failed) as e:
                self.allowed("%s: %s" % (what, str(e)[:300]), str(e))
                trouble = e
            if time.monotonic() > end:
                raise Violated("%s does not work again after %d s: %s; %s" % (what, limit, str(trouble)[:1500], self.troubles[:2]))
            select.select([], [], [], 0.05)

    def is_installed(self):
        return bool(self.made.disk("field", 0).get("dsk"))

    def command(self, *words, is_done=lambda: False):
        """Works, or says why not; is_done: what failed may have been done all the same."""
        def run():
            if is_done():
                return None
            done = self.made.command(*words, ok=None, limit=40)
            if done.code is not None and done.code < 0:
                raise Violated("a command was ended by a signal: %s" % done)
            if done.code != 0:
                if "Next:" not in done.err:
                    raise Unclear("a command failed and did not say what to do: %s" % done)
                raise proc.Failed(str(done))
            return done
        return self.attempt(" ".join(str(w) for w in words), run)

    def wait(self, what, is_true):
        """What takes its time without a failure, too."""
        end = time.monotonic() + PATIENCE
        while True:
            self.revive()
            try:
                if is_true():
                    return
            except TimeoutError as e:
                raise Violated("%s: no answer" % what) from e
            except (OSError, proc.Failed, Refused):
                pass
            if time.monotonic() > end:
                raise Violated("waited %d s for %s; %s" % (PATIENCE, what, self.troubles[:2]))
            select.select([], [], [], 0.02)

    def start(self):
        if self.made.holder:
            self.made.holder.start()
            self.wait("the holder", lambda: self.made.command("iscsi_holderd", "--status", ok=None).code == 0)
        self.made.driver.start()
        self.wait("the driver", lambda: self.made.request("driver.version", limit=10))
        self.made.iswd.start()
        self.wait("iswd", lambda: self.made.has_daemon("iswd"))
        for name, daemon in self.made.helpers.items():
            daemon.start()
            self.wait(name, lambda name=name: self.made.has_daemon(name))

    def configure(self):
        """What differs in this life, before the first scan."""

    def outlive(self):
        """What may come between a write and its read."""

    def add(self):
        """Where the answer was lost it has been done, perhaps."""
        if not self.page.failed or not self.made.request("discovery.list")["targets"]:
            self.made.request("discovery.add", address=self.host, port=self.target.port)

    def scan(self):
        result = self.made.request("scan", limit=60)
        if not [d for d in self.made.tree("disk") if d.get("file") and os.path.exists(d["file"])]:
            self.allowed("a scan without the disk")
            if not result.get("errors") and "error" not in str(result):
                self.troubles.append("the scan did not say so: %r" % result)
            raise proc.Failed("no disk: %r" % result)

    def io(self, what, number):
        unit = self.target.unit(0)

        def act():
            offset = number * 8192
            data = field.block("%s %d." % (self.name, number), 8192) if what == "write" else b""
            got = self.transfer(what, offset, data)
            if what == "write":
                self.expected[offset:offset + 8192] = data
                if unit.disk.read(offset, 8192) != data:
                    raise Violated("a write that went well is not on the target")
            if what == "read" and got != bytes(self.expected[offset:offset + 8192]):
                raise Violated("a read gave %r" % got[:32])
        self.attempt("%s %d" % (what, number), act)

    def file(self, what):
        path = self.made.disk("field", 0).get("file")
        if not path:
            raise proc.Failed("a %s: there is no disk" % what)
        return path

    def transfer(self, what, offset, data):
        """8 KiB.  What was read."""
        done = field.Io(self.file(what), what, offset, data, length=8192)
        done.join(IO_LIMIT)
        if done.is_alive():
            raise Violated("a %s hangs for %d s" % (what, IO_LIMIT))
        if done.error:
            raise proc.Failed("a %s: %s" % (what, done.error))
        return done.got

    def logout(self):
        def act():
            for s in self.made.request("session.list")["sessions"]:
                try:
                    self.made.request("session.logout", limit=30, instance=s["instance"])
                except Refused as e:
                    if e.error["code"] != "NOTFOUND":
                        raise
        self.attempt("the logout", act)

    def descriptors(self):
        return len(os.listdir("/proc/%d/fd" % self.made.driver.pid)), len(os.listdir("/proc/%d/fd" % self.made.iswd.pid))

    def no_leak(self, usual):
        end = time.monotonic() + 5
        while True:
            self.revive()
            now = self.descriptors()
            if usual is None or self.restarts or all(a <= b for a, b in zip(now, usual)):
                return now
            if time.monotonic() > end:
                links = []
                for pid in (self.made.driver.pid, self.made.iswd.pid):
                    for fd in os.listdir("/proc/%d/fd" % pid):
                        try:
                            links.append(os.readlink("/proc/%d/fd/%s" % (pid, fd)))
                        except OSError:
                            pass
                raise Violated("descriptors leak: %r, usually %r: %s" % (now, usual, sorted(links)))
            select.select([], [], [], 0.05)

    def end(self, daemon):
        name = os.path.basename(daemon.argv[0])
        if not daemon.alive():
            self.ended(daemon)
            return
        try:
            daemon.kill(signal.SIGTERM, limit=40)
        except proc.Failed as e:
            raise Violated(str(e)) from e
        self.no_crash()
        if daemon.process.returncode < 0:
            raise Violated("%s was ended by signal %d at its stop" % (name, -daemon.process.returncode))
        if daemon.process.returncode != 0:
            self.allowed("%s ended with %d" % (name, daemon.process.returncode))

    def stop(self):
        for daemon in [self.made.iswd] + list(self.made.helpers.values()) + [self.made.driver, self.made.holder]:
            if daemon:
                self.end(daemon)
        try:
            proc.wait_for("nothing is left", lambda: not box.leftovers(self.made.dir), 5)
        except proc.Failed as e:
            raise Violated("left: %r" % box.leftovers(self.made.dir)) from e

    # -- all of it -------------------------------------------------------------------------------------------------------

    def whole(self, fds=None):
        """Returns the usual descriptors."""
        t = self.target
        self.start()
        self.attempt("the settings", self.configure)
        self.attempt("a discovery address", self.add)
        self.attempt("the scan", self.scan)
        self.io("write", 0)
        self.io("flush", 0)
        self.io("read", 0)
        self.attempt("the statistics", lambda: self.made.request("session.list"))
        self.command("iscsiutil", "-p", "-S")
        self.command("insf")
        self.io("write", 1)
        self.outlive()
        self.io("read", 1)
        self.command("ioscan", "-f")
        self.command("rmsf", "-H", "255/0/0.0.0.0", is_done=lambda: self.page.failed and not self.is_installed())
        self.logout()
        usual = self.no_leak(fds)
        self.page.disarm()
        # And all works again.
        self.attempt("the scan", self.scan)
        for number in (0, 1):
            self.io("read", number)
        self.io("write", 2)
        self.stop()
        unit = t.unit(0)
        if unit.disk.read(0, len(self.expected)) != bytes(self.expected):
            raise Violated("the target has other bytes than were written")
        return usual
