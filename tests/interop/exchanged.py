"""Units that are exchanged while the only word of it goes elsewhere: a scan hears it, a flood hides it, a neighbour tells it."""
import contextlib
import threading

import field
import proc
import tap
from fieldtgt import FieldTarget, Later
from fieldunit import DESIGNATORS, INQUIRY, PAGES, READS, TEST_UNIT_READY, Unit, address, check, sense

LUNS_CHANGED, INQUIRY_CHANGED = sense(6, 0x3f, 0x0e), sense(6, 0x3f, 0x03)


@contextlib.contextmanager
def started(t, luns=2):
    """(target, initiator, paths); disk 1 is in use, so that a scan cannot give it away."""
    with FieldTarget([Unit(k, "unit%d" % k) for k in range(luns)]) as target, \
            field.world(t, target, ReplacementTimeout=5) as made:
        paths = [field.path(made, k) for k in range(luns)]
        with open(paths[1], "rb", buffering=0):
            yield target, made, paths


def exchange(target):
    """Another unit at LUN 1."""
    other = Unit(1, "other")
    target.units[:] = [u for u in target.units if u.address != address(1)] + [other]
    return other


def gets_nothing(path, other):
    field.write(path, 0, field.block("W")).bad(15)
    assert not other.disk.chunks, "the other unit holds %r" % other.disk.read(0, 16)


def flood(t):
    with t.case("LUN 1 is exchanged at the end of a flood of notices"), started(t) as (target, _made, paths):
        connection = target.online()[0]
        for _ in range(12):
            connection.event(0, INQUIRY_CHANGED)
            field.pause(0.02)
        other = exchange(target)
        connection.event(0, INQUIRY_CHANGED)
        field.pause(0.01)
        gets_nothing(paths[1], other)
    with t.case("four hundred notices in two seconds: I/O goes on"), started(t) as (target, _made, paths):
        connection, over = target.online()[0], threading.Event()

        def notices():
            for _ in range(400):
                connection.event(0, INQUIRY_CHANGED)
                field.pause(0.005)
            over.set()
        threading.Thread(target=notices, daemon=True).start()
        while not over.is_set():
            assert field.write(paths[1], 0, field.block("W")).good(10).took < 4


def not_listed(t):
    with t.case("a scan finds LUN 1 not listed; then another unit stands there, then the right one"):
        with started(t) as (target, made, paths):
            mine = target.unit(1)
            target.units.remove(mine)
            made.request("scan", 60)
            gets_nothing(paths[1], exchange(target))
            target.units[1] = mine
            made.request("scan", 60)
            field.write(paths[1], 0, field.block("W")).good(10)
            assert made.disk("field", 1)["sw_state"] == "CLAIMED"


def heard_by_a_scan(t):
    with t.case("a scan meets the only unit attention, at a LUN behind the one that is exchanged"):
        with started(t, 3) as (target, made, paths):
            steps, go_on = [], threading.Event()

            def answer(c):
                if c.lun == address(2) and c.opcode == INQUIRY and c.cdb[1] & 1 and c.cdb[2] == DESIGNATORS and not steps:
                    steps.append("asked")
                    return Later(go_on)
                if c.lun == address(2) and c.opcode == TEST_UNIT_READY and steps[-1:] == ["exchanged"]:
                    steps.append("told")
                    return check(6, 0x3f, 0x03)
                return None
            target.on_command = answer
            scan = threading.Thread(target=made.request, args=("scan", 60), daemon=True)
            scan.start()
            proc.wait_for("LUN 2 to be asked", lambda: steps)
            field.pause(0.5)  # LUN 1 has been asked by now
            other = exchange(target)
            steps.append("exchanged")
            go_on.set()
            proc.wait_for("the unit attention", lambda: steps[-1] == "told")
            field.pause(0.02)
            gets_nothing(paths[1], other)
            scan.join(30)


def told_by_a_neighbour(t):
    for key, asc, ascq in ((5, 0x3f, 0x03), (5, 0x25, 0x00), (6, 0x2a, 0x01), (6, 0x29, 0x03)):
        with t.case("a read of LUN 0 ends with %x/%02x/%02x; LUN 1 was exchanged" % (key, asc, ascq)):
            with started(t) as (target, _made, paths):
                left = [check(key, asc, ascq)]
                other = exchange(target)
                target.on_command = lambda c, left=left: left.pop() if left and c.lun == address(0) and c.opcode in READS else None
                field.read(paths[0], 65536).good(10)
                gets_nothing(paths[1], other)


def swapped(t):
    with t.case("two LUNs change places over a loss, and back: neither is written, both are claimed again"):
        with started(t) as (target, made, paths):
            a, b = target.units
            a.address, b.address = b.address, a.address
            target.hang_up()
            for io in [field.write(p, 0, field.block("W")) for p in paths]:
                io.bad(15)
            assert not a.disk.chunks and not b.disk.chunks
            a.address, b.address = b.address, a.address
            target.online()[0].event(0, LUNS_CHANGED)
            proc.wait_for("both to be claimed", lambda: all(d["sw_state"] == "CLAIMED" for d in made.tree("disk")), limit=10)
            for io in [field.write(p, 0, field.block("W")) for p in paths]:
                io.good(5)


def shrunk(t):
    with t.case("page 80h is not listed any more, 83h says the same; then 83h names another: it is another unit"):
        with started(t) as (target, _made, paths):
            unit = target.unit(1)
            unit.pages[PAGES] = bytes([PAGES, DESIGNATORS])
            target.hang_up()
            field.write(paths[1], 0, field.block("W")).good(10)
            other = exchange(target)
            other.serial = unit.serial
            target.hang_up()
            gets_nothing(paths[1], other)


def main():
    with tap.script() as t:
        for part in (flood, not_listed, heard_by_a_scan, told_by_a_neighbour, swapped, shrunk):
            part(t)


main()
