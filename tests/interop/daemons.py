"""Every daemon killed at random, a hundred times, while writers check every byte and scans go on.

Open connections and running I/O are not the daemons' affair, and what was asked of one that died is asked again of the next:
no I/O error, no failed portal, no lost or doubled entry in the registry.
"""
import os
import random
import shutil
import threading

import tap
import writers
from initiator import Initiator, have_fuse
from tgt import Tgt

KILLS = int(os.environ.get("OPENISW_KILLS", "100"))
DAEMONS = ["iswd", "iscsi_resolvd", "islpd", "iisnsd", "iradd"]


class Scanner(threading.Thread):
    """Scans over and over, by address and by name."""

    def __init__(self, initiator):
        super().__init__(daemon=True)
        self.initiator = initiator
        self.until = threading.Event()
        self.scans, self.failures, self.error = 0, [], None

    def run(self):
        try:
            while not self.until.is_set():
                self.failures += self.initiator.request("scan", 120)["failures"]
                self.scans += 1
        except Exception as e:  # told by the main thread
            self.error = e


def entries(initiator):
    return {"discovery": sorted(str((d["address"], d["port"])) for d in initiator.request("discovery.list")["targets"]),
            "targets": sorted(str((x["name"], sorted(str((a["address"], a["port"], a["session_instance"]))
                                                     for a in x["addresses"])))
                              for x in initiator.request("target.list")["targets"]),
            "nodes": sorted(n["hw_path"] for n in initiator.tree())}


def kill_them(t, initiator, path, backing):
    present = [d for d in DAEMONS if os.path.exists(os.path.join(os.environ["OPENISW_BUILD"], "tree", "bin", d))]
    for name in present[1:]:
        initiator.start_daemon(name)
    pick = random.Random(4)
    before = entries(initiator)
    scanner = Scanner(initiator)

    def kill_one():
        name = pick.choice(present)
        initiator.helpers.get(name, initiator.iswd).kill()
        initiator.start_daemon(name)

    with t.case("%d kills of %s: no I/O error, no wrong byte" % (KILLS, ", ".join(present)), limit=280):
        scanner.start()
        load = writers.load_while(path, kill_one, times=KILLS, pause=(0.05, 0.6))
        writers.check_all(load, path)
        writers.check_all(load, backing)
    with t.case("the scans that ran meanwhile found everything", limit=130):
        scanner.until.set()
        scanner.join(120)
        assert not scanner.is_alive(), "a scan hangs"
        if scanner.error:
            raise scanner.error
        assert scanner.scans >= 5, scanner.scans
        # A daemon that takes longer than its grace to come back may be missed once; it must not stay so.
        assert len(scanner.failures) <= KILLS // 20, (len(scanner.failures), scanner.failures[:3])
        assert not initiator.request("scan")["failures"]
    with t.case("no entry is lost, none is there twice"):
        assert entries(initiator) == before, (before, entries(initiator))


def main():
    with tap.script() as t, Tgt() as tgt, Initiator() as initiator:
        if not have_fuse() or not shutil.which("tgtd"):
            raise tap.Skip("no /dev/fuse or no tgt here")
        t.show_on_failure(initiator)
        backing = tgt.lun(tgt.target("restart"), 1, size=writers.SIZE)
        initiator.discover(tgt)
        initiator.command("iscsiutil", "-a", "-I", "localhost", "-P", tgt.port)
        kill_them(t, initiator, initiator.disk("restart", 1)["file"], backing)


main()
