"""Programs with time limits, daemons that end with the test, and waiting for what must become true."""
import json
import os
import select
import signal
import subprocess
import threading
import time

import box

ASKED_S = 150


class Failed(AssertionError):
    """A command did not do what the test needs; the text has all that it said."""


class Result:
    def __init__(self, argv, code, out, err, seconds):
        self.argv, self.code, self.out, self.err, self.seconds = argv, code, out, err, seconds

    def __str__(self):
        return "%s: exit status %s after %.1f s\nstdout: %s\nstderr: %s" % (
            " ".join(self.argv), self.code, self.seconds, self.out.strip(), self.err.strip())


def run(*argv, limit=30, ok=(0,), env=None, stdin=None, user=None, cwd=None):
    """Runs a command.  ok: accepted exit statuses, None for any.  A command over its limit is killed and fails."""
    argv = [str(a) for a in argv]
    if user:
        argv = ["setpriv", "--reuid", user, "--regid", "nogroup", "--clear-groups"] + argv
    start = time.monotonic()
    p = subprocess.Popen(argv, stdin=subprocess.PIPE if stdin else subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, env=env, cwd=cwd, text=True, errors="replace", start_new_session=True)
    try:
        out, err = p.communicate(stdin, timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(p.pid, signal.SIGKILL)
        out, err = p.communicate()
        raise Failed("over its limit of %s s: %s" % (limit, Result(argv, None, out, err, limit)))
    result = Result(argv, p.returncode, out, err, time.monotonic() - start)
    if ok is not None and p.returncode not in ok:
        raise Failed(str(result))
    return result


def wait_for(what, true, limit=20, every=0.02):
    """Waits until true() returns something true, and returns it."""
    end = time.monotonic() + limit
    while True:
        value = true()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed("waited %s s for: %s" % (limit, what))
        select.select([], [], [], every)


class Asked:
    """A program that answers each line on its standard input with one line of JSON."""

    def __init__(self, *argv):
        self.lock = threading.Lock()
        self.argv = [str(a) for a in argv]
        self.process = subprocess.Popen(self.argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=box.die_with_parent)

    @property
    def pid(self):
        return self.process.pid

    def answer(self, limit=ASKED_S):
        line = b""
        while not line.endswith(b"\n"):
            if not select.select([self.process.stdout], [], [], limit)[0]:
                raise Failed("%s did not answer within %s s" % (self.argv[0], limit))
            part = os.read(self.process.stdout.fileno(), 65536)
            if not part:
                raise Failed("%s has ended with %s" % (self.argv[0], self.process.wait()))
            line += part
        return json.loads(line)

    def ask(self, *words, limit=ASKED_S):
        with self.lock:
            self.process.stdin.write((" ".join(str(w) for w in words) + "\n").encode())
            self.process.stdin.flush()
            return self.answer(limit)

    def stop(self):
        self.process.kill()
        self.process.wait()


class Daemon:
    """A long-running program: its output goes to a log, it ends (at the latest, by force) with the `with`."""

    def __init__(self, *argv, log, env=None, user=None, ignores_term=False):
        self.argv = [str(a) for a in argv]
        if user:
            self.argv = ["setpriv", "--reuid", user, "--regid", "nogroup", "--clear-groups"] + self.argv
        self.log, self.env, self.ignores_term = log, env, ignores_term
        self.process = None

    def start(self):
        with open(self.log, "ab") as f:
            self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=f, stderr=f, env=self.env,
                                            preexec_fn=box.die_with_parent)
        return self

    @property
    def pid(self):
        return self.process.pid

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self, number=signal.SIGKILL, limit=20):
        if not self.alive():
            return
        self.process.send_signal(number)
        try:
            self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failed("%s did not end within %s s of signal %s" % (self.argv[0], limit, number))

    def stop(self):
        self.kill(signal.SIGKILL if self.ignores_term else signal.SIGTERM)

    def tail(self, lines=40):
        try:
            with open(self.log, errors="replace") as f:
                return f.read().splitlines()[-lines:]
        except OSError:
            return []

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
