"""Processes of other users, who try what they should not.  They are forks of the test: its interpreter may be root's alone."""
import fcntl
import json
import os
import signal
import socket

import box

NOBODY, SOMEBODY = 65534, 12345


def lock(path):
    """Hold a lock of a file for reading, until the test ends us."""
    fcntl.lockf(os.open(path, os.O_RDONLY), fcntl.LOCK_SH | fcntl.LOCK_NB)
    yield "locked"


def announce(path):
    """Say that we are the daemon; see whether the driver asks us something, or hangs up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.connect(path)
        name = os.path.basename(os.path.dirname(path))
        s.send(json.dumps({"daemon": name, "version": "0", "pid": os.getpid()}).encode())
        s.settimeout(3)
        try:
            yield "taken" if s.recv(65536) else "closed"
        except TimeoutError:
            yield "taken"


def flood(path, line, n):
    """So many connections, each with requests whose answers nobody reads, as many as the socket takes."""
    held = []
    for _ in range(n):
        s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        s.connect(path)
        s.setblocking(False)
        held.append(s)
    for _ in range(200):
        for s in held:
            try:
                s.send(line * 100)
            except OSError:
                pass  # it is full, or was refused
    yield "flooded"


def request(path, line):
    """One request; the error's code, or OK."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
        s.settimeout(20)
        s.connect(path)
        s.sendall(line)
        with s.makefile("rb") as lines:
            # Progress may come before it.
            answer = next(a for a in map(json.loads, lines) if "ok" in a)
            yield "OK " + json.dumps(answer["result"]) if answer["ok"] else answer["error"]["code"]


def read(path):
    with open(path, "rb") as f:
        f.read()
    yield "read"


class Stranger:
    """A process of this user that does the trick: .word is what came of it, an error as Permission-denied."""

    def __init__(self, trick, *args, uid=NOBODY, groups=()):
        reading, writing = os.pipe()
        parent_end, self.hold = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.close(reading)
                os.close(self.hold)
                self.act(trick, args, uid, groups, parent_end, writing)
            finally:
                os._exit(0)
        os.close(writing)
        os.close(parent_end)
        with os.fdopen(reading) as f:
            self.word = f.read() or "nothing"

    @staticmethod
    def act(trick, args, uid, groups, parent_end, writing):
        box.die_with_parent()
        os.setgroups(groups)
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        try:
            steps = trick(*args)
            word = next(steps)
        except OSError as e:
            steps, word = None, e.strerror.replace(" ", "-")
        os.write(writing, word.encode())
        os.close(writing)
        os.read(parent_end, 1)

    def end(self):
        os.close(self.hold)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def outcome(trick, *args, uid=NOBODY, groups=()):
    s = Stranger(trick, *args, uid=uid, groups=groups)
    s.end()
    return s.word
