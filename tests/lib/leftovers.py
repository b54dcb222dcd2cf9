#!/usr/bin/env python3
"""leftovers.py [--remove] DIR: print the processes, mounts and loop devices that belong to DIR, one a line; end them."""
import os
import signal
import sys
import time

import box

PATIENCE = 5

def main():
    base = sys.argv[-1]
    # The porter takes loop devices out when its driver has ended.  Other tests beside these kill
    # drivers, too; what theirs leave does not stay.
    end = time.monotonic() + PATIENCE
    while (box.leftovers(base) or box.dead_loops()) and time.monotonic() < end:
        time.sleep(0.1)  # no-sleep-ok: the kernel tells nobody when a loop device goes
    found = box.leftovers(base) + ["loop device of a dead driver: " + loop for loop in box.dead_loops()]
    if found:
        print("\n".join(found))
    if "--remove" in sys.argv:
        # Before their driver is killed: without its mount nobody knows whose one is.
        box.undo_devices(base)
        for pid in box.processes_of(base):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        box.undo_devices(base)


main()
