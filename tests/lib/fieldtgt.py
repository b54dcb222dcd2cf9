"""A target as they are met in the field: whole logical units (fieldunit.py), and whatever a test tells it to do instead.

	with FieldTarget([Unit(0), Unit(1)]) as target:
		target.on_command = lambda command: BUSY if command.opcode in READS else None

It is written from RFC 7143, with a codec of its own; it shares no code with the core.  A thread a connection; whatever waits
waits for an event.  target.log is what happened, in order; target.logins counts normal sessions.
"""
import hashlib
import os
import socket
import struct
import threading
import time

from fieldunit import (CHECK_CONDITION, GOOD, REPORT_LUNS, WELL_KNOWN_REPORT_LUNS, Answer, Unit, address, lun_list, nobody)

NAME = "iqn.2026-11.org.example:field"
NO_TAG = b"\xff\xff\xff\xff"
NOP_OUT, SCSI_COMMAND, TASK_MANAGEMENT, LOGIN, TEXT, DATA_OUT, LOGOUT = range(7)
NOP_IN, SCSI_RESPONSE, TASK_MANAGEMENT_RESPONSE, LOGIN_RESPONSE, TEXT_RESPONSE, DATA_IN, LOGOUT_RESPONSE = range(0x20, 0x27)
R2T, ASYNC_MESSAGE, REJECT = 0x31, 0x32, 0x3f
ABORT_TASK = 1
SEGMENT, WINDOW = 262144, 128
HASHES = {"5": hashlib.md5, "6": hashlib.sha1, "7": hashlib.sha256, "8": hashlib.sha3_256}

# What on_command, on_login, on_task and on_logout may return beside an Answer or a number.
SILENT = "silent"  # it is never answered
DROP = "drop"      # the connection is closed
RESET = "reset"    # it is reset


class Later:
    """Answered when the event is set (and the command was not aborted until then); answer None: as usual."""

    def __init__(self, event, answer=None):
        self.event, self.answer = event, answer


class Rejected:
    """A Reject of the whole PDU; 5: command not supported."""

    def __init__(self, reason=5):
        self.reason = reason


class Refused:
    """A Login Response that ends the login: status class and detail, and its keys."""

    def __init__(self, status_class, detail, **keys):
        self.status, self.keys = (status_class, detail), keys


def moved_to(portal, tag=None, is_permanent=False):
    """A redirection."""
    return Refused(1, 2 if is_permanent else 1, TargetAddress=portal if tag is None else "%s,%d" % (portal, tag))


class Chap:
    """What the target asks for.  algorithms: those it takes; refuses: Refused or DROP where others are offered at all."""

    def __init__(self, name, secret, algorithms=("5",), refuses=None):
        self.name, self.secret, self.algorithms, self.refuses = name, secret.encode(), algorithms, refuses


class Closed(Exception):
    """The connection is over."""


class Command:
    def __init__(self, connection, head, data):
        self.connection, self.head = connection, head
        self.lun, self.cdb, self.itt = head[8:16], head[32:48], head[16:20]
        self.length, = struct.unpack(">I", head[20:24])
        self.is_read, self.is_write = bool(head[1] & 0x40), bool(head[1] & 0x20)
        self.data, self.r2t_sn = bytearray(data), 0
        self.is_aborted = False

    @property
    def opcode(self):
        return self.cdb[0]

    def execute(self):
        """As the unit does it; a test may call it later, for a command that is not answered."""
        return self.connection.target.execute(self)


