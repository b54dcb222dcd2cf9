"""An ordinary user's initiator: his disks are mounted, and his driver can gain nothing, start nothing and write nowhere else."""
import os
import signal

import box
import proc
import tap
from initiator import Initiator, have_fuse, own_fuse
from tgt import Tgt

USER = "daemon"


def status(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def has_ended(pid):
    """Also where nobody has waited for it yet."""
    try:
        return status(pid)["State"][0] == "Z"
    except OSError:
        return True


def mounts():
    with open("/proc/self/mountinfo") as f:
        return f.read()


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(word) for word in f.read().split()]


def main():
    with tap.script() as t, Tgt() as tgt:
        if os.geteuid() != 0 or proc.run("true", user=USER, ok=None).code != 0:
            raise tap.Skip("only root can be another user")
        if not have_fuse() or proc.run("fusermount3", "--version", ok=None).code != 0:
            raise tap.Skip("no FUSE for ordinary users here")
        if not os.stat("/dev/fuse").st_mode & 0o006:
            if not box.isolated():
                raise tap.Skip("/dev/fuse is root's alone, and there is no mount namespace to change that in")
            own_fuse()
        tgt.lun(tgt.target("one"), 1)
        with Initiator("user-root", user=USER) as initiator:
            t.show_on_failure(initiator)
            with t.case("its driver is filtered, can gain no privileges and has no capabilities"):
                s = status(initiator.driver.pid)
                assert s["Seccomp"].strip() == "2" and s["NoNewPrivs"].strip() == "1", s
                assert all(int(s[key], 16) == 0 for key in ("CapEff", "CapPrm", "CapInh")), s
                assert not any("could not" in line or "given up" in line for line in initiator.driver.tail(50)), initiator.driver.tail(50)
            initiator.discover(tgt)
            initiator.command("insf", "-H", "255")
            with t.case("its disks are there, for it alone", limit=60):
                node = initiator.disk("one", 1)
                proc.run("sh", "-euc", 'echo mine | dd of="$1" bs=512 conv=sync,notrunc,fsync 2>&1; dd if="$1" bs=512 count=1 2>/dev/null | grep -q mine',
                         "sh", node["rdsk"], user=USER)
                assert proc.run("cat", node["rdsk"], user="nobody", ok=None).code != 0
            helper = children(initiator.driver.pid)
            with t.case("one child starts fusermount3 for it"):
                assert len(helper) == 1, helper
                with open("/proc/%d/comm" % helper[0]) as f:
                    assert f.read() == "iscsi-mount\n"
            with t.case("a session that is logged out takes its mount along"):
                initiator.logout(0)
                proc.wait_for("the mount to go", lambda: initiator.path("run", "openisw", "disk", "0") + " " not in mounts())
                initiator.request("scan", limit=60)
            with t.case("a driver that is killed leaves no child, and its successor mounts anew", limit=60):
                initiator.driver.kill(signal.SIGKILL)
                proc.wait_for("the child to end", lambda: has_ended(helper[0]))
                initiator.restart_driver()
                initiator.request("scan", limit=60)
                node = initiator.disk("one", 1)
                proc.run("sh", "-euc", 'dd if="$1" bs=512 count=1 2>/dev/null | grep -q mine', "sh", node["file"], user=USER)


main()
