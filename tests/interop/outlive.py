"""The driver is killed under writers that check every byte, and the next one goes on with its disks.

Nobody who has a disk open learns of it: no error, no wrong byte, nothing that was acknowledged is missing.
OPENISW_OUTLIVE_KILLS: how often in the long case.
"""
import os
import signal

import tap
import writers
from initiator import Initiator, have_fuse, have_loop
from tgt import Tgt

KILLS = int(os.environ.get("OPENISW_OUTLIVE_KILLS", "10"))


def main():
    with tap.script() as t:
        if not have_fuse() or not have_loop():
            raise tap.Skip("no /dev/fuse, or no loop devices here")
        with Tgt() as target, Initiator(held=True) as initiator:
            t.show_on_failure(initiator)
            backing = target.lun(target.target("outlive"), 1, size=writers.SIZE)
            initiator.discover(target)
            initiator.command("insf", "-H", "255")
            path = initiator.disk("outlive", 1)["block"]

            def kill_driver():
                initiator.driver.kill(signal.SIGKILL)
                initiator.restart_driver()

            with t.case("writers see no error while the driver is killed", limit=KILLS * 10 + 60):
                load = writers.load_while(path, kill_driver, times=KILLS, pause=(0.2, 1))
            with t.case("every byte acknowledged is in the target's file", limit=120):
                writers.check_all(load, path)
                writers.check_all(load, backing)
            with t.case("the block device is the same one"):
                assert initiator.disk("outlive", 1)["block"] == path


main()
