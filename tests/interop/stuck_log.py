"""A log daemon that does not read: disks, scans and commands go on, and what could not be logged is counted when it reads again."""
import glob
import os
import re
import socket

import box
import pattern
import proc
import tap
from initiator import Initiator, have_fuse
from tgt import Tgt

NODES = ("null", "zero", "random", "urandom", "full", "tty", "fuse")
# What a thread waits in when the other end of a datagram socket is full.
STUCK = "unix_wait_for_peer"


def dev_of_our_own():
    """A /dev of this mount namespace, so that /dev/log is ours."""
    directory = os.path.join(box.directory(), "dev")
    os.mkdir(directory)
    proc.run("mount", "-t", "tmpfs", "none", directory)
    for name in NODES:
        if os.path.exists("/dev/" + name):
            path = os.path.join(directory, name)
            with open(path, "w"):
                proc.run("mount", "--bind", "/dev/" + name, path)
    proc.run("mount", "--rbind", directory, "/dev")


def waits(pid):
    """Where each thread of the process waits, by name."""
    found = {}
    for task in glob.glob("/proc/%d/task/*" % pid):
        with open(task + "/comm") as comm, open(task + "/wchan") as wchan:
            found[comm.read().strip()] = wchan.read()
    return found


def read_all(log):
    """Until nothing comes for a second."""
    lines = []
    log.settimeout(1)
    try:
        while True:
            lines.append(log.recv(65536).decode())
    except TimeoutError:
        return lines


def main():
    with tap.script() as t, Tgt() as tgt:
        if not box.isolated() or not have_fuse():
            raise tap.Skip("/dev/log of our own needs a namespace, and a disk needs /dev/fuse")
        dev_of_our_own()
        log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        log.bind("/dev/log")
        tgt.lun(tgt.target("log"), 1)
        initiator = Initiator()
        initiator.command("iscsi_driverd", "-d", "7")
        initiator.start_daemon("iswd")
        with open(initiator.path("run", "openisw", "iscsi_driverd.pid")) as f:
            pid = int(f.read())
        initiator.discover(tgt)
        path = initiator.disk("log", 1)["file"]

        def say_much():
            """A session that ends and comes back says a dozen lines at this level."""
            initiator.logout(0)
            initiator.request("scan", 20)

        def is_stuck():
            say_much()
            return waits(pid)["log"] == STUCK

        with t.case("the log's thread hangs, and nobody else", 120):
            proc.wait_for("the log daemon's socket to be full", is_stuck, limit=60)
            for number in range(160):
                say_much()
                pattern.read_at(path, 4096 * number, 4096)
            assert [name for name, where in waits(pid).items() if where == STUCK] == ["log"], waits(pid)
        with t.case("when it is read again, lines come in order, with the count of those that do not"):
            lines = read_all(log)
            assert lines and all(re.match(r"<3[01]|<2[4-9]", line) for line in lines), lines[:3]
            assert any(re.search(r": \d+ lines? (was|were) dropped", line) for line in lines), lines[-3:]
            say_much()
            assert read_all(log), "nothing is logged any more"
        with t.case("it stops beside a log that is stuck again"):
            proc.wait_for("the log daemon's socket to be full", is_stuck, limit=60)
            initiator.iswd.stop()
            initiator.command("iscsi_driverd", "--stop", "--force", limit=40)
        log.close()


main()
