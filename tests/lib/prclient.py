"""A client of qemu's persistent reservation helper protocol, as qemu's pr-manager-helper is one."""
import array
import os
import socket
import struct

IN, OUT = 0x5E, 0x5F
KEYS, RESERVATION, CAPABILITIES, FULL_STATUS = range(4)
REGISTER, RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_ABORT, REGISTER_IGNORE = range(7)
GOOD, CHECK, CONFLICT = 0, 2, 0x18
FEATURES = bytes(4)


class HungUp(Exception):
    pass


class Client:
    """disk: a descriptor that goes with each command."""

    def __init__(self, path, disk=None, greet=True):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.s.settimeout(60)
        self.s.connect(path)
        self.disk = disk
        if greet:
            assert self.read(4) == FEATURES
            self.s.sendall(FEATURES)

    def read(self, n):
        data = b""
        while len(data) < n:
            try:
                part = self.s.recv(n - len(data))
            except ConnectionResetError:
                part = b""
            if not part:
                raise HungUp()
            data += part
        return data

    def send(self, data, *fds):
        """The first byte carries the descriptors."""
        try:
            sent = self.s.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])
            self.s.sendall(data[sent:])
        except (BrokenPipeError, ConnectionResetError):
            raise HungUp() from None

    def answer(self):
        """(status, sense, data)"""
        status, size = struct.unpack(">II", self.read(8))
        sense = self.read(96)
        return status, sense, self.read(size)

    def ask(self, action, room=8192):
        self.send(struct.pack(">BB5xH7x", IN, action, room), self.disk)
        return self.answer()

    def tell(self, action, key=0, service_key=0, kind=0, aptpl=False):
        data = struct.pack(">QQ4xB3x", key, service_key, aptpl)
        self.send(struct.pack(">BBB2xI7x", OUT, action, kind, len(data)), self.disk)
        self.send(data)
        return self.answer()

    def keys(self):
        """(generation, [key…])"""
        status, sense, data = self.ask(KEYS)
        assert status == GOOD, (status, sense.hex())
        generation, length = struct.unpack(">II", data[:8])
        assert len(data) == 8 + length, data.hex()
        return generation, [k for k, in struct.iter_unpack(">Q", data[8:])]

    def close(self):
        self.s.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def opened(path, flags=os.O_RDWR):
    return os.open(path, flags | os.O_CLOEXEC)
