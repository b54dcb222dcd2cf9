"""gdb's commands over a core file of a driver that has requests under way, and over the driver itself."""
import os
import re
import shutil
import signal
import threading

import box
import field
import proc
import tap
from fieldtgt import SILENT, FieldTarget
from fieldunit import WRITES, Unit
from initiator import have_fuse

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
SCRIPT = os.path.join(TOP, "dist", "gdb", "iscsi_driverd-gdb.py")
COMMANDS = ("sessions", "connections", "units", "requests", "counters", "trace 0")
SECRET = "not-for-anybodys-eyes"


def ask(made, *where, commands=COMMANDS):
    """{command: what it printed}"""
    argv = ["gdb", "-q", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set auto-load safe-path " + made.program("iscsi_driverd"),
            *where, "-x", SCRIPT]
    for command in commands:
        argv += ["-ex", "echo --- %s\\n" % command, "-ex", "isw " + command]
    out = proc.run(*argv, limit=120).out
    parts = re.split(r"(?m)^--- (.*)\n", out)
    return dict(zip(parts[1::2], parts[2::2]))


def check(made, said, target):
    session = made.request("session.list")["sessions"][0]
    text = said["sessions"]
    assert re.search(r"^session 0  ONLINE  .* connection \w+  units 2  requests 3  .*%s$" % re.escape(session["target_name"]), text, re.M), text
    text = said["connections"]
    assert "TSIH %d " % session["tsih"] in text and len(re.findall(r"^  ITT [0-9a-f]{8}  CmdSN \d+  cdb 2a  4096 bytes", text, re.M)) == 2, text
    text = said["units"]
    for disk, sent in (("c0t0d0", 2), ("c0t0d1", 1)):
        assert re.search(r"%s  SAME  \d+ bytes in blocks of 512  waiting 0  set aside 0  sent %d  answered 0$" % (disk, sent), text, re.M), text
    text = said["requests"]
    rows = re.findall(r"session 0  (c0t0d\d)  (\w+)  offset (\d+)  (\d+) bytes  (\w+)  order", text)
    assert sorted(rows) == [("c0t0d0", "WRITE", "0", "4096", "sent"), ("c0t0d0", "WRITE", "8192", "4096", "sent"),
                            ("c0t0d1", "READ", "4096", "4096", "sent")], text
    assert re.search(r"^  \w+ \d+$", said["counters"], re.M), said["counters"]
    headers = re.findall(r"(?m)^\S+ s ago  (IN|OUT)  ([0-9a-f ]+)$", said["trace 0"])
    assert len(headers) >= 10 and headers[-1][1].replace(" ", "")[:2] in ("01", "41", "21", "25", "81"), said["trace 0"]
    assert not any(SECRET in part for part in said.values())


class User(threading.Thread):
    """One request, which never ends well here."""

    def __init__(self, act, *args):
        super().__init__(daemon=True)
        self.act, self.args = act, args
        self.start()

    def run(self):
        try:
            self.act(*self.args)
        except OSError:
            pass


def main():
    with tap.script() as t:
        missing = [tool for tool in ("gdb", "gcore") if not shutil.which(tool)]
        if missing or not box.isolated() or not have_fuse():
            raise tap.Skip("root, /dev/fuse and %s are needed" % (" and ".join(missing) or "namespaces"))
        with FieldTarget([Unit(0, "one"), Unit(1, "two")]) as target, field.world(t, target, NOPInterval=0) as made:
            made.command("iscsiutil", "-u", "-N", "somebody", "-W", SECRET[:16])
            fds = [os.open(field.path(made, lun), os.O_RDWR | os.O_DIRECT) for lun in (0, 0, 1)]
            target.on_command = lambda c: SILENT if c.opcode in WRITES or c.opcode in (0x28, 0x88) else None
            for fd, act, at in zip(fds, (os.pwritev, os.pwritev, os.preadv), (0, 8192, 4096)):
                User(act, fd, [field.mmap.mmap(-1, 4096)], at)
            proc.wait_for("all three to be with the target", lambda: len(target.commands(WRITES)) == 2 and target.commands((0x28, 0x88)))
            core = os.path.join(box.directory(), "core")
            with t.case("a core file tells sessions, connections, units, requests, counters and headers, and no secret", limit=150):
                proc.run("gcore", "-o", core, made.driver.pid, limit=60)
                check(made, ask(made, made.program("iscsi_driverd"), "%s.%d" % (core, made.driver.pid)), target)
            with t.case("so does the living driver, which goes on", limit=150):
                check(made, ask(made, "-p", str(made.driver.pid)), target)
                assert made.request("driver.status")["pid"] == made.driver.pid
            with t.case("what is wrong is said: a session that is not there, words that are none, a program without symbols"):
                said = ask(made, made.program("iscsi_driverd"), "%s.%d" % (core, made.driver.pid), commands=("units 7",))
                assert said["units 7"] == "there is no session 7\n", said
                done = proc.run("gdb", "-q", "-nx", "-batch", "-x", SCRIPT, "-ex", "isw sessions", shutil.which("true"), ok=None)
                assert "debugging symbols" in done.err, done
            target.on_command = lambda c: None
            made.driver.kill(signal.SIGTERM, limit=60)


main()
