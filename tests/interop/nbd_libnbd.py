"""What libnbd's own tests ask of a server, asked of ours with libnbd: each case names the tests that it stands for (libnbd 1.14: tests/,
python/t/).  Those programs themselves run in libnbd_own.py, ./check --long."""
import errno
import sys
import threading

import proc
import tap
from fieldtgt import FieldTarget, Later
from fieldunit import FLUSHES, READS, UNMAP, Unit
from initiator import Initiator

sys.path.insert(0, "/usr/lib/python3/dist-packages")  # where Debian has it, whatever python3 this is; and not nbd.py beside this
try:
    import nbd
except ImportError:
    nbd = None
del sys.path[0]

KIB, MIB = 1 << 10, 1 << 20
SIZE = 32 * MIB


def connected(path, *set_up, strict=True):
    """A client; set_up: (method, words...).  strict: libnbd itself refuses what the server has not offered."""
    h = nbd.NBD()
    if not strict:
        h.set_strict_mode(0)
    for method, *words in set_up:
        getattr(h, method)(*words)
    h.connect_unix(path)
    return h


def fails(number, f, *words, **more):
    try:
        f(*words, **more)
    except nbd.Error as e:
        assert e.errnum == number, "errno %s, not %s: %s" % (e.errno, errno.errorcode.get(number), e.string)
        return e.string
    raise AssertionError("it does not fail")


def refused(f, *words):
    try:
        f(*words)
    except nbd.Error:
        return
    raise AssertionError("it does not fail")


def negotiation(t, path, name):
    with t.case("opt-list, opt-info, opt-abort, 210, 220, 230: a client asks, is told, and need not have the disk"):
        h = connected(path, ("set_opt_mode", True))
        found = []
        assert h.aio_is_negotiating() and h.get_protocol() == "newstyle-fixed" and h.get_structured_replies_negotiated()
        assert h.opt_list(lambda n, text: found.append((n, text))) == 1 and found == [(name, "")], found
        refused(h.get_size)
        h.opt_info()
        assert h.get_size() == SIZE and not h.is_read_only()
        for wrong in ("another", "x" * 4096):
            h.set_export_name(wrong)
            refused(h.opt_info)
            refused(h.get_size)
            refused(h.opt_go)
            assert h.aio_is_negotiating()
        h.set_export_name(name)
        h.set_full_info(True)
        h.opt_go()
        assert h.get_size() == SIZE and h.get_canonical_export_name() == name and h.aio_is_ready()
        fails(errno.EINVAL, h.opt_info)
        h.shutdown()
        h = connected(path, ("set_opt_mode", True))
        h.opt_abort()
        assert h.aio_is_closed()
    with t.case("opt-list-meta, 240, meta-base-allocation: who asks for what blocks there are is told that nothing is known, and goes on"):
        h = connected(path, ("set_opt_mode", True), ("add_meta_context", nbd.CONTEXT_BASE_ALLOCATION), strict=False)
        fails(errno.ENOTSUP, h.opt_list_meta_context, lambda _: None)
        h.opt_go()
        assert not h.can_meta_context(nbd.CONTEXT_BASE_ALLOCATION)
        refused(h.block_status, 4096, 0, lambda *_: 0)
        assert h.pread(512, 0) == bytes(512)
        h.shutdown()
    with t.case("newstyle-limited: a client without fixed newstyle, or that wants the zeros, has its disk"):
        for flags in (0, nbd.HANDSHAKE_FLAG_FIXED_NEWSTYLE, nbd.HANDSHAKE_FLAG_FIXED_NEWSTYLE | nbd.HANDSHAKE_FLAG_NO_ZEROES):
            h = connected(path, ("set_handshake_flags", flags), ("set_export_name", name))
            assert h.get_size() == SIZE and h.pread(512, 0) == bytes(512)
            assert h.get_protocol() == ("newstyle-fixed" if flags else "newstyle")
            h.shutdown()


