"""Everything that an endurance run needs: a supervised initiator, targets in several processes, a network between, users."""
import contextlib
import os
import signal
import sys
import threading

import box
import net
import proc
from initiator import Initiator
from tgt import Tgt

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
PREFIX = "iqn.2026-11.org.example:"
DAEMONS = ["iswd", "iscsi_resolvd", "islpd", "iisnsd", "iradd"]
BLOCK, BLOCKS = 512, 16384
MIB = 1 << 20
# tgt alone would offer none.
DIGESTS = {"HeaderDigest": "CRC32C,None", "DataDigest": "CRC32C,None"}
AWAY = (OSError, ValueError, AssertionError)  # what a question may end with while the driver dies or starts


class Supervised(Initiator):
    """Its programs are started, and started again, by "iscsi supervise", as where there is no systemd."""

    def __init__(self, name="root"):
        super().__init__(name)
        self.env["OPENISW_BIN"] = os.path.join(os.environ["OPENISW_BUILD"], "tree", "bin")
        self.driver = proc.Daemon(os.path.join(TOP, "dist", "iscsi"), "supervise", "--root", self.root, log=self.log, env=self.env)

    def start(self):
        for folder, mode in (("var", 0o755), ("var/lib", 0o755), ("var/lib/openisw", 0o700)):
            os.makedirs(self.path(folder), mode=mode, exist_ok=True)
        for name in ("islpd", "iisnsd", "iradd"):
            with open(self.path("var/lib/openisw", name + ".boot"), "wb"):
                pass
        self.driver.start()
        proc.wait_for("the driver to answer", self.answers)
        for name in DAEMONS:
            proc.wait_for(name + " to reach the driver", lambda name=name: self.has_daemon(name))
        return self

    def stop(self):
        if self.driver.alive():
            proc.run(self.driver.argv[0], "stop", "--root", self.root, env=self.env, limit=90)
            self.driver.process.wait(60)

    def __exit__(self, *_):
        if self.driver.alive():
            self.driver.kill(signal.SIGKILL)

    def pids(self):
        """Program: its number, of all that runs now and are the initiator's; nobody is asked for it."""
        found = {}
        for name in ["iscsi_driverd"] + DAEMONS:
            try:
                with open(self.path("run/openisw", name + ".pid")) as f:
                    pid = int(f.read())
                with open("/proc/%d/comm" % pid) as f:
                    if f.read().strip() == name[:15]:
                        found[name] = pid
            except (OSError, ValueError):
                continue
        for child in box.descendants(found["iscsi_driverd"]) if "iscsi_driverd" in found else ():
            with contextlib.suppress(OSError), open("/proc/%d/comm" % child) as f:
                if f.read().strip() == "iscsi-porter":
                    found["iscsi-porter"] = child
                    break
        return found


class Group:
    """A tgtd with some of the targets, and the place in the network where the initiator finds it."""

    def __init__(self, number, disks):
        self.number, self.disks = number, disks
        self.tgt = Tgt("tgt%d" % number)
        self.port = net.free_port()
        # Every second one is known by a name, so that iscsi_resolvd is needed for each of its logins.
        self.host = "localhost" if number % 2 else "127.0.0.1"
        self.backing = {}

    def start(self):
        self.tgt.names = []
        self.tgt.start()
        for disk in self.disks:
            # A LUN has tgt's own name until it is told another one: who logged in before would find another unit.
            tid = self.tgt.target("d%d" % disk, allow=None, **DIGESTS)
            self.backing[disk] = self.tgt.lun(tid, 1, size=BLOCK * BLOCKS, scsi_sn="EN%06d" % disk, scsi_id="EN%06d" % disk)
            self.tgt.allow(tid)


class Place:
    """Started by with; .made is the initiator."""

    def __init__(self, sessions, rate, seed):
        self.sessions = sessions
        n = min(4, sessions)
        self.groups = [Group(i, range(i, sessions, n)) for i in range(n)]
        self.index = Tgt("index")  # has no targets: only for discoveries
        self.rate, self.seed = rate, seed
        self.made = self.load = self.proxy = None
        self.stopped = threading.Event()

    def __enter__(self):
        self.index.start()
        self.index.target("hidden", allow="192.0.2.1")  # without one tgtd takes no login for discovery either
        for group in self.groups:
            group.start()
        self.proxy = proc.Asked(sys.executable, os.path.join(TOP, "tests", "lib", "proxy.py"),
                           *["127.0.0.1:%d>127.0.0.1:%d" % (g.port, g.tgt.port) for g in self.groups])
        self.proxy.answer(20)
        self.made = Supervised().start()
        self.made.command("iscsiutil", "-a", "-I", "localhost", "-P", self.index.port)
        for group in self.groups:
            for disk in group.disks:
                self.made.request("target.add", name=PREFIX + "d%d" % disk, address=group.host, port=group.port)
        self.made.request("scan", 120)
        self.load = proc.Asked(os.path.join(os.environ["OPENISW_BUILD"], "tests", "endurance", "load"), self.sessions, BLOCKS, self.rate,
                          self.seed)
        self.settle()
        self.tell_paths()
        return self

    def __exit__(self, *_):
        for thing in (self.load, self.proxy):
            if thing:
                thing.stop()
        if self.made:
            self.made.__exit__(None)
        for tgt in [self.index] + [g.tgt for g in self.groups]:
            tgt.stop()

    def pause(self, seconds):
        """Lets time pass; over at once when the run is to end."""
        self.stopped.wait(seconds)

    # -- what is so now --------------------------------------------------------------------------------------------------

    def sessions_now(self):
        return {int(s["target_name"].rsplit(":d", 1)[1]): s for s in self.made.request("session.list")["sessions"]
                if s["target_name"].startswith(PREFIX + "d")}

    def files(self):
        return {int(n["target_name"].rsplit(":d", 1)[1]): n["file"] for n in self.made.tree("disk") if n.get("file")}

    def is_well(self):
        """The network is asked, too: the driver may not have heard yet that a connection is gone."""
        if any(self.proxy.ask("links", g.number)["links"] < len(g.disks) for g in self.groups):
            return False
        try:
            now = self.sessions_now()
            return len(now) == self.sessions and all(s["state"] == "online" for s in now.values()) and \
                len(self.files()) == self.sessions and all(map(os.path.exists, self.files().values()))
        except AWAY:
            return False

    def what_is_missing(self):
        try:
            now, files = self.sessions_now(), self.files()
        except AWAY as e:
            return "the driver: %s" % e
        return {d: (now[d]["state"] if d in now else "no session", "a file" if d in files else "no file") for d in range(self.sessions)
                if d not in now or now[d]["state"] != "online" or d not in files}

    def settle(self, limit=90):
        """Waits until every session is online and every disk has a file."""
        try:
            proc.wait_for("all sessions to be online", self.is_well, limit=limit, every=0.2)
        except proc.Failed as e:
            raise proc.Failed("%s; not so: %s" % (e, self.what_is_missing())) from e

    # -- the users -------------------------------------------------------------------------------------------------------

    def tell_paths(self):
        for disk, path in self.files().items():
            self.load.ask("path", disk, path)

    def check_all(self, backing=False):
        """Disks that differ, or cannot be read, with what is wrong.  The users hold nothing."""
        bad, files = {}, self.files()
        for group in self.groups:
            for disk in group.disks:
                said = self.load.ask("check", disk, group.backing[disk] if backing else files.get(disk, "(no file)"))
                if said["differing"] or said["error"]:
                    bad[disk] = said
        return bad
