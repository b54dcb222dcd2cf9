"""gdb commands for a core file of iscsi_driverd, or the living process: what the guide's scripts for Q4 were for.

  isw sessions              each session: state, target, address, its connection, requests
  isw connections [S]       command and status numbers, windows, tasks that the target has
  isw units [S]             each disk: state, what it was told, requests by where they stand
  isw requests [DISK]       each request: what, where it stands, for how long, how often it was tried
  isw counters [S]          what was counted, and is not zero
  isw trace S               the last PDU headers of a session, oldest first

S is a session's number, DISK a name as c0t0d1.  The program's debugging symbols are needed (package openisw-dbgsym), and
"set print elements 0" is not: nothing here prints a secret, nor data.
"""
import gdb


def entries(head, type_name, member):
    """The structures on an intrusive list (base/list.h); one that is damaged ends, and is told."""
    kind = gdb.lookup_type(type_name)
    offset = next(f.bitpos // 8 for f in kind.fields() if f.name == member)
    node, seen = head["next"], set()
    while int(node) != int(head.address):
        if int(node) in seen or len(seen) > 1000000:
            print("(the list of %s at 0x%x does not end)" % (type_name, int(head.address)))
            return
        seen.add(int(node))
        try:
            following = node["next"]
            found = gdb.Value(int(node) - offset).cast(kind.pointer()).dereference()
            found.fetch_lazy()
        except gdb.MemoryError:
            print("(the list of %s at 0x%x leads to no memory)" % (type_name, int(head.address)))
            return
        yield found
        node = following


def word(value, prefix):
    """An enumerator without its prefix, or the number that is none."""
    text = str(value)
    return text[len(prefix):] if text.startswith(prefix) else text


def text(value):
    """A C string in an array, made visible."""
    raw = value.string("latin-1", "replace") if value.type.code == gdb.TYPE_CODE_PTR else \
        bytes(int(value[i]) & 0xff for i in range(value.type.range()[1] + 1)).split(b"\0", 1)[0].decode("latin-1")
    return "".join(c if 0x20 <= ord(c) < 0x7f else "\\x%02x" % ord(c) for c in raw)


def is_null(pointer):
    return int(pointer) == 0


def driver():
    try:
        return gdb.parse_and_eval("main::p.driver")
    except gdb.error:
        raise gdb.GdbError("there are no symbols of iscsi_driverd here: give gdb the program and its debugging symbols (openisw-dbgsym)")


def nexuses(number=None):
    """(instance, nexus, session)"""
    d, found = driver(), False
    for i in range(int(d["n_iothreads"])):
        for x in entries(d["iothreads"][i].dereference()["nexuses"], "struct nexus", "link"):
            if is_null(x["s"]):
                continue
            s = x["s"].dereference()
            if number is None or int(s["instance"]) == number:
                found = True
                yield int(s["instance"]), x, s
    if not found:
        print("there is no session" + ("" if number is None else " %d" % number))


def in_order(number=None):
    return sorted(nexuses(number), key=lambda row: row[0])


def now_us(s):
    """When the session's thread looked at its clock last."""
    return int(s["path"]["agenda"].dereference()["now_us"])


def ago(us, now):
    return "-" if int(us) == 0 else "%.3f s" % ((now - int(us)) / 1e6)


def units(s):
    """Those that have a path over the session."""
    return [lp["lu"].dereference() for lp in entries(s["units"], "struct lunpath", "link")]


def trouble(why):
    """The sentence of a fault that is kept, or ""."""
    return "" if is_null(why) else text(why["message"])


def address(s):
    a = s["a"]
    host, tag = text(a["host"]), "" if int(a["tpgt"]) < 0 else ",%d" % int(a["tpgt"])
    return "at %s:%d%s" % ("[%s]" % host if ":" in host else host, int(a["port"]), tag)


def is_first(s, u):
    """The unit's first path is this session's: what waits is told of there."""
    first = next(iter(entries(u["paths"], "struct lunpath", "mate")))
    return int(first["path"]) == int(s["path"].address)


def slots(s, unit=None):
    """The commands under way, of all units or of one."""
    pool = s["path"]["pool"].dereference()
    chunk, made = pool["chunk"], int(pool["made"])
    size = made if is_null(chunk[1]) else int(chunk[1][0]["number"])
    for i in range(made):
        io = chunk[i // size][i % size]
        if not is_null(io["blk"]) and (unit is None or int(io["lp"]["lu"]) == int(unit.address)):
            yield io


def waiting(s, u):
    """(where it stands, request)"""
    if not is_first(s, u):
        return
    for place in ("queue", "aside", "finished"):
        for r in entries(u[place], "struct blk_req", "link"):
            yield place, r


def under_way(s, u):
    seen = set()
    for io in slots(s, u):
        if int(io["blk"]) not in seen:
            seen.add(int(io["blk"]))
            yield "sent", io["blk"].dereference()


def number_of(argument):
    words = gdb.string_to_argv(argument)
    if len(words) > 1 or (words and not words[0].isdigit()):
        raise gdb.GdbError("give the number of one session, or nothing")
    return int(words[0]) if words else None


class Isw(gdb.Command):
    """What iscsi_driverd is at: sessions, connections, units, requests, counters, trace."""

    def __init__(self):
        super().__init__("isw", gdb.COMMAND_DATA, prefix=True)


class Sessions(gdb.Command):
    """isw sessions: each session's state, target and address, and how many units and requests it has."""

    def __init__(self):
        super().__init__("isw sessions", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        for number, _, s in in_order(number_of(argument)):
            sess, n = s["sess"], sum(1 for u in units(s) for _ in list(waiting(s, u)) + list(under_way(s, u)))
            conn = "none" if is_null(sess) or is_null(sess["conn"]) else word(sess["conn"]["state"], "CONN_S_")
            print("session %d  %s  %s  connection %s  units %d  requests %d  window %d  %s" % (
                number, word(s["state"], "SESSION_"), address(s), conn, len(units(s)), n, int(s["window"]), text(s["target"])))
            if trouble(s["last"]):
                print("  last trouble: " + trouble(s["last"]))


class Connections(gdb.Command):
    """isw connections [S]: numbers, windows, what the target has, of each session or of one."""

    def __init__(self):
        super().__init__("isw connections", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        for number, _, s in in_order(number_of(argument)):
            if is_null(s["sess"]) or is_null(s["sess"]["conn"]):
                print("session %d  no connection" % number)
                continue
            sess, c = s["sess"].dereference(), s["sess"]["conn"].dereference()
            print("session %d  cid %d  %s  CmdSN %d  ExpCmdSN %d  MaxCmdSN %d  ExpStatSN %d  TSIH %d  flow %s" % (
                number, int(c["cid"]), word(c["state"], "CONN_S_"), int(sess["cmd_sn"]), int(sess["exp_cmd_sn"]), int(sess["max_cmd_sn"]),
                int(c["exp_stat_sn"]), int(sess["tsih"]), word(c["flow"], "FLOW_")))
            print("  queued %d bytes, %d of them sent  digests: header %s, data %s  last heard %s ago" % (
                int(c["tx_queued"]), int(c["tx_sent"]), bool(c["header_digest"]), bool(c["data_digest"]), ago(c["last_rx_us"], now_us(s))))
            for t in entries(sess["active"], "struct task", "link"):
                r = t["req"].dereference()
                print("  ITT %08x  CmdSN %d  cdb %02x  %d bytes  asked %s ago%s" % (
                    int(t["itt"]), int(t["cmd_sn"]), int(r["cdb"][0]), int(r["data_len"]), ago(r["submit_us"], now_us(s)),
                    "  late" if t["timed_out"] else ""))


class Units(gdb.Command):
    """isw units [S]: each disk's state, and how many requests stand where."""

    def __init__(self):
        super().__init__("isw units", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        for number, _, s in in_order(number_of(argument)):
            for u in units(s):
                n = {place: 0 for place in ("queue", "aside", "finished", "sent")}
                for place, _ in list(waiting(s, u)) + list(under_way(s, u)):
                    n[place] += 1
                print("session %d  %s  %s  %d bytes in blocks of %d  waiting %d  set aside %d  sent %d  answered %d" % (
                    number, text(u["blk"]["name"]), word(u["state"], "LU_"), int(u["blk"]["size_bytes"]), int(u["blk"]["block_bytes"]),
                    n["queue"], n["aside"], n["sent"], n["finished"]))
                for lp in entries(u["paths"], "struct lunpath", "mate"):
                    if trouble(lp["why"]):
                        print("  path %d: %s" % (int(lp["index"]), trouble(lp["why"])))


class Requests(gdb.Command):
    """isw requests [DISK]: each request of a disk's users, or of one disk's."""

    def __init__(self):
        super().__init__("isw requests", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) > 1:
            raise gdb.GdbError("give the name of one disk, or nothing")
        found = False
        for number, _, s in in_order():
            for u in units(s):
                if words and text(u["blk"]["name"]) != words[0]:
                    continue
                found = True
                rows = list(waiting(s, u)) + list(under_way(s, u))
                for place, r in sorted(rows, key=lambda row: int(row[1]["hold"]["order"])):
                    h = r["hold"]
                    print("session %d  %s  %s%s  offset %d  %d bytes  %s  order %d  since %s  done %d  tries %d  bounces %d" % (
                        number, text(u["blk"]["name"]), word(r["op"], "BLK_"), " FUA" if r["fua"] else "", int(r["offset"]), int(r["len"]),
                        place, int(h["order"]), ago(h["since_us"], now_us(s)), int(h["at"]), int(h["tries"]), int(h["bounces"])))
        if words and not found:
            print("there is no disk " + words[0])


def put_counts(value):
    for f in value.type.fields():
        if f.type.strip_typedefs().code == gdb.TYPE_CODE_INT and int(value[f.name]) != 0:
            print("  %s %d" % (f.name, int(value[f.name])))


class Counters(gdb.Command):
    """isw counters [S]: what connections, sessions and units counted, where it is not zero."""

    def __init__(self):
        super().__init__("isw counters", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        for number, _, s in in_order(number_of(argument)):
            print("session %d" % number)
            put_counts(s["counts"])
            if not is_null(s["sess"]):
                put_counts(s["sess"]["past"])
                if not is_null(s["sess"]["conn"]):
                    put_counts(s["sess"]["conn"]["counts"])
            for u in units(s):
                print(" disk " + text(u["blk"]["name"]))
                put_counts(u["counts"])


class Trace(gdb.Command):
    """isw trace S: the last PDU headers of a session, oldest first."""

    def __init__(self):
        super().__init__("isw trace", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        number = number_of(argument)
        if number is None:
            raise gdb.GdbError("give the number of a session")
        for _, _, s in in_order(number):
            if is_null(s["sess"]):
                print("it has not tried to log in")
                continue
            t = s["sess"]["trace"]
            size, count = t["entry"].type.range()[1] + 1, int(t["count"])
            for i in range(max(0, count - size), count):
                e = t["entry"][i % size]
                header = bytes(int(e["bhs"][k]) for k in range(48))
                print("%s ago  %s  %s" % (ago(e["at_us"], now_us(s)), word(e["way"], "TRACE_"), header.hex(" ", 4)))


for command in (Isw, Sessions, Connections, Units, Requests, Counters, Trace):
    command()