class Connection(threading.Thread):
    def __init__(self, target, s, portal):
        super().__init__(daemon=True)
        self.target, self.s, self.portal = target, s, portal
        self.stat_sn, self.exp_cmd_sn, self.head = 1, 0, b""
        self.initiator = None
        self.name, self.isid, self.is_discovery, self.is_online = None, b"", False, False
        self.lock = threading.RLock()
        self.executing, self.is_over = threading.Lock(), False  # its nexus was reinstated: nothing of it is executed any more
        self.tasks, self.attentions = {}, {}
        self.chap = None
        self.offered = []

    def log(self, what, *more):
        self.target.note(what, self, *more)

    # -- the codec -------------------------------------------------------------------------------------------------------

    def read(self, n):
        data = b""
        while len(data) < n:
            part = self.s.recv(n - len(data))
            if not part:
                raise Closed("the initiator hung up")
            data += part
        return data

    def receive(self):
        self.target.flows.wait()
        self.head = self.read(48)
        assert self.head[4] == 0, "an AHS"
        n = int.from_bytes(self.head[5:8], "big")
        data = self.read((n + 3) & ~3)[:n]
        number, = struct.unpack(">I", self.head[24:28])
        if self.head[0] & 0x3f != DATA_OUT and not self.head[0] & 0x40:
            self.exp_cmd_sn = (number + 1) & 0xffffffff
        return self.head[0] & 0x3f, data

    def send(self, opcode, flags, b2=0, b3=0, at8=bytes(8), itt=NO_TAG, at20=NO_TAG, at36=bytes(12), data=b"", counts=True):
        self.target.flows.wait()
        with self.lock:
            self.s.sendall(bytes([opcode, flags, b2, b3, 0]) + len(data).to_bytes(3, "big") + at8 + itt + at20 +
                           struct.pack(">III", self.stat_sn, self.exp_cmd_sn, (self.exp_cmd_sn + WINDOW - 1) & 0xffffffff) +
                           at36 + data + bytes(-len(data) % 4))
            self.stat_sn = (self.stat_sn + counts) & 0xffffffff

    def obey(self, order):
        """DROP and RESET; others are nothing for here."""
        if order == RESET:
            self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if order in (DROP, RESET):
            raise Closed("as it was told")

    # -- the login -------------------------------------------------------------------------------------------------------

    def login_answer(self, keys, flags=None, status=(0, 0)):
        flags = self.head[1] & (0x8f if self.head[1] & 0x80 else 0x0c) if flags is None else flags
        is_last = flags & 0x83 == 0x83
        if is_last and not self.is_discovery:
            self.target.reinstate(self)
        if is_last:
            self.log("online")  # before the initiator can be, and whoever counts then
        text = b"".join(("%s=%s" % k).encode() + b"\0" for k in keys)
        self.send(LOGIN_RESPONSE, flags, at8=self.head[8:14] + (b"\0\1" if is_last else b"\0\0"), itt=self.head[16:20],
                  at20=bytes(4), at36=bytes(status) + bytes(10), data=text)
        return is_last

    def refuse(self, refused):
        self.log("refused", refused.status)
        self.login_answer(list(refused.keys.items()), 0, refused.status)
        self.s.shutdown(socket.SHUT_WR)
        self.s.recv(1)  # its end
        raise Closed("the login was refused")

    def security(self, keys):
        """(the answer's keys, whether the stage may end)."""
        chap = self.target.chap
        if chap is None or self.is_discovery:
            return ([("AuthMethod", "None")] if "AuthMethod" in keys else []), True
        if "AuthMethod" in keys:
            if "CHAP" not in keys["AuthMethod"].split(","):
                self.refuse(Refused(2, 1))
            return [("AuthMethod", "CHAP")], False
        if "CHAP_A" in keys:
            offered = keys["CHAP_A"].split(",")
            self.offered.append(keys["CHAP_A"])
            self.log("CHAP_A", keys["CHAP_A"])
            if chap.refuses is not None and set(offered) - set(chap.algorithms):
                self.obey(chap.refuses)
                self.refuse(chap.refuses)
            taken = [a for a in offered if a in chap.algorithms]
            if not taken:
                self.refuse(Refused(2, 1))
            self.chap = (taken[0], os.urandom(16))
            return [("CHAP_A", taken[0]), ("CHAP_I", "37"), ("CHAP_C", "0x" + self.chap[1].hex())], False
        if "CHAP_R" in keys:
            algorithm, challenge = self.chap
            self.log("CHAP_R", keys["CHAP_R"])
            right = HASHES[algorithm](bytes([37]) + chap.secret + challenge).hexdigest()
            if keys["CHAP_R"].lower() != "0x" + right or keys["CHAP_N"] != chap.name:
                self.refuse(Refused(2, 1))
        return [], True

    def operational(self, keys):
        fixed = {"HeaderDigest": "None", "DataDigest": "None", "ImmediateData": "Yes", "InitialR2T": "Yes",
                 "MaxConnections": "1", "ErrorRecoveryLevel": "0", "TaskReporting": "RFC3720", "iSCSIProtocolLevel": "1",
                 "MaxBurstLength": str(SEGMENT), "FirstBurstLength": "65536", "MaxOutstandingR2T": "1",
                 "MaxRecvDataSegmentLength": str(SEGMENT)}
        fixed.update(self.target.keys)
        silent = ("InitiatorName", "InitiatorAlias", "TargetName", "SessionType")
        declared = [(k, v) for k, v in self.target.keys.items() if k == "TargetAlias"]
        return declared + [(k, fixed.get(k, v)) for k, v in keys.items() if k not in silent]

    def begin(self, keys):
        """The first request of a login: who it is, and what the test says to that."""
        self.is_discovery = keys.get("SessionType") == "Discovery"
        self.isid = self.head[8:14]
        self.name, self.initiator = keys.get("TargetName"), keys.get("InitiatorName")
        self.log("discovery" if self.is_discovery else "login")
        order = None if self.is_discovery else self.target.on_login(self)
        if isinstance(order, Later):
            order.event.wait()
            order = order.answer
        if order == SILENT:
            self.s.recv(1)
            raise Closed("it is not answered")
        self.obey(order)
        if order is None and not self.is_discovery and self.name not in self.target.targets:
            order = Refused(2, 3)
        if isinstance(order, Refused):
            self.refuse(order)

    def login(self):
        is_first = True
        while True:
            opcode, data = self.receive()
            assert opcode == LOGIN, opcode
            self.exp_cmd_sn, = struct.unpack(">I", self.head[24:28])
            keys = dict(p.split("=", 1) for p in data.decode().split("\0") if p)
            if is_first:
                self.begin(keys)
            tag = [("TargetPortalGroupTag", str(self.target.tag_of(self.portal)))] if is_first and not self.is_discovery else []
            is_first = False
            if self.head[1] & 0x0c:
                if self.login_answer(tag + self.operational(keys)):
                    return
            else:
                out, may_end = self.security(keys)
                if self.login_answer(tag + out, None if may_end else 0):
                    return

    # -- full feature phase ----------------------------------------------------------------------------------------------

    def status(self, command, answer):
        data = struct.pack(">H", len(answer.sense)) + answer.sense if answer.sense else b""
        left = command.length if answer.status != GOOD or command.is_read else 0
        self.send(SCSI_RESPONSE, 0x82 if left else 0x80, 0, answer.status, itt=command.itt, at20=bytes(4),
                  at36=struct.pack(">III", 0, 0, left), data=data)

    def data_in(self, command, data):
        data, at, number = data[:command.length], 0, 0
        left = command.length - len(data)
        with self.lock:
            while at < len(data):
                part = data[at:at + SEGMENT]
                is_last = at + len(part) == len(data)
                self.send(DATA_IN, (0x83 if left else 0x81) if is_last else 0x80, itt=command.itt, data=part, counts=is_last,
                          at36=struct.pack(">III", number, at, left if is_last else 0))
                at, number = at + len(part), number + 1

    def answer(self, command, answer):
        with self.lock:
            self.tasks.pop(command.itt, None)
            if command.is_aborted:
                return
            if answer.status == GOOD and command.is_read and answer.data:
                self.data_in(command, answer.data)
            else:
                self.status(command, answer)

    def answer_later(self, command, later):
        def wait():
            later.event.wait()
            try:
                self.answer(command, later.answer or command.execute())
            except OSError:
                pass  # the connection is gone by then
        threading.Thread(target=wait, daemon=True).start()

    def decide(self, command):
        """Whole, with its data: what becomes of it."""
        self.log("command", command)
        order = self.target.on_command(command)
        self.obey(order)
        if order == SILENT:
            return
        if isinstance(order, Later):
            self.answer_later(command, order)
        elif isinstance(order, Rejected):
            self.send(REJECT, 0x80, order.reason, data=command.head)
        elif isinstance(order, int):
            self.answer(command, Answer(order))
        else:
            self.answer(command, self.execute(command) if order is None else order)

    def execute(self, command):
        with self.executing:
            if self.is_over:
                raise Closed("the session was reinstated")
            return command.execute()

    def want_data(self, command):
        left = command.length - len(command.data)
        if left <= 0:
            self.decide(command)
            return
        self.send(R2T, 0x80, at8=command.lun, itt=command.itt, at20=command.itt, counts=False,
                  at36=struct.pack(">III", command.r2t_sn, len(command.data), min(left, SEGMENT)))
        command.r2t_sn += 1

    def scsi(self, data):
        command = Command(self, self.head, data)
        self.tasks[command.itt] = command
        if command.is_write:
            self.want_data(command)
        else:
            self.decide(command)

    def data_out(self, data):
        command = self.tasks.get(self.head[16:20])
        if command is not None:
            command.data += data
            if self.head[1] & 0x80:
                self.want_data(command)

    def task_management(self):
        function, head = self.head[1] & 0x7f, self.head
        self.log("task management", function)
        response = self.target.on_task(self, function)
        self.obey(response)
        if response == SILENT:
            return
        with self.lock:
            for command in [] if response else list(self.tasks.values()):
                hit = command.itt == head[20:24] if function == ABORT_TASK else function > 5 or command.lun == head[8:16]
                command.is_aborted |= hit
        self.send(TASK_MANAGEMENT_RESPONSE, 0x80, response, itt=head[16:20], at20=bytes(4))

    def logout(self):
        self.log("logout")
        order = self.target.on_logout(self)
        self.obey(order)
        if order == SILENT:
            return
        self.send(LOGOUT_RESPONSE, 0x80, itt=self.head[16:20], at20=bytes(4))
        self.s.shutdown(socket.SHUT_WR)
        self.s.recv(1)
        raise Closed("it logged out")

    def serve(self):
        self.login()
        self.is_online = True
        while True:
            opcode, data = self.receive()
            if opcode == NOP_OUT and self.head[16:20] == NO_TAG:
                self.target.on_pong(self, self.head[20:24])
            elif opcode == NOP_OUT:
                if self.target.answers_pings:
                    self.send(NOP_IN, 0x80, itt=self.head[16:20], data=data)
            elif opcode == SCSI_COMMAND:
                self.scsi(data)
            elif opcode == DATA_OUT:
                self.data_out(data)
            elif opcode == TASK_MANAGEMENT:
                self.task_management()
            elif opcode == TEXT:
                if self.target.on_text(self, data) is None:
                    self.send(TEXT_RESPONSE, 0x80, itt=self.head[16:20], data=self.target.send_targets())
            elif opcode == LOGOUT:
                self.logout()

    def run(self):
        try:
            order = self.target.on_accept(self)
            if isinstance(order, Later):
                order.event.wait()
            self.obey(order)
            self.serve()
        except (OSError, Closed) as e:
            self.log("end", str(e))
        except Exception as e:  # told at the end of the test
            self.target.errors.append(e)
        finally:
            self.is_online = False
            self.s.close()

    def hang_up(self, is_reset=False):
        try:
            if is_reset:
                self.s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it is closed already

    def event(self, code, sense_data=b"", lun=bytes(8), parameters=(0, 0, 0)):
        """An asynchronous message."""
        data = struct.pack(">H", len(sense_data)) + sense_data if sense_data else b""
        self.send(ASYNC_MESSAGE, 0x80, at8=lun, at36=struct.pack(">BBHHH", code, 0, *parameters) + bytes(4), data=data)


