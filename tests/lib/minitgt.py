"""A small iSCSI target written from RFC 7143, with a codec of its own, that does what a test tells it, target by target.

It shares no code with the core.  Every target lies behind one port; a Behaviour says what is different about it.
"""
import hashlib
import socket
import struct
import threading

PREFIX = "iqn.2026-11.org.example:"
NO_TAG = b"\xff\xff\xff\xff"
BLOCKS = 2048
LUN0 = bytes(8)
ILLEGAL_OPCODE = (5, 0x20)


class Behaviour:
    """One target.

    address: what SendTargets says (None: nothing, so ours).  login: None, "close", "chap", (detail, address) to redirect.
    luns: what REPORT LUNS brings, or None: CHECK CONDITION.  inquiry: whether INQUIRY succeeds.
    logout: "good", "close" (hangs up instead of answering), "reset" (answers and resets while pause() holds the initiator).
    """

    def __init__(self, address=None, login=None, luns=(LUN0,), inquiry=True, logout="good", chap=("", "")):
        self.address, self.login, self.luns, self.inquiry, self.logout = address, login, luns, inquiry, logout
        self.chap_name, self.chap_secret = chap
        self.connections = []

    def hang_up(self):
        for s in self.connections:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it is closed already
        self.connections = []


def reset(s):
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


def pairs(data):
    return dict(p.split("=", 1) for p in data.decode().split("\0") if p)


def text(keys):
    return b"".join(("%s=%s" % k).encode() + b"\0" for k in keys)


