"""iSNS for tests, written from RFC 4171: messages, a client that registers targets, and Debian's server (open-isns).

It shares no code with iisnsd.
"""
import os
import shutil
import socket
import struct

import box
import net
import proc
import tap

REG, QRY, DEREG, SCN_REG, SCN = 0x0001, 0x0002, 0x0004, 0x0005, 0x0008
RSP = 0x8000
CLIENT, SERVER, AUTH, REPLACE, LAST, FIRST = 0x8000, 0x4000, 0x2000, 0x1000, 0x0800, 0x0400
EID, PROTOCOL, TIMESTAMP, PERIOD, IP, PORT, SCN_PORT = 1, 2, 4, 6, 16, 17, 23
NAME, TYPE, ALIAS, BITMAP, PG_NAME, PG_IP, PG_PORT, PG_TAG = 32, 33, 34, 35, 48, 49, 50, 51
TARGET, INITIATOR, CONTROL = 1, 2, 4


def number(n):
    return struct.pack(">I", n)


def text(s):
    raw = s.encode() + b"\0"
    return raw + bytes(-len(raw) % 4)


def address(host):
    if ":" in host:
        return socket.inet_pton(socket.AF_INET6, host)
    return bytes(10) + b"\xff\xff" + socket.inet_aton(host)


def attr(tag, value=b""):
    return struct.pack(">II", tag, len(value)) + value


def pdu(function, xid, payload, flags=CLIENT | FIRST | LAST, seq=0, version=1, length=None):
    return struct.pack(">HHHHHH", version, function, len(payload) if length is None else length, flags, xid, seq) + payload


def pdus(function, xid, payload, sender=SERVER, most=65532):
    """A message in as many PDUs as it needs."""
    cut = [payload[k:k + most] for k in range(0, len(payload), most)] or [b""]
    return b"".join(pdu(function, xid, c, sender | (FIRST if k == 0 else 0) | (LAST if k == len(cut) - 1 else 0), seq=k)
                    for k, c in enumerate(cut))


def attrs(payload):
    """[(tag, value)…]"""
    found = []
    while payload:
        tag, n = struct.unpack(">II", payload[:8])
        assert len(payload) >= 8 + n and n % 4 == 0, "an attribute is cut off"
        found.append((tag, payload[8:8 + n]))
        payload = payload[8 + n:]
    return found


class Message:
    """A message of one PDU, received."""

    def __init__(self, header, payload):
        self.version, self.function, _, self.flags, self.xid, self.seq = header
        self.payload = payload
        body = payload[4:] if self.function & RSP else payload
        self.status = struct.unpack(">I", payload[:4])[0] if self.function & RSP else None
        self.attrs = attrs(body)

    def value(self, tag):
        """The last one of this tag, or None."""
        return ([v for t, v in self.attrs if t == tag] or [None])[-1]

    def string(self, tag):
        return self.value(tag).rstrip(b"\0").decode()


def receive_exactly(sock, n):
    data = b""
    while len(data) < n:
        more = sock.recv(n - len(data))
        if not more:
            raise EOFError("the peer has closed the connection")
        data += more
    return data


def receive(sock):
    header = struct.unpack(">HHHHHH", receive_exactly(sock, 12))
    return Message(header, receive_exactly(sock, header[2]))


def group(name, host, port, tag=1):
    return attr(PG_NAME, text(name)) + attr(PG_IP, address(host)) + attr(PG_PORT, number(port)) + \
        attr(PG_TAG, number(tag) if tag is not None else b"")


def node(name, kind=TARGET, alias=None):
    return attr(NAME, text(name)) + attr(TYPE, number(kind)) + (attr(ALIAS, text(alias)) if alias else b"")


class Registrar:
    """A client of a server that registers targets, each as an entity of its own."""

    def __init__(self, host, port, name="iqn.2026-11.org.example:registrar"):
        self.at, self.name, self.xid = (host, port), name, 0

    def ask(self, function, payload):
        self.xid += 1
        with socket.create_connection(self.at, timeout=20) as s:
            s.sendall(pdu(function, self.xid, payload))
            answer = receive(s)
        assert (answer.function, answer.xid) == (function | RSP, self.xid), vars(answer)
        assert answer.status == 0, "the server answers with status %d" % answer.status
        return answer

    def register(self, name, host, port, alias=None):
        self.ask(REG, attr(NAME, text(name)) + attr(EID, text(name)) + attr(0) + attr(EID, text(name)) +
                 attr(PROTOCOL, number(2)) + attr(PERIOD, number(3600)) + attr(IP, address(host)) +
                 attr(PORT, number(port)) + node(name, alias=alias))

    def deregister(self, name):
        self.ask(DEREG, attr(NAME, text(name)) + attr(0) + attr(EID, text(name)))

    def names(self, kind=INITIATOR):
        """Of the nodes of this kind that are in our discovery domain."""
        self.ask(REG, attr(NAME, text(self.name)) + attr(EID, text(self.name)) + attr(0) + attr(EID, text(self.name)) +
                 attr(PROTOCOL, number(2)) + node(self.name, INITIATOR))
        answer = self.ask(QRY, attr(NAME, text(self.name)) + attr(TYPE, number(kind)) + attr(0) + attr(NAME))
        return [v.rstrip(b"\0").decode() for t, v in answer.attrs if t == NAME]


class Isnsd:
    """Debian's open-isns server, with a database that outlives a restart."""

    count = 0

    def __init__(self, host="127.0.0.1", port=None, period=0):
        if not shutil.which("isnsd"):
            raise tap.Skip("there is no isnsd (package open-isns-server)")
        Isnsd.count += 1
        self.host, self.port = host, port or net.free_port(host)
        self.dir = os.path.join(box.directory(), "isnsd%d" % Isnsd.count)
        os.makedirs(self.dir)
        self.log = os.path.join(self.dir, "log")
        config = os.path.join(self.dir, "isnsd.conf")
        with open(config, "w") as f:
            f.write("SourceName = iqn.2026-11.org.example:isnsd\nDatabase = %s/db\nBindAddress = %s\nPIDFile = %s/pid\n"
                    "Security = 0\nDefaultDiscoveryDomain = 1\nRegistrationPeriod = %d\nESIMinInterval = 0\nSCNRetries = 0\n"
                    % (self.dir, self.text, self.dir, period))
        self.daemon = proc.Daemon("isnsd", "-f", "-c", config, log=self.log)

    @property
    def text(self):
        return ("[%s]:%d" if ":" in self.host else "%s:%d") % (self.host, self.port)

    def registrar(self, **options):
        return Registrar(self.host, self.port, **options)

    def tail(self):
        return self.daemon.tail()

    def answers(self):
        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
            return True
        except OSError:
            if not self.daemon.alive():
                raise proc.Failed("isnsd ended at once: %s" % "\n".join(self.tail()))
            return False

    def start(self):
        self.daemon.start()
        proc.wait_for("isnsd to listen", self.answers)
        return self

    def stop(self):
        self.daemon.stop()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()
