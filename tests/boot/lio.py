"""LIO in User Mode Linux, one unit in two portal groups: portals that fail, target port groups that change, and persistent reservations,
under load; ./check --vm.  OPENISW_CYCLES: instead of 50 times each; OPENISW_KERNELS: see uml.py."""
import contextlib
import json
import os
import struct
import sys

import box
import field
import fieldpaths
import proc
import tap
from fieldfiles import Files
from fieldpaths import NON_OPTIMIZED, OPTIMIZED, STANDBY, UNAVAILABLE, Writers
from initiator import Initiator, have_fuse, have_loop
from netkill import NetKill
from uml import Uml, kernel

TARGET = "/sys/kernel/config/target/iscsi/iqn.2026-11.org.example:lio"
DISK = "/sys/kernel/config/target/core/fileio_0/disk"
ADDRESS = {1: "10.99.0.2", 2: "10.99.0.3"}  # of each portal group
TIMES = int(os.environ.get("OPENISW_CYCLES", "50"))
MIB = 1 << 20
# What is promised for how long a request may wait, and room for a busy machine.
RESET_S, PING_S, FLIP_S, SLACK_S = 0.1, 2.0, 1.0, 2.0
LIMITS = {"NOPInterval": 1, "NOPTimeout": 1, "Failback": "immediate"}
# The file system has the first of the disk's 128 MiB.  Each writer has so many blocks that none comes again while an older write to it
# may still be executed.
FILES, BLOCKS = 48 * MIB, 4000
KEY, OTHER = 0x1122334455667788, 0x99
OK, CHECK, CONFLICT = 0, 12, 13
# The network is wanted: the guest's kernel.
box.NAMESPACES = [word for word in box.NAMESPACES if word != "--net"]


class Lio(Uml):
    def __init__(self):
        super().__init__("tap0", "lio.sh", "10.99.0.1/24")

    def knows(self, name):
        """This initiator by its name, so that it is counted by itself."""
        for group in ADDRESS:
            at = "%s/tpgt_%d/acls/%s/lun_0" % (TARGET, group, name)
            self.do("mkdir -p %s; ln -s %s/tpgt_%d/lun/lun_0 %s/disk" % (at, TARGET, group, at))

    def counted(self, group, name):
        """(all commands of that initiator that came to this portal group, the MiB that they were to read and write); whatever became of them."""
        at = "%s/tpgt_%d/acls/%s/lun_0/statistics/scsi_auth_intr" % (TARGET, group, name)
        commands, *mib = [int(n) for n in self.do("cat %s/{num_cmds,read_mbytes,write_mbytes}" % at)[-3:]]
        return commands, sum(mib)

    def become(self, group, state):
        self.do("echo %d >%s/alua/group%d/alua_access_state" % (state, DISK, group))

    def state(self, group):
        return int(self.do("cat %s/alua/group%d/alua_access_state" % (DISK, group))[-1])

    def enable(self, group, on):
        self.do("echo %d >%s/tpgt_%d/enable" % (on, TARGET, group), 60)


def is_wanted(word):
    """Arguments: only these parts, and kinds of kills."""
    return not sys.argv[1:] or word in sys.argv[1:]


def states(made):
    unit, = made.request("path.list")["units"]
    return {p["group"]: p["state"] for p in unit["paths"]}


def wait_states(made, *wanted):
    proc.wait_for("the paths to be %s" % (wanted,), lambda: tuple(v for _, v in sorted(states(made).items())) == wanted, limit=60)


def paths_of(made):
    unit, = json.loads(made.command("iscsiutil", "-m", "--json").out)["units"]
    return unit["paths"]


def put_back(made):
    """Both serve, and are used: one that was lost again and again is put aside for longer each time."""
    wait_states(made, "active/optimized", "active/optimized")
    for p in paths_of(made):
        if not p["used"]:
            made.command("iscsiutil", "-m", "-S", p["session_instance"], "restore")
    proc.wait_for("both paths to be used", lambda: all(p["used"] for p in paths_of(made)))


def discover(made):
    made.command("iscsiutil", "-a", "-I", ADDRESS[1])
    made.request("scan", 60)
    proc.wait_for("two paths", lambda: len(states(made)) == 2)


def name_of(made):
    return next(line.split()[-1] for line in made.command("iscsiutil", "-l").out.splitlines() if line.startswith("Initiator Name"))


def disk(made):
    return made.tree("disk")[0]["file"]


def found(t, lio, made):
    with t.case("both portal groups are one disk, each path with its target port group"):
        lio.knows(name_of(made))
        discover(made)
        assert states(made) == {1: "active/optimized", 2: "active/optimized"}, states(made)
        assert len(made.tree("disk")) == 1 and len(made.tree("lunpath")) == 1
    with t.case("each state that the target can be in is seen"):
        for state, word in ((STANDBY, "standby"), (UNAVAILABLE, "unavailable"), (NON_OPTIMIZED, "active/non-optimized"), (OPTIMIZED, "active/optimized")):
            lio.become(2, state)
            wait_states(made, "active/optimized", word)