class Connection(threading.Thread):
    def __init__(self, target, s):
        super().__init__(daemon=True)
        self.target, self.s = target, s
        self.behaviour, self.is_discovery = Behaviour(), False
        self.stat_sn, self.cmd_sn, self.head = 0, 0, b""
        self.chap = None

    # -- the codec -------------------------------------------------------------------------------------------------------

    def read(self, n):
        data = self.s.recv(n, socket.MSG_WAITALL) if n else b""
        if len(data) != n:
            raise ConnectionError("the initiator hung up")
        return data

    def receive(self):
        """One PDU: its opcode and data; its head stays in .head."""
        self.head = self.read(48)
        assert self.head[4] == 0, "an AHS"
        n = int.from_bytes(self.head[5:8], "big")
        data = self.read((n + 3) & ~3)[:n]
        number, = struct.unpack(">I", self.head[24:28])
        self.cmd_sn = number if self.head[0] & 0x40 else (number + 1) & 0xffffffff
        return self.head[0] & 0x3f, data

    def send(self, opcode, flags, byte2=0, byte3=0, at8=bytes(8), at20=NO_TAG, at36=bytes(12), data=b""):
        self.s.sendall(bytes([opcode, flags, byte2, byte3, 0]) + len(data).to_bytes(3, "big") + at8 + self.head[16:20] +
                       at20 + struct.pack(">III", self.stat_sn, self.cmd_sn, (self.cmd_sn + 31) & 0xffffffff) + at36 +
                       data + bytes(-len(data) % 4))
        self.stat_sn += 1

    # -- the login -------------------------------------------------------------------------------------------------------

    def login_answer(self, keys, transit=True, status=(0, 0)):
        flags = self.head[1] & (0x8f if transit and self.head[1] & 0x80 else 0x0c)
        isid_tsih = self.head[8:14] + (b"\0\1" if flags & 0x83 == 0x83 else b"\0\0")
        self.send(0x23, flags, at8=isid_tsih, at20=bytes(4), at36=bytes(status) + bytes(10), data=text(keys))
        return flags & 0x83 == 0x83

    def security(self, keys, first):
        """The answer's keys and whether the stage may end."""
        out = [("TargetPortalGroupTag", "1")] if first and not self.is_discovery else []
        if self.behaviour.login != "chap":
            return out + ([("AuthMethod", "None")] if "AuthMethod" in keys else []), True
        if "AuthMethod" in keys:
            return out + [("AuthMethod", "CHAP")], False
        if "CHAP_A" in keys:
            return [("CHAP_A", "5"), ("CHAP_I", "7"), ("CHAP_C", "0x" + "5a" * 16)], False
        if "CHAP_C" not in keys:
            return out, True
        challenge = keys["CHAP_C"]
        assert challenge.lower().startswith("0x"), challenge
        response = hashlib.md5(bytes([int(keys["CHAP_I"], 0)]) + self.behaviour.chap_secret.encode() +
                               bytes.fromhex(challenge[2:])).hexdigest()
        return [("CHAP_N", self.behaviour.chap_name), ("CHAP_R", "0x" + response)], True

    def operational(self, keys):
        fixed = {"HeaderDigest": "None", "DataDigest": "None", "ImmediateData": "No", "InitialR2T": "Yes", "MaxConnections": "1",
                 "ErrorRecoveryLevel": "0", "TaskReporting": "RFC3720", "iSCSIProtocolLevel": "1"}
        silent = ("InitiatorName", "InitiatorAlias", "TargetName", "SessionType")
        return [(k, fixed.get(k, v)) for k, v in keys.items() if k not in silent]

    def login(self):
        first = True
        while True:
            opcode, data = self.receive()
            assert opcode == 3, opcode
            keys = pairs(data)
            if first:
                self.is_discovery = keys.get("SessionType") == "Discovery"
                if not self.is_discovery:
                    self.behaviour = self.target.of(keys["TargetName"])
                    self.behaviour.connections.append(self.s)
                how = self.behaviour.login
                if how == "close":
                    raise ConnectionError("as it was told")
                if isinstance(how, tuple):
                    self.login_answer([("TargetAddress", how[1])], False, (1, how[0]))
                    self.read(1)
            if self.head[1] & 0x0c:
                answer = self.operational(keys)
                if first and not self.is_discovery:
                    answer.append(("TargetPortalGroupTag", "1"))
                if self.login_answer(answer):
                    return
            else:
                self.login_answer(*self.security(keys, first))
            first = False

    # -- full feature phase ----------------------------------------------------------------------------------------------

    def good(self, data):
        wanted, = struct.unpack(">I", self.head[20:24])
        data = data[:wanted]
        left = wanted - len(data)
        if data:
            self.send(0x25, 0x83 if left else 0x81, at36=bytes(8) + struct.pack(">I", left), data=data)
        else:
            self.send(0x21, 0x82 if left else 0x80, at20=bytes(4), at36=bytes(8) + struct.pack(">I", left))

    def check(self, key, asc):
        sense = bytes([0x70, 0, key, 0, 0, 0, 0, 10, 0, 0, 0, 0, asc]) + bytes(5)
        self.send(0x21, 0x82 if self.head[20:24] != bytes(4) else 0x80, 0, 2, at20=bytes(4), at36=bytes(8) + self.head[20:24],
                  data=struct.pack(">H", len(sense)) + sense)

    def scsi(self):
        cdb, b = self.head[32:48], self.behaviour
        if cdb[0] == 0xa0 and b.luns is not None:
            self.good(struct.pack(">II", 8 * len(b.luns), 0) + b"".join(b.luns))
        elif cdb[0] == 0x12 and b.inquiry and not cdb[1]:
            self.good(bytes([0, 0, 6, 2, 31, 0, 0, 2]) + b"EXAMPLE ".ljust(8) + b"Mini".ljust(16) + b"0001")
        elif cdb[0] == 0x00:
            self.good(b"")
        elif cdb[0] == 0x25:
            self.good(struct.pack(">II", BLOCKS - 1, 512))
        elif cdb[0] == 0x28:
            self.good(bytes(512 * struct.unpack(">H", cdb[7:9])[0]))
        else:
            self.check(*ILLEGAL_OPCODE)

    def logout(self):
        if self.behaviour.logout == "close":
            raise ConnectionError("as it was told")
        if self.behaviour.logout == "reset":
            self.target.pause()
        self.send(0x26, 0x80, at20=bytes(4))
        if self.behaviour.logout == "reset":
            reset(self.s)
            self.target.go_on()
        else:
            self.read(1)

    def serve(self):
        self.login()
        while True:
            opcode, data = self.receive()
            if opcode == 0 and self.head[16:20] != NO_TAG:
                self.send(0x20, 0x80, data=data)
            elif opcode == 1:
                self.scsi()
            elif opcode == 2:
                self.send(0x22, 0x80, at20=bytes(4))
            elif opcode == 4:
                if self.target.send_targets is None:
                    return
                self.send(0x24, 0x80, data=self.target.send_targets())
            elif opcode == 6:
                self.logout()
                return

    def run(self):
        try:
            self.serve()
        except OSError:
            pass  # the initiator hung up, or we were told to
        except Exception as e:  # told at the end
            self.target.errors.append(e)
        finally:
            self.s.close()


class MiniTarget:
    """targets: suffix -> Behaviour.  send_targets: a function that says the bytes, or None: hang up instead."""

    def __init__(self, **targets):
        self.targets, self.errors = targets, []
        self.send_targets = self.all
        self.pause = self.go_on = lambda: None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.host, self.port = "127.0.0.1", self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def of(self, name):
        return self.targets[name[len(PREFIX):]]

    def all(self):
        return b"".join(text([("TargetName", PREFIX + name)] + ([("TargetAddress", b.address)] if b.address else []))
                        for name, b in self.targets.items())

    def accept(self):
        while True:
            s, _ = self.listener.accept()
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Connection(self, s).start()