def flags(t, thin, locked):
    with t.case("can-*-flag, read-only-flag, read-write-flag: what the disk can do"):
        h = connected(thin)
        assert h.can_flush() and h.can_fua() and h.can_trim() and h.can_zero() and h.can_multi_conn() and h.can_df() and not h.is_read_only()
        assert not (h.can_cache() or h.can_fast_zero() or h.is_rotational())
        sizes = [h.get_block_size(kind) for kind in (nbd.SIZE_MINIMUM, nbd.SIZE_PREFERRED, nbd.SIZE_MAXIMUM)]
        assert sizes == [1, 4096, 4 * MIB], sizes
        h = connected(thin, ("set_request_structured_replies", False))
        assert not h.can_df() and not h.get_structured_replies_negotiated() and h.pread(512, 0) == bytes(512)
        h = connected(locked)
        assert h.is_read_only() and not (h.can_trim() or h.can_zero() or h.can_fua())
    with t.case("errors-*-unadvertised-cmd: what a write protected disk has not offered is EPERM, and the connection goes on"):
        h = connected(locked, strict=False)
        for f in ((h.pwrite, bytes(512), 0), (h.trim, 512, 0), (h.zero, 512, 0)):
            fails(errno.EPERM, *f)
        assert h.pread(512, 0) == bytes(512)


def errors(t, path, target, unit):
    with t.case("errors-server-*: what no request may be is EINVAL, what is beyond the end ENOSPC where it is written, and the connection goes on"):
        h = connected(path, strict=False)
        before = len(target.commands())
        for f in ((h.pread, 512, (1 << 63) - 512), (h.pread, 512, SIZE), (h.pread, 1024, SIZE - 512), (h.pread, 0, 0), (h.pwrite, b"", 0),
                  (h.trim, 0, 0), (h.trim, 1024, SIZE - 512), (h.cache, 512, 0), (h.pread, 512, 0, 0x8000), (h.pwrite, bytes(512), 0, nbd.CMD_FLAG_DF),
                  (h.zero, 512, 0, nbd.CMD_FLAG_FAST_ZERO), (h.flush, 0x8000)):
            fails(errno.EINVAL, *f)
        for f in ((h.pwrite, bytes(1024), SIZE - 512), (h.zero, 1024, SIZE - 512)):
            fails(errno.ENOSPC, *f)
        assert len(target.commands()) == before, target.log[before:]
        assert h.pread(512, 0) == bytes(512)
    with t.case("errors-*-oversize: more than the most is EINVAL, whether data follows or not, and the connection goes on"):
        for f, n in ((h.pread, 4 * MIB + 512), (h.pread, 16 * MIB), (h.pwrite, 4 * MIB + 512), (h.pwrite, 16 * MIB)):
            fails(errno.EINVAL, f, n if f == h.pread else b"x" * n, 0)
        assert h.pread(4 * MIB, 0) == bytes(4 * MIB)
        h.pwrite(b"y" * 4 * MIB, 0)
        assert unit.disk.read(0, 4 * MIB) == b"y" * 4 * MIB
    with t.case("what is not of whole blocks is done, too, with libnbd's leave"):
        h = connected(path)
        h.pwrite(b"abc", 510)
        assert h.pread(5, 509) == b"yabcy" and unit.disk.read(509, 5) == b"yabcy"
        h.zero(3, 511)
        assert unit.disk.read(509, 6) == b"ya\0\0\0y"
        h.shutdown()


def data(t, path, target, unit):
    with t.case("400, 410, pread-initialize, 405, errors-pread-structured: what is written is read, in chunks or without"):
        h = connected(path)
        content = bytes(range(256)) * 256
        h.pwrite(content, 64 * KIB)
        h.pwrite(content, 128 * KIB, nbd.CMD_FLAG_FUA)
        chunks = []
        for more in (0, nbd.CMD_FLAG_DF):
            got = h.pread_structured(len(content), 64 * KIB, lambda part, at, what, _: chunks.append((bytes(part), at, what)), more)
            assert got == content
        assert chunks == [(content, 64 * KIB, nbd.READ_DATA)] * 2
        assert connected(path, ("set_request_structured_replies", False)).pread(len(content), 128 * KIB) == content
    with t.case("flush, trim and zero are the unit's"):
        for f, opcodes in ((h.flush, FLUSHES), (lambda: h.trim(64 * KIB, 64 * KIB), (UNMAP,))):
            before = len(target.commands(opcodes))
            f()
            assert len(target.commands(opcodes)) > before
        h.zero(4096, 128 * KIB, nbd.CMD_FLAG_NO_HOLE)
        assert unit.disk.read(128 * KIB, 8192) == bytes(4096) + content[4096:8192] and unit.disk.read(64 * KIB, 64 * KIB) == bytes(64 * KIB)
    with t.case("multi-conn: a flush of one connection is one of all, and each reads what the others wrote"):
        clients = [connected(path) for _ in range(8)]
        for i, c in enumerate(clients):
            c.pwrite(bytes([i]) * 4096, MIB + i * 4096)
        clients[3].flush()
        expected = b"".join(bytes([i]) * 4096 for i in range(len(clients)))
        assert unit.disk.read(MIB, len(expected)) == expected
        assert all(c.pread(len(expected), MIB) == expected for c in clients)
        for c in clients:
            c.shutdown()