def scsi(made, command, *words, ok=(OK,)):
    to = () if "-S" in words else ("--unit", os.path.basename(disk(made)))
    return made.command("iscsiutil", "--scsi", command, *to, *words, ok=ok, limit=60)


def write_by_hand(made, session, ok=(OK,)):
    """A block, over that session's path."""
    path = os.path.join(box.directory(), "block")
    with open(path, "wb") as f:
        f.write(bytes(512))
    return scsi(made, "2a 00 00 01 00 00 00 00 01 00", "-S", session, "--lun", 0, "--data", path, ok=ok)


def hear(made):
    """Each path tells first what is new, until nothing is."""
    for session in (0, 1):
        proc.wait_for("no news", lambda s=session: scsi(made, "tur", "-S", s, "--lun", 0, ok=(OK, CHECK)).code == OK)


def by_configfs(lio, _other, idle, serves):
    lio.become(idle, OPTIMIZED)
    lio.become(serves, STANDBY)


def by_command(_lio, other, idle, serves):
    """SET TARGET PORT GROUPS, from somebody else than who is to notice."""
    path = os.path.join(box.directory(), "groups")
    with open(path, "wb") as f:
        f.write(bytes(4) + struct.pack(">BxHBxH", OPTIMIZED, idle, STANDBY, serves))
    scsi(other, "a4 0a 00 00 00 00 00 00 00 0c 00 00", "--data", path)


def flip(lio, made, other, writers, change, idle, serves):
    """One change of places under load; (how long the longest request took, how many commands came to the standby group before it).

    All requests are of 1 MiB, and LIO counts the MiB that each command is for when it comes: one to the standby group is seen."""
    writers.go_on()
    (questions, mib), done = lio.counted(idle, name_of(made)), lio.counted(serves, name_of(made))[1]
    writers.go_on(2)
    after = lio.counted(idle, name_of(made))
    assert after[1] == mib, "%d MiB were to be moved through a standby group" % (after[1] - mib)
    assert writers.errors or lio.counted(serves, name_of(made))[1] > done + 2 * writers.n, "LIO counts nothing"
    writers.longest = 0.0
    change(lio, other, idle, serves)
    wait_states(made, *(("standby", "active/optimized") if serves == 1 else ("active/optimized", "standby")))
    writers.go_on()
    return writers.longest, after[0] - questions


def flips(t, lio, made, other):
    for change, how in ((by_configfs, "by the target's operator"), (by_command, "by SET TARGET PORT GROUPS")):
        with t.case("groups change places %d times %s, under load: no error, no wrong byte, not one read or write to a standby group" % (
                TIMES, how), 60 + 15 * TIMES):
            lio.become(2, STANDBY)
            wait_states(made, "active/optimized", "standby")
            with Writers(disk(made), blocks=8, size=MIB, start=FILES) as writers:
                took, questions = zip(*[flip(lio, made, other, writers, change, *((2, 1) if i % 2 == 0 else (1, 2))) for i in range(TIMES)])
            writers.check()
            t.comment("%d reads and writes; %d questions came to standby groups" % (2 * writers.done, sum(questions)))
            for group in ADDRESS:
                lio.become(group, OPTIMIZED)
            wait_states(made, "active/optimized", "active/optimized")
            fieldpaths.told(t, "groups that change places", list(took), FLIP_S, SLACK_S)


def lost(made, group):
    proc.wait_for("the loss", lambda: states(made)[group] == "failed", limit=60)


class Disabled:
    """The target's operator takes the portal group away: logins are refused by the target."""

    def __init__(self, lio):
        self.lio = lio

    def kill(self, group):
        self.lio.enable(group, False)

    def mend(self, group):
        self.lio.enable(group, True)


class Wire:
    """What the network does with a portal's packets."""

    def __init__(self, net, how):
        self.net, self.how = net, how

    def kill(self, group):
        self.net.kill(self.how, ADDRESS[group])

    def mend(self, group):
        self.net.mend(ADDRESS[group])


def kills(t, lio, made):
    net = NetKill(3260)
    # What is done, how, whether it is mended before anything has gone over the other path, and what is promised.
    for what, how, soon, bound in (("silent", Wire(net, "silent"), False, PING_S), ("reset", Wire(net, "refusing"), True, RESET_S),
                                   ("refused", Wire(net, "refusing"), False, RESET_S), ("disabled", Disabled(lio), False, RESET_S)):
        if not is_wanted(what):
            continue
        with t.case("a portal is %s %d times, in turn, under load and below a file system: no error, no wrong byte" % (what, TIMES), 120 + 30 * TIMES):
            took, quiet = [], []
            with contextlib.ExitStack() as stack:
                files = None
                if have_loop():
                    made.command("insf", "-e")
                    files = stack.enter_context(Files(made.tree("disk")[0]["block"], os.path.join(box.directory(), "mnt"), FILES))
                writers = stack.enter_context(Writers(disk(made), blocks=BLOCKS, start=FILES))
                for i in range(TIMES):
                    group = 1 + i % 2
                    writers.longest = 0.0
                    writers.go_on(5)
                    quiet.append(writers.longest)
                    writers.longest = 0.0
                    how.kill(group)
                    lost(made, group)
                    if not soon:
                        writers.go_on(5)
                    how.mend(group)
                    put_back(made)
                    writers.go_on()
                    took.append(writers.longest)
            writers.check()
            t.comment("%d reads and writes; the longest while nothing was done took %.2f s" % (2 * writers.done, max(quiet)))
            if files:
                files.check()
                t.comment("%d files were written and synced, the longest fsync took %.2f s" % (files.written, files.longest))
            fieldpaths.told(t, what, took, bound, SLACK_S)


