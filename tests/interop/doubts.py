"""Whatever casts doubt on who a unit is has it asked before the next write goes out: a reconnect, unit attentions of its own
or of a neighbour, LOGICAL UNIT NOT SUPPORTED, asynchronous events, a scan.  Each doubt is a target of its own."""
import field
import proc
import tap
from fieldtgt import FieldTarget
from fieldunit import INQUIRY, READS, Unit, address, sense

PREFIX = "iqn.2026-11.org.example:"
LUNS_CHANGED = sense(6, 0x3f, 0x0e)


def attention(lun, key, asc, ascq):
    def cast(_made, target, paths):
        for c in of(target):
            c.attentions[address(lun)] = [sense(key, asc, ascq)]
        field.read(paths[lun], 65536).wait(10)
    return cast


def event(asc_sense, code=0):
    def cast(_made, target, _paths):
        before = questions(target)
        for c in of(target):
            c.event(code, asc_sense, address(0))
        try:
            proc.wait_for("a question", lambda: questions(target) > before, limit=3)
        except proc.Failed:
            pass  # it casts no doubt; the write will tell
    return cast


def questions(target):
    return sum(c.connection.name == target.doubted for c in target.commands((INQUIRY,), 1))


def gone(lun):
    """A read finds nobody there."""
    def cast(_made, target, paths):
        units = target.targets[target.doubted]
        away = [u for u in units if u.address == address(lun)]
        before = reads(target, lun)
        units.remove(away[0])
        io = field.read(paths[lun], 65536)
        proc.wait_for("the read to come", lambda: reads(target, lun) > before)
        units.append(away[0])
        io.wait(20)
    return cast


def reads(target, lun):
    return sum(c.connection.name == target.doubted for c in target.commands(READS, lun))


def reconnect(_made, target, _paths):
    before = target.count("online")
    for c in of(target):
        c.hang_up()
    proc.wait_for("a new login", lambda: target.count("online") > before)


def scan(made, _target, _paths):
    made.request("scan", 60)


def of(target):
    return [c for c in target.online() if c.name == target.doubted]


DOUBTS = {
    "a reconnect": reconnect,
    "power on, reset": attention(1, 6, 0x29, 0x00),
    "I_T nexus loss": attention(1, 6, 0x29, 0x07),
    "inquiry data changed": attention(1, 6, 0x3f, 0x03),
    "reported LUNs data changed": attention(1, 6, 0x3f, 0x0e),
    "capacity data changed": attention(1, 6, 0x2a, 0x09),
    "device identifier changed": attention(1, 6, 0x3f, 0x05),
    "power on of a neighbour": attention(0, 6, 0x29, 0x00),
    "inquiry data of a neighbour": attention(0, 6, 0x3f, 0x03),
    "reported LUNs, told by a neighbour": attention(0, 6, 0x3f, 0x0e),
    "no such unit": gone(1),
    "no such unit, for a neighbour": gone(0),
    "an asynchronous event": event(LUNS_CHANGED),
    "a scan": scan,
}


def main():
    with tap.script() as t:
        target = FieldTarget()
        names = {doubt: PREFIX + "d%d" % i for i, doubt in enumerate(DOUBTS)}
        target.targets = {name: [Unit(0, name + "/0"), Unit(1, name + "/1")] for name in names.values()}
        with target, field.world(t, target, ReplacementTimeout=4) as made:
            paths = {d["target_name"]: {} for d in made.tree("disk")}
            for d in made.tree("disk"):
                paths[d["target_name"]][d["lun"]] = d["file"]
            for doubt, cast in DOUBTS.items():
                name = target.doubted = names[doubt]
                with t.case("%s: another unit gets no write, the same one all of them" % doubt, 90), \
                        open(paths[name][1], "rb", buffering=0):  # a scan may give a disk that nobody uses to another unit
                    cast(made, target, paths[name])
                    field.write(paths[name][1], 0, field.block("1st")).good(20)
                    mine, other = target.targets[name][1], Unit(1, name + "/other")
                    mine, = [u for u in target.targets[name] if u.address == address(1)]
                    target.targets[name].remove(mine)
                    target.targets[name].append(other)
                    cast(made, target, paths[name])
                    field.write(paths[name][1], 0, field.block("2nd")).bad(20)
                    assert not other.disk.chunks, "the other unit holds %r" % other.disk.read(0, 16)
                    assert mine.disk.read(0, 3) == b"1st"


main()
