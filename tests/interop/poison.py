"""A command that ends its connection every time fails alone; whoever shares the session with it goes on."""
import field
import proc
import tap
from fieldtgt import DROP, RESET, FieldTarget, Rejected
from fieldunit import FLUSHES, READS, WRITES, Unit, extent

POISONED = 2048  # the block
TRIES = 5
HOW = {"hangs up": DROP, "resets the connection": RESET, "rejects it": Rejected(5), "rejects it as a protocol error": Rejected(4)}


class Poisoned:
    """A target with two units that has one answer to some commands of unit 0."""

    def __init__(self, how, is_poison):
        self.target = FieldTarget([Unit(0, "A"), Unit(1, "B")])
        self.how, self.is_poison, self.sent = how, is_poison, 0

    def answer(self, command):
        if command.lun != bytes(8) or not self.is_poison(command):
            return None
        self.sent += 1
        return self.how


def touches(command, opcodes, block=POISONED):
    return command.opcode in opcodes and extent(command.cdb)[0] <= block < sum(extent(command.cdb))


def alone(t, made, p, poison, paths):
    """The poison fails, everybody else comes through while it does."""
    innocent = [field.write(paths[0], 4096 * 512, field.block("i0")), field.read(paths[0], 0),
                field.write(paths[1], 0, field.block("i1")), field.read(paths[1], 65536), field.Io(paths[1], "flush")]
    poison.bad(30)
    for io in innocent:
        io.good(10)
    assert p.sent <= TRIES, "it was sent %d times" % p.sent
    assert p.target.unit(0).disk.read(4096 * 512, 2) == b"i0"
    field.write(paths[0], 0, field.block("on")).good(10)


def main():
    with tap.script() as t:
        for what, how in HOW.items():
            with t.case("a write at which the target %s" % what, 90):
                p = Poisoned(how, lambda c: touches(c, WRITES))
                p.target.on_command = p.answer
                with p.target, field.world(t, p.target) as made:
                    paths = [field.path(made, lun) for lun in (0, 1)]
                    alone(t, made, p, field.write(paths[0], POISONED * 512, field.block("p")), paths)
        with t.case("a read at which the target hangs up", 90):
            p = Poisoned(DROP, lambda c: touches(c, READS))
            with p.target, field.world(t, p.target) as made:
                p.target.on_command = p.answer
                paths = [field.path(made, lun) for lun in (0, 1)]
                alone(t, made, p, field.read(paths[0], POISONED * 512), paths)
        with t.case("a flush at which the target hangs up", 90):
            p = Poisoned(DROP, lambda c: c.opcode in FLUSHES)
            with p.target, field.world(t, p.target) as made:
                p.target.on_command = p.answer
                paths = [field.path(made, lun) for lun in (0, 1)]
                field.write(paths[0], 0, field.block("before")).good(10)
                alone(t, made, p, field.Io(paths[0], "flush"), paths)
        with t.case("three poisoned writes at once, and a neighbour's poison: each fails, nobody else", 120):
            p = Poisoned(DROP, lambda c: any(touches(c, WRITES, b) for b in (POISONED, 6000, 9000)))
            with p.target, field.world(t, p.target) as made:
                p.target.on_command = p.answer
                paths = [field.path(made, lun) for lun in (0, 1)]
                poison = [field.write(paths[0], b * 512, field.block("p")) for b in (POISONED, 6000, 9000)]
                innocent = [field.write(paths[k % 2], (16384 + k) * 4096 // 8, field.block("i")) for k in range(0, 80, 8)]
                for io in poison:
                    io.bad(60)
                for io in innocent:
                    io.good(20)
                assert p.sent <= 3 * TRIES, p.sent
        with t.case("connections that end without anybody's fault cost nobody his tries", 90), FieldTarget() as target:
            with field.world(t, target) as made:
                path = field.path(made)
                target.on_command = lambda c: "silent" if c.opcode in WRITES else None
                io = field.write(path, 0, field.block("x"))
                for _ in range(7):  # the target is switched off and on: it was down for a while
                    proc.wait_for("the write to come", lambda: any(c.is_online for c in target.connections))
                    target.stop()
                    field.pause(0.3)
                    target.again()
                    before = target.logins
                    proc.wait_for("a login", lambda: target.logins > before, limit=30)
                target.on_command = lambda _: None
                target.hang_up()
                io.wait(30)


main()
