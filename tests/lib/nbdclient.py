"""An NBD client, written from the protocol's description: one connection to a disk's Unix socket."""
import socket
import struct

READ, WRITE, DISC, FLUSH, TRIM, WRITE_ZEROES = 0, 1, 2, 3, 4, 6
FUA, NO_HOLE = 1, 2
EPERM, EIO, EINVAL, ENOSPC, ESHUTDOWN = 1, 5, 22, 28, 108
IHAVEOPT, GO, ACK, INFO = b"IHAVEOPT", 7, 1, 3


class Ended(Exception):
    """The server hung up."""


def uri(path):
    return "nbd+unix:///?socket=" + path


def connect(path, limit=30):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(limit)
    s.connect(path)
    return s


class Client:
    """s: a socket that is connected already."""

    def __init__(self, path, s=None):
        self.s = s or connect(path)
        self.cookie = 0
        magic, option_magic, flags = struct.unpack(">8s8sH", self.receive(18))
        assert (magic, option_magic, flags) == (b"NBDMAGIC", IHAVEOPT, 3), (magic, option_magic, flags)
        self.s.sendall(struct.pack(">I8sIIIH", 3, IHAVEOPT, GO, 6, 0, 0))
        self.size = self.flags = None
        while True:
            _, option, kind, length = struct.unpack(">QIII", self.receive(20))
            data = self.receive(length)
            assert option == GO, option
            if kind == ACK:
                return
            assert kind == INFO, hex(kind)
            if data[:2] == b"\0\0":
                self.size, self.flags = struct.unpack(">QH", data[2:])

    def receive(self, n):
        data = b""
        while len(data) < n:
            try:
                some = self.s.recv(n - len(data))
            except ConnectionResetError:
                some = b""
            if not some:
                raise Ended()
            data += some
        return data

    def send(self, command, offset=0, length=0, flags=0, data=b""):
        self.cookie += 1
        try:
            self.s.sendall(struct.pack(">IHHQQI", 0x25609513, flags, command, self.cookie, offset, length) + data)
        except (BrokenPipeError, ConnectionResetError):
            raise Ended()
        return self.cookie

    def answer(self, cookie, length=0):
        """(error, data)"""
        magic, error, got = struct.unpack(">IIQ", self.receive(16))
        assert (magic, got) == (0x67446698, cookie), (hex(magic), got, cookie)
        return error, self.receive(length) if length and not error else b""

    def ask(self, command, offset=0, length=0, flags=0, data=b""):
        """The error, 0: none."""
        return self.answer(self.send(command, offset, length, flags, data))[0]

    def read(self, offset, length):
        error, data = self.answer(self.send(READ, offset, length), length)
        assert not error, error
        return data

    def write(self, offset, data, flags=0):
        return self.ask(WRITE, offset, len(data), flags, data)

    def close(self):
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
