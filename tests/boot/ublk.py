"""Disks as ublk devices, or (nbd) as sockets that the kernel's nbd uses, in guests whose kernels have it (this machine's need not):
./check --vm.  OPENISW_CYCLES: instead of 1,000 times made and removed."""
import os
import re
import shutil
import sys

import box
import tap
from fieldtgt import FieldTarget
from fieldunit import FLUSHES, UNMAP, Unit
from initramfs import HERE, Guest, kernel_of

box.NAMESPACES = [word for word in box.NAMESPACES if word != "--net"]
MIB = 1 << 20
# suite: what its kernel can do more than the one before it
SUITES = (("trixie", "recovery"), ("trixie-backports", "a new size, a stop that is refused"))
CASES = (
    ("auto", "without FUSE a device is tried when the driver starts, and chosen; insf says what and why"),
    ("made", "insf has the kernel make devices, with the unit's size, and device files lead there"),
    ("udev", "udev finds the disk, its path and its designator by the device's name alone"),
    ("ext4", "a file system on one holds what was written"),
    ("mounted_is_in_use", "rmsf refuses one that is mounted, and names where"),
    ("open_is_in_use", "rmsf refuses one that is open"),
    ("zeros", "zeros reach the unit"),
    ("filters", "a filter in front of one makes it read-only at once, and another one makes its reads fail"),
    ("kill_under_load", "the driver is killed three times under load: no error, no byte differs"),
    ("fio_verify", "fio finds what it wrote, too"),
    ("mounted_across_a_kill", "a mounted file system goes on with the next driver"),
    ("handed_over", "a driver hands its devices over"),
    ("resize", "a unit that has grown: the device has, or it is said that this kernel cannot"),
    ("add_and_remove", "devices are made and removed, a thousand times"),
    ("overdue", "whoever waits for one that does not come back by ReplacementTimeout gets an error, and it is deleted"),
    ("back_again", "when its target is there again, so is a device"),
    ("two_paths", "a unit with two paths is one device, and goes on over one when the other fails"),
    ("nothing_is_left", "after a stop no device is left, and nothing is known of any"),
    ("the_kernel_is_well", "the kernel has complained of nothing"),
)
NBD_CASES = (
    ("attached", "nbd-client makes a block device of a disk's socket, with the unit's size, and its cache"),
    ("is_in_use", "rmsf refuses a disk whose socket the kernel has, and names the device"),
    ("nbd_ext4", "a file system on one holds what was written"),
    ("target_has_it", "what the kernel reads is what the target has"),
    ("flushes", "fsync reaches the unit as a flush"),
    ("trim", "blkdiscard reaches the unit, and takes what it should and nothing else"),
    ("nbd_zeros", "zeros reach the unit"),
    ("verified", "four writers find what was acknowledged to them"),
    ("four_connections", "so do they, and fio, with four connections"),
    ("unmount_leaves_it", "what ends users before a shutdown names the device and where it is mounted, and leaves it alone"),
    ("grown", "a unit that has grown is larger for who attaches it anew, and goes on as it was for who has it"),
    ("driver_killed", "kill -9 of the driver: once detached, the device fails what was under way, too; attached anew it has what was written out"),
    ("stopped", "once it is detached, the driver stops, and leaves no socket"),
    ("the_kernel_is_well", "the kernel has complained of nothing"),
)
# what a guest runs: (its cases, programs that it needs, the limit)
GUESTS = {"ublk": (CASES, (), 3000), "nbd": (NBD_CASES, ("nbd-client", "mkfs.ext4", "e2fsck", "blkdiscard"), 900)}
def results(text):
    """name -> (is it ok, the words behind it)."""
    found = {}
    for part in re.split(r"(?m)^CASE ", text)[1:]:
        name, verdict, words = (part.split("\nLOG\n")[0].split(" ", 2) + ["", ""])[:3]
        found[name] = (verdict.strip() == "ok", words.strip())
    return found


def reached(target, unit):
    """What nbd.sh did with it: 20 MiB of lines and a flush, 8 MiB behind the first 1 MiB are trimmed."""
    lines = (b"openisw\n" * (20 * MIB // 8))[:20 * MIB]
    assert target.commands(FLUSHES) and target.commands((UNMAP,)), target.log[-20:]
    assert unit.disk.read(0, MIB) == lines[:MIB] and unit.disk.read(9 * MIB, 11 * MIB) == lines[9 * MIB:]
    assert unit.disk.read(MIB, 8 * MIB) == bytes(8 * MIB)


def main():
    what = sys.argv[1] if sys.argv[1:] else "ublk"
    cases, programs, limit = GUESTS[what]
    with tap.script() as t:
        missing = [tool for tool in ("qemu-system-x86_64", "busybox", "tgtd", "cpio", "dpkg") + programs if not shutil.which(tool)]
        if missing:
            raise tap.Skip("%s are needed" % ", ".join(missing))
        kernels = {}
        for suite, _ in SUITES:
            with t.case("there is a kernel of %s" % suite, limit=1500):
                kernels[suite] = kernel_of(suite)
        if box.isolated():
            box.own_network()
        for suite, can in (row for row in SUITES if row[0] in kernels):
            text, unit = "", Unit(0, "thin", blocks=131072, is_thin=True)
            unit.has_write_cache = True
            with FieldTarget([unit]) as target, t.case("a guest with the kernel of %s (%s)" % (suite, can), limit=limit + 300):
                target.portals = ["10.0.2.2:%d,1" % target.port]
                kernel, modules = kernels[suite]
                guest = Guest(suite)
                guest.make(modules, os.path.join(HERE, what + ".sh"))
                text = guest.run(kernel, limit, target.port)
                assert "\nENDED" in text, text[-4000:]
            got = results(text)
            for name, sentence in cases if text else ():
                if name == "fio_verify" and not shutil.which("fio"):
                    continue
                with t.case("%s: %s" % (suite, sentence)):
                    ok, words = got.get(name, (False, "it was not reached"))
                    if ok:
                        t.comment(words)
                    assert ok, words + "\n" + text[-3000:]
            if what == "nbd" and text:
                with t.case("%s: the target was told of each flush and trim, and has the rest" % suite):
                    reached(target, unit)


main()