class FieldTarget:
    """units: of the target `name`; .targets may get more: name -> units.  ports: how many portals it has.

    What a test may replace: on_accept, on_login, on_command, on_task, on_logout (each: None is the usual), on_pong (a ping
    of ours was answered), on_text (None: send_targets() in one answer), report_luns, send_targets, tag_of; chap, keys (of the login), answers_pings; targets, and the units in it.
    """

    def __init__(self, units=None, name=NAME, ports=1, host="127.0.0.1"):
        self.name, self.host = name, host
        self.targets = {name: units if units is not None else [Unit(0)]}
        self.on_accept = self.on_login = self.on_command = self.on_logout = lambda _: None
        self.on_task = lambda _connection, _function: 0
        self.on_pong = lambda _connection, _tag: None
        self.on_text = lambda _connection, _data: None
        self.chap, self.keys, self.answers_pings = None, {}, True
        self.portals = []        # what SendTargets says, "address:port,tag"; empty: ours
        self.tags = {}           # port -> portal group tag
        self.log, self.errors, self.connections = [], [], []
        self.flows = threading.Event()
        self.flows.set()
        self.listeners = []
        self.ports = [self.listen(0) for _ in range(ports)]

    @property
    def port(self):
        return self.ports[0]

    @property
    def units(self):
        return self.targets[self.name]

    def unit(self, lun):
        return next(u for u in self.units if u.address == address(lun))

    # -- its sockets -----------------------------------------------------------------------------------------------------

    def listen(self, port):
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listener = socket.create_server((self.host, port), family=family)
        self.listeners.append(listener)
        port = listener.getsockname()[1]
        threading.Thread(target=self.accept, args=(listener, port), daemon=True).start()
        return port

    def accept(self, listener, port):
        while True:
            try:
                s, _ = listener.accept()
            except OSError:
                return
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self, s, port)
            self.connections.append(connection)
            connection.start()

    def stop(self):
        """Like a machine that went down: nobody listens, connections are gone."""
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.listeners = []
        self.hang_up()

    def again(self):
        for port in self.ports:
            self.listen(port)

    def reinstate(self, by):
        """RFC 7143, section 6.3.5: what the same initiator port had there before is over, before the login is answered."""
        for c in self.connections:
            same = (c.name, c.initiator, c.isid) == (by.name, by.initiator, by.isid) and self.tag_of(c.portal) == self.tag_of(by.portal)
            if c is not by and same and not c.is_discovery:
                with c.executing:
                    c.is_over = True
                c.hang_up()

    def freeze(self):
        """It reads nothing and answers nothing, and its connections stay."""
        self.flows.clear()

    def thaw(self):
        self.flows.set()

    def hang_up(self, is_reset=False):
        for connection in self.connections:
            connection.hang_up(is_reset)

    def online(self):
        return [c for c in self.connections if c.is_online and not c.is_discovery]

    # -- what it does ----------------------------------------------------------------------------------------------------

    def note(self, what, *more):
        self.log.append((time.monotonic(), what) + more)

    def count(self, what):
        return sum(1 for entry in self.log if entry[1] == what)

    def times(self, what):
        return [entry[0] for entry in self.log if entry[1] == what]

    @property
    def logins(self):
        return self.count("online")

    def commands(self, opcodes=None, lun=None):
        """Those that were received whole, in order."""
        found = [entry[3] for entry in self.log if entry[1] == "command"]
        return [c for c in found if (opcodes is None or c.opcode in opcodes) and (lun is None or c.lun == address(lun))]

    def attention(self, lun, sense_data):
        """A unit attention condition for each session there is now."""
        for connection in self.online():
            connection.attentions.setdefault(address(lun), []).append(sense_data)

    def units_of(self, connection):
        return self.targets.get(connection.name, [])

    def execute(self, command):
        units = self.units_of(command.connection)
        unit = next((u for u in units if u.address == command.lun), None)
        if command.opcode == REPORT_LUNS:
            return self.report_luns(command)
        if command.lun == WELL_KNOWN_REPORT_LUNS or unit is None:
            return nobody(command.cdb)
        waiting = command.connection.attentions.get(command.lun)
        if waiting and command.opcode != 0x12:
            return Answer(CHECK_CONDITION, sense_data=waiting.pop(0))
        return unit.execute(command.cdb, command.data)

    def report_luns(self, command):
        return lun_list(u.address for u in self.units_of(command.connection))

    def tag_of(self, port):
        return self.tags.get(port, 1)

    def portal(self, i=0):
        return "%s:%d" % (self.host, self.ports[i])

    def send_targets(self):
        addresses = self.portals or ["%s:%d,%d" % (self.host, port, self.tag_of(port)) for port in self.ports]
        return b"".join(("TargetName=%s\0" % name).encode() + b"".join(("TargetAddress=%s\0" % a).encode() for a in addresses)
                        for name in self.targets)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.thaw()
        self.stop()
        if self.errors:
            raise AssertionError("the target itself failed: %r" % self.errors[0]) from self.errors[0]
