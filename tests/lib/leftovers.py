#!/usr/bin/env python3
"""leftovers.py [--remove] DIR: print the processes, mounts and loop devices that belong to DIR, one a line; end them."""
import os
import signal
import subprocess
import sys

import box


def main():
    base = sys.argv[-1]
    found = box.leftovers(base)
    if found:
        print("\n".join(found))
    if "--remove" in sys.argv:
        for pid in box.processes_of(base):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        box.undo_devices(base)


main()