def many(t, path, target, made):
    with t.case("aio-parallel, 500, 505, 510, 590: many requests under way at once, each with its own answer"):
        h = connected(path)
        for wave in range(4):
            answered = []
            for i in range(64):
                h.aio_pwrite(nbd.Buffer.from_bytearray(bytearray([wave * 64 + i & 255]) * 4096), 2 * MIB + i * 4096,
                             completion=lambda error, i=i: answered.append((i, error.value)) or 1)
            while h.aio_in_flight():
                h.poll(-1)
            assert sorted(answered) == [(i, 0) for i in range(64)], answered
            buffers = [nbd.Buffer(4096) for _ in range(64)]
            for i, b in reversed(list(enumerate(buffers))):
                h.aio_pread(b, 2 * MIB + i * 4096, completion=lambda _: 1)
            while h.aio_in_flight():
                h.poll(-1)
            assert [b.to_bytearray()[0] for b in buffers] == [wave * 64 + i & 255 for i in range(64)]
    with t.case("shutdown-flags, errors-multiple-disconnects: what was asked for before a client leaves is answered, and what is behind it is not"):
        answered = []
        for i in range(16):
            h.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(b"z" * 4096)), 3 * MIB + i * 4096,
                         completion=lambda error: answered.append(error.value) or 1)
        h.shutdown()
        assert answered == [0] * 16 and h.aio_is_closed(), answered
        refused(h.pread, 512, 0)
        h = connected(path)
        h.aio_pread(nbd.Buffer(512), 3 * MIB, completion=lambda error: answered.append(error.value) or 1)
        h.shutdown(nbd.SHUTDOWN_ABANDON_PENDING)
        assert h.aio_is_closed() and len(answered) == 17
    with t.case("server-death: where the session is closed by force, what is under way fails, and the client is told"):
        h, may = connected(path), threading.Event()
        target.on_command = lambda command: Later(may) if command.is_read else None
        try:
            h.aio_pread(nbd.Buffer(512), 0, completion=lambda error: answered.append(error.value) or 1)
            proc.wait_for("the target to be asked", lambda: h.poll(0) != -1 and target.commands(READS)[-1:])
            made.request("session.logout", instance=made.request("session.list")["sessions"][0]["instance"], force=True)
            while h.aio_in_flight():
                h.poll(1000)
        finally:
            may.set()
            target.on_command = lambda _: None
        assert answered[17:] and answered[17] != 0, answered
        refused(h.pread, 512, 0)


def main():
    with tap.script() as t:
        if nbd is None:
            raise tap.Skip("libnbd's Python module is not installed")
        thin, locked = Unit(0, "thin", is_thin=True), Unit(1, "locked")
        thin.has_write_cache = locked.is_write_protected = True
        with FieldTarget([thin, locked]) as target, Initiator("libnbd") as made:
            t.show_on_failure(made)
            made.command("iscsiutil", "-t", "Exporter", "nbd")
            made.discover(target)
            made.command("insf", "-H", "255")
            paths = [proc.wait_for("the socket of LUN %d" % lun, lambda: made.disk("field", lun).get("nbd"), limit=10) for lun in (0, 1)]
            negotiation(t, paths[0], paths[0].rsplit("/", 1)[1])
            flags(t, *paths)
            errors(t, paths[0], target, thin)
            data(t, paths[0], target, thin)
            many(t, paths[0], target, made)


main()