def registrations(made):
    """The keys that are registered, one for each initiator's port and target's port."""
    return sorted(line.split()[-1] for line in scsi(made, "pr-keys").out.splitlines() if "0x" in line)


def reservations(t, lio, made, other):
    mine, others = "%#018x" % KEY, "%#018x" % OTHER
    net, path = NetKill(3260), disk(made)
    for one in (made, other):
        hear(one)
    with t.case("a key is registered over both paths, and the unit reserved: another initiator sees it over each of its own, and is kept out", 120):
        scsi(made, "pr-register %#x" % KEY)
        scsi(made, "pr-reserve %#x write-exclusive-registrants" % KEY)
        for session in (0, 1):
            keys = scsi(other, "pr-keys", "-S", session, "--lun", 0).out
            assert keys.count(mine) == 2, keys
            held = scsi(other, "pr-reservation", "-S", session, "--lun", 0).out
            assert mine in held, held
            refused = write_by_hand(other, session, ok=(CONFLICT,))
            assert mine in refused.err, refused
        field.write(disk(other), 0, field.block("other")).bad(30, "EIO")
    with t.case("who has reserved it writes over each path, also while the other one is gone", 120):
        for group in ADDRESS:
            with Writers(path, blocks=BLOCKS, start=FILES) as writers:
                writers.go_on()
                net.kill("silent", ADDRESS[group])
                lost(made, group)
                writers.go_on(5)
                field.write(path, 0, field.block("held %d" % group)).good(30)
                net.mend(ADDRESS[group])
                put_back(made)
                proc.wait_for("the other initiator, too", lambda: set(states(other).values()) == {"active/optimized"}, limit=60)
            writers.check()
            assert scsi(other, "pr-keys").out.count(mine) == 2
            field.write(disk(other), 0, field.block("other")).bad(30, "EIO")
            assert field.read(disk(other)).good(10).got == field.block("held %d" % group)
    with t.case("the other initiator preempts: both keys are gone, writes fail over each path, and no key comes back by itself", 120):
        scsi(other, "pr-register %#x" % OTHER)
        scsi(other, "pr-preempt %#x %#x write-exclusive-registrants" % (OTHER, KEY))
        keys = scsi(other, "pr-keys").out
        assert mine not in keys and keys.count(others) == 2, keys
        hear(made)
        for session in (0, 1):
            write_by_hand(made, session, ok=(CONFLICT,))
        field.write(path, 0, field.block("mine")).bad(30, "EIO")
        made.request("session.renew", limit=60)
        put_back(made)
        assert mine not in scsi(other, "pr-keys").out
        field.write(disk(other), 0, field.block("other")).good(10)
    with t.case("a clear takes all of it away: both write again, and see the same", 120):
        scsi(other, "pr-clear %#x" % OTHER)
        hear(made)
        assert " 0 keys" in scsi(made, "pr-keys").out
        for writes, reads, text in ((made, other, "mine again"), (other, made, "the other's")):
            field.write(disk(writes), 0, field.block(text)).good(30)
            assert field.read(disk(reads)).good(10).got == field.block(text)


def chosen(t, lio, made, _other):
    with t.case("all groups are standby: what waits has one asked to become active, by SET TARGET PORT GROUPS", 120):
        for group in ADDRESS:
            lio.become(group, STANDBY)
        wait_states(made, "standby", "standby")
        io = field.write(disk(made), 0, field.block("set"))
        io.good(60)
        assert OPTIMIZED in (lio.state(1), lio.state(2)), (lio.state(1), lio.state(2))
        assert field.read(disk(made)).good(10).got == field.block("set")
        assert io.took < 10, io.took


@contextlib.contextmanager
def second(t):
    """Another initiator at the same disk."""
    with Initiator("other") as other:
        t.show_on_failure(other)
        for key, value in LIMITS.items():
            other.command("iscsiutil", "-t", key, value)
        discover(other)
        yield other


def main():
    with tap.script() as t:
        if not box.isolated() or not have_fuse() or not os.path.exists("/dev/net/tun"):
            raise tap.Skip("root, namespaces, FUSE and tap devices are needed")
        kernel()
        box.own_network()
        lio = Lio()
        try:
            with field.initiator(t, **LIMITS) as made:
                found(t, lio, made)
                with second(t) as other:
                    for part in (flips, reservations, chosen):
                        if is_wanted(part.__name__):
                            part(t, lio, made, other)
                for group in ADDRESS:
                    lio.become(group, OPTIMIZED)
                put_back(made)
                kills(t, lio, made)
        finally:
            lio.end()


if __name__ == "__main__":
    main()
