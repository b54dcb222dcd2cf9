"""What a target with very many logical units costs, and that others are served beside it."""
import sys
import time

import proc
import tap
from cost import Cost
from fieldtgt import FieldTarget
from fieldunit import Unit
from initiator import Initiator


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1024
    with tap.script() as t, Initiator() as initiator:
        t.show_on_failure(initiator)
        target = FieldTarget([Unit(i, "U%05d" % i) for i in range(n)])
        by_lun = {u.address: u for u in target.units}
        target.on_command = lambda c: by_lun[c.lun].execute(c.cdb, c.data) if c.lun in by_lun and c.opcode != 0xa0 else None
        with t.case("%d units of one target: others wait little, and each costs little" % n, 280):
            with Cost(initiator) as cost:
                result = initiator.discover(target, limit=250)
            t.comment("%s; %s" % (result["luns"], cost))
            assert result["luns"] == {"claimed": n, "unclaimed": 0}, result
            assert cost.memory_mib < 8 + n * 0.06 and cost.wait < 1, cost
            assert cost.log_bytes < 100000 and cost.event_bytes < 50000, cost
        with t.case("lists of them come whole"):
            for op, member in (("io.tree", "nodes"), ("stats.get", "sessions")):
                begin = time.monotonic()
                with Cost(initiator) as cost:
                    got = initiator.request(op, sessions=True) if op == "stats.get" else initiator.request(op)
                size = len(got[member]) if op == "io.tree" else sum(len(s.get("luns", [])) for s in got[member])
                t.comment("%s: %d in %.2f s; %s" % (op, size, time.monotonic() - begin, cost))
                assert size >= n and cost.memory_mib < 16 + n * 0.01, cost


main()
