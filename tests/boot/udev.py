"""What udev is told of a disk: as long as it has a block device, also while its driver is replaced."""
import os
import signal

import box
import tap
from initiator import Initiator, have_loop
from tgt import Tgt


def main():
    with tap.script() as t:
        if not box.isolated() or not have_loop():
            raise tap.Skip("root, namespaces and loop devices are needed")
        with Tgt() as tgt, Initiator(held=True) as initiator:
            t.show_on_failure(initiator)
            name = "iqn.2026-11.org.example:names"
            tgt.lun(tgt.target("names"), 1)
            initiator.discover(tgt)
            told = initiator.path("run", "openisw", "udev", "c0t0d1")
            with t.case("a disk that is installed is told of, by its path and its designators"):
                assert not os.path.exists(told)
                initiator.command("insf", "-H", "255")
                with open(told) as f:
                    text = f.read()
                assert text.startswith("path=ip-127.0.0.1:%d-iscsi-%s-lun-1\nid=naa." % (tgt.port, name)), text
            with t.case("one that is removed is not"):
                initiator.command("rmsf", "-H", "255/0/0.0.0.1")
                assert not os.path.exists(told)
            with t.case("one that goes on with another driver stays told of, though its target is away"):
                initiator.command("insf", "-H", "255")
                block = os.readlink(initiator.path("dev", "dsk", "c0t0d1"))
                tgt.stop()
                initiator.driver.kill(signal.SIGKILL)
                initiator.restart_driver()
                if not os.path.lexists(initiator.path("dev", "dsk", "c0t0d1")):
                    raise tap.Skip("this kernel cannot hand a disk over")
                assert os.readlink(initiator.path("dev", "dsk", "c0t0d1")) == block
                with open(told) as f:
                    assert f.read() == text


main()
