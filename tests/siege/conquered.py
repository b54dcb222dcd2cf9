"""Root's driver, and its porter, are conquered: what whoever has done that tries is refused, by the kernel, in the process itself.

What the driver can ask its porter for src/export/test_porter*.c try, every profile src/sys/test_confine_calls.c.
"""
import ctypes
import errno
import os

import tap
from initiator import Initiator, have_fuse
from inside import Inside
from tgt import Tgt

LANDLOCK_CREATE_RULESET = 444
AF_INET, AF_PACKET, SOCK_STREAM, SOCK_RAW = 2, 17, 1, 3
MS_BIND, MS_NOSUID_AND_SO_ON = 4096, 2 | 4 | 8 | 1024
MNT_DETACH = 2
MAKE = os.O_CREAT | os.O_WRONLY


def has_landlock():
    return ctypes.CDLL(None).syscall(LANDLOCK_CREATE_RULESET, None, 0, 1) > 0


def tried(pid, rows):
    """What came of each call that did not come out as its row says."""
    wrong = []
    with Inside(pid) as p:
        for want, *call in rows:
            got = p.call(*call)
            if (got < 0) != (want > 0) or (want and got != -want):
                wrong.append("%s: %d instead of %s" % (call, got, errno.errorcode.get(want, "success")))
            if got > 2 and call[0] in ("open", "socket"):
                p.call("close", got)
    return wrong


def files(initiator):
    path, secret = initiator.path, os.path.join(initiator.root, "secret")
    with open(secret, "w") as f:
        f.write("not the driver's\n")
    return [
        (errno.EACCES, "open", secret, os.O_RDONLY),
        (errno.EACCES, "open", secret, os.O_WRONLY),
        (errno.EACCES, "unlink", secret),
        (errno.EACCES, "open", os.path.join(initiator.root, "new"), MAKE, 0o600),
        (errno.EACCES, "mkdir", os.path.join(initiator.root, "new"), 0o700),
        (errno.EACCES, "symlink", "/etc", os.path.join(initiator.root, "new")),
        (errno.EACCES, "open", "/etc/passwd", os.O_WRONLY),
        (errno.EACCES, "open", "/etc/new", MAKE, 0o600),
        (errno.EACCES, "open", "/dev/loop-control", os.O_RDWR),
        (errno.EACCES, "open", "/dev/loop0", os.O_RDONLY),
        (errno.EACCES, "open", "/dev/fuse", os.O_RDWR),
        (errno.EACCES, "open", "/proc/sys/kernel/core_pattern", os.O_WRONLY),
        (errno.EACCES, "open", "/proc/sys/kernel/hostname", os.O_WRONLY),
        (errno.EACCES, "open", "/proc/%d/mem" % os.getpid(), os.O_RDONLY),
        (errno.EACCES, "readlink", "/proc/%d/fd/0" % os.getpid(), bytes(100), 100),
        (errno.EACCES, "open", path("dev", "new"), MAKE, 0o600),
        # Its own.
        (0, "open", path("run", "openisw", "new"), MAKE, 0o600),
        (0, "unlink", path("run", "openisw", "new")),
        (0, "symlink", "/etc", path("dev", "dsk", "new")),
        (0, "unlink", path("dev", "dsk", "new")),
        (0, "open", "/etc/passwd", os.O_RDONLY),
    ]


def main():
    with tap.script() as t, Tgt() as tgt:
        if os.geteuid() != 0:
            raise tap.Skip("an ordinary user has nothing that could be taken")
        tgt.lun(tgt.target("one"), 1)
        with Initiator() as initiator:
            t.show_on_failure(initiator)
            initiator.discover(tgt)
            driver = initiator.driver.pid
            with open("/proc/%d/task/%d/children" % (driver, driver)) as f:
                porter, = [int(word) for word in f.read().split()]
            point = initiator.path("run", "openisw")
            with t.case("the driver mounts nothing, has no network, signals nobody and changes no owners and modes"):
                wrong = tried(driver, [
                    (errno.EPERM, "mount", "none", point, "tmpfs", 0, ""),
                    (errno.EPERM, "mount", "/etc", point, "", MS_BIND, ""),
                    (errno.EPERM, "umount2", "/proc", MNT_DETACH),
                    (errno.EPERM, "socket", AF_INET, SOCK_STREAM, 0),
                    (errno.EPERM, "socket", AF_PACKET, SOCK_RAW, 0),
                    (errno.EPERM, "tgkill", porter, porter, 0),
                    (errno.EPERM, "chmod", "/etc/passwd", 0o666),
                    (errno.EPERM, "chown", "/etc/passwd", 1, 1),
                    (errno.EPERM, "open", os.path.join(point, "new"), MAKE, 0o4755),
                    (errno.ENOSYS, "openat2", -100, point, bytes(24), 24),
                ])
                assert not wrong, wrong
            with t.case("the driver opens, makes and removes nothing but what is its own"):
                if not has_landlock():
                    raise tap.Skip("this kernel has no Landlock")
                wrong = tried(driver, files(initiator))
                assert not wrong, wrong
            with t.case("its porter has no network, signals nobody, and mounts and unmounts in one way only"):
                wrong = tried(porter, [
                    (errno.EPERM, "mount", "none", point, "tmpfs", 0, ""),
                    (errno.EPERM, "mount", "/etc", point, "", MS_BIND, ""),
                    (errno.EPERM, "umount2", "/proc", MNT_DETACH),
                    (errno.EPERM, "socket", AF_INET, SOCK_STREAM, 0),
                    (errno.EPERM, "tgkill", driver, driver, 0),
                    (errno.EPERM, "chmod", "/etc/passwd", 0o666),
                    (errno.EPERM, "unlink", os.path.join(point, "iscsi_driverd.pid")),
                    (errno.ENODEV, "mount", "none", point, "nosuchfs", MS_NOSUID_AND_SO_ON, ""),
                ])
                assert not wrong, wrong
            with t.case("both do their work as before"):
                if not have_fuse():
                    raise tap.Skip("no FUSE here")
                tgt.lun(tgt.target("two"), 1)
                assert not initiator.request("scan", 60)["failures"]
                with open(initiator.disk("two", 1)["file"], "rb") as f:
                    assert len(f.read(4096)) == 4096


main()
