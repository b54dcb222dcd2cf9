"""An iSNS server for tests that can be told to lie: written from RFC 4171, it shares no code with iisnsd."""
import socket
import threading

import isnsd
import net
from isnsd import BITMAP, IP, NAME, PERIOD, QRY, REG, RSP, SCN, SCN_PORT, TIMESTAMP, attr, number, pdu, text


class Fake:
    """`hook(fake, message, payload)` may return other bytes to send than the right ones, or None to send nothing."""

    def __init__(self, host="127.0.0.1", targets=b"", period=0, hook=None):
        self.host, self.targets, self.period, self.hook = host, targets, period, hook
        self.got, self.changed, self.connections = [], threading.Condition(), []
        self.port = net.free_port(host)
        self.listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, self.port))
        self.listener.listen(16)

    @property
    def text(self):
        return ("[%s]:%d" if ":" in self.host else "%s:%d") % (self.host, self.port)

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.listener.close()
        self.hang_up()

    def hang_up(self):
        for c in self.connections:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.connections = []

    def accept(self):
        try:
            while True:
                c, _ = self.listener.accept()
                self.connections.append(c)
                threading.Thread(target=self.serve, args=(c,), daemon=True).start()
        except OSError:
            pass

    def payload(self, m):
        if m.function == REG:
            return number(0) + m.payload + attr(PERIOD, number(self.period))
        if m.function == QRY:
            return number(0) + attr(isnsd.TYPE, number(1)) + attr(0) + self.targets
        return number(0) + attr(0)

    def serve(self, c):
        try:
            while True:
                m = isnsd.receive(c)
                with self.changed:
                    self.got.append(m)
                    self.changed.notify_all()
                if m.function & RSP:
                    continue
                reply = isnsd.pdus(m.function | RSP, m.xid, self.payload(m))
                if self.hook:
                    reply = self.hook(self, m, reply)
                for piece in reply if isinstance(reply, list) else [reply] if reply else []:
                    c.sendall(piece)
        except (OSError, EOFError):
            c.close()

    def count(self, function):
        return sum(m.function == function for m in self.got)

    def wait(self, function, n=1, limit=20):
        """For the n-th message of this function, which is returned."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.count(function) >= n, limit), \
                "waited %s s for message %d of function %#x; there came %s" % (limit, n, function, [hex(m.function) for m in self.got])
            return [m for m in self.got if m.function == function][n - 1]

    def scn(self, xid=77):
        name = self.wait(REG).string(NAME)
        return pdu(SCN, xid, attr(NAME, text(name)) + attr(TIMESTAMP, bytes(8)) + attr(BITMAP, number(8)) + attr(NAME, text("iqn.x:y")))

    def caller(self, source=None):
        """A connection to where notifications are taken."""
        m = [m for m in self.got if m.function == REG][-1]
        raw = m.value(IP)
        host = socket.inet_ntoa(raw[12:]) if raw[:12] == bytes(10) + b"\xff\xff" else socket.inet_ntop(socket.AF_INET6, raw)
        port = int.from_bytes(m.value(SCN_PORT), "big")
        return socket.create_connection((host, port), timeout=20, source_address=(source or self.host, 0))

    def notify(self, times=1):
        with self.caller() as s:
            for i in range(times):
                s.sendall(self.scn(100 + i))
            return [isnsd.receive(s) for _ in range(times)]
