"""Every program of a running initiator has given up what it does not need; what that means each profile's unit test tries."""
import glob
import os
import pwd

import proc
import tap
from initiator import Initiator

DAEMONS = ("iswd", "iscsi_resolvd", "islpd", "iradd")
CAP_NET_RAW = 1 << 13
DRIVER_CAPS = 1 << 0  # CAP_CHOWN
PORTER_CAPS = 1 << 21 | 1 << 19 | 1 << 2  # CAP_SYS_ADMIN, CAP_SYS_PTRACE, CAP_DAC_READ_SEARCH


def status(pid):
    with open("/proc/%d/status" % pid) as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


with tap.script() as t:
    if os.geteuid() != 0:
        raise tap.Skip("only root has something to give up")
    with Initiator() as initiator:
        t.show_on_failure(initiator)
        pids = {"iscsi_driverd": initiator.driver.pid, "iswd": initiator.iswd.pid}
        others = {name: initiator.daemon(name, initiator.log) for name in DAEMONS if name != "iswd"}
        for name, daemon in others.items():
            daemon.start()
            proc.wait_for(name, lambda name=name: initiator.has_daemon(name))
            pids[name] = daemon.pid
        for name, pid in pids.items():
            with t.case("%s has its system calls filtered and can gain no privileges" % name):
                s = status(pid)
                assert s["Seccomp"].strip() == "2" and s["NoNewPrivs"].strip() == "1", s
        users = {name: status(pids[name])["Uid"].split() for name in DAEMONS}
        for name in DAEMONS:
            with t.case("%s is another user without capabilities, and the driver knows it nevertheless" % name):
                s = status(pids[name])
                assert len(set(users[name])) == 1 and users[name][0] not in ("0", str(pwd.getpwnam("nobody").pw_uid)), users
                assert [u for u in users.values()].count(users[name]) == 1, users
                assert "0" not in s["Gid"].split() and not s["Groups"].strip(), (s["Gid"], s["Groups"])
                allowed = CAP_NET_RAW if name == "iswd" else 0
                for key in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb"):
                    assert int(s[key], 16) & ~allowed == 0, "%s %s" % (key, s[key])
        with open("/proc/%d/task/%d/children" % (initiator.driver.pid, initiator.driver.pid)) as f:
            porter, = [int(word) for word in f.read().split()]
        with t.case("iscsi_driverd keeps the right to give its daemons their sockets, its porter those to mount and to see who uses a disk"):
            for pid, allowed in ((pids["iscsi_driverd"], DRIVER_CAPS), (porter, PORTER_CAPS)):
                s = status(pid)
                for key in ("CapEff", "CapPrm", "CapBnd"):
                    assert int(s[key], 16) & ~allowed == 0, "%s %s" % (key, s[key])
                assert int(s["CapInh"], 16) == int(s["CapAmb"], 16) == 0, s
                assert s["Seccomp"].strip() == "2" and s["NoNewPrivs"].strip() == "1", s
        with t.case("no thread of iscsi_driverd has more than its main thread"):
            for path in glob.glob("/proc/%d/task/*/status" % initiator.driver.pid):
                with open(path) as f:
                    s = dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)
                assert int(s["CapEff"], 16) & ~DRIVER_CAPS == 0 and s["Seccomp"].strip() == "2", (path, s)
        with t.case("no process leaves a core file, and none is out of the reach of the kernel that needs memory"):
            for name, pid in pids.items():
                with open("/proc/%d/limits" % pid) as f:
                    core = [line.split()[4:6] for line in f if line.startswith("Max core file size")]
                assert core == [["0", "0"]], (name, core)
                with open("/proc/%d/oom_score_adj" % pid) as f:
                    assert int(f.read()) > -1000, name
        with t.case("another process of a daemon's user cannot look into it"):
            for name in DAEMONS:
                assert os.stat("/proc/%d/environ" % pids[name]).st_uid == 0, name
        for daemon in others.values():
            daemon.stop()
