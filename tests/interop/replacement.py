"""I/O waits for a lost session as long as the administrator said, then it fails; when the target is back, so is the disk."""
import errno
import os
import signal
import threading
import time

import pattern
import proc
import tap
from initiator import Initiator, have_fuse
from tgt import Tgt


class Reader(threading.Thread):
    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.error, self.took = path, None, None
        self.start()

    def run(self):
        start = time.monotonic()
        try:
            pattern.read_at(self.path, 0, 4096)
        except OSError as e:
            self.error = e
        self.took = time.monotonic() - start


def come_back(tgt):
    tgt.start()
    tgt.names = []
    return tgt.lun(tgt.target("away"), 1)


def online(initiator):
    return initiator.request("session.list")["sessions"][0]["state"] == "online"


def main():
    with tap.script() as t, Tgt() as tgt, Initiator() as initiator:
        if not have_fuse():
            raise tap.Skip("no /dev/fuse here")
        t.show_on_failure(initiator)
        tgt.lun(tgt.target("away"), 1)
        with t.case("a time limit is set, shown, refused out of its range, and unset"):
            initiator.command("iscsiutil", "-t", "replacementtimeout", "2")
            shown = initiator.request("initiator.get")["timers"]["ReplacementTimeout"]
            assert shown == {"seconds": 2, "from": "global"}, shown
            refused = initiator.command("iscsiutil", "-t", "ReplacementTimeout", "86401", ok=None)
            assert refused.code != 0 and "86400" in refused.err, refused
            initiator.command("iscsiutil", "-t", "NOPInterval", "3")
            initiator.command("iscsiutil", "-t", "NOPInterval", "default")
            assert initiator.request("initiator.get")["timers"]["NOPInterval"]["from"] == "default"
        initiator.discover(tgt)
        # It stays, also where the target is back before its unit is.
        initiator.command("insf", "-H", "255")
        path = initiator.disk("away", 1)["file"]
        tgt.daemon.kill(signal.SIGKILL)
        with t.case("a read waits for the session, and fails when the time is over"):
            reader = Reader(path)
            reader.join(40)
            assert not reader.is_alive(), "the read hangs"
            assert reader.error and reader.error.errno == errno.EIO, reader.error
            assert 1 < reader.took < 30, reader.took
        with t.case("the next read fails at once"):
            reader = Reader(path)
            reader.join(20)
            assert reader.error and reader.took < 1, (reader.error, reader.took)
        with t.case("when the target is back, so is the disk"):
            come_back(tgt)
            proc.wait_for("the session to be back", lambda: online(initiator), limit=60)
            proc.wait_for("the disk to be back", lambda: os.path.exists(path), limit=60)
            data = os.urandom(4096)
            pattern.write_at(path, 0, data)
            assert pattern.read_at(path, 0, 4096) == data
        with t.case("without a limit a read waits until the target is back"):
            initiator.command("iscsiutil", "-t", "ReplacementTimeout", "0")
            tgt.daemon.kill(signal.SIGKILL)
            reader = Reader(path)
            reader.join(5)
            assert reader.is_alive(), reader.error
            come_back(tgt)
            reader.join(60)
            assert not reader.is_alive() and not reader.error, reader.error


main()
