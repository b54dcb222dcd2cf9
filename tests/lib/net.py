"""Ports, and peers that are no iSCSI target: one that never answers, one that speaks HTTP, one that refuses."""
import socket
import threading

TCP_LISTEN = "0A"


def free_port(host="127.0.0.1"):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as s:
        s.bind((host, 0))
        return s.getsockname()[1]


def listening(port):
    """Whether somebody listens, without disturbing him: some targets dislike a connection that says nothing."""
    for path in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
        with open(path) as f:
            for line in f.readlines()[1:]:
                words = line.split()
                if words[3] == TCP_LISTEN and int(words[1].rsplit(":", 1)[1], 16) == port:
                    return True
    return False


class Peer:
    """Listens in a thread of its own; answer(connection) says what it does with each one."""

    def __init__(self, host="127.0.0.1"):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.bind((host, 0))
        self.listener.listen(64)
        self.host, self.port = host, self.listener.getsockname()[1]
        self.accepted = []
        self.thread = threading.Thread(target=self.serve, daemon=True)

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.accepted.append(connection)
            self.answer(connection)

    def answer(self, connection):
        """Never answers: the connection stays open and silent."""

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.accepted:
            connection.close()
        self.thread.join(5)


class Silent(Peer):
    pass


class Http(Peer):
    def answer(self, connection):
        body = b"<html><body>400 Bad Request</body></html>\r\n"
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/html\r\nContent-Length: %d\r\n"
                           b"Connection: close\r\n\r\n%s" % (len(body), body))
        connection.shutdown(socket.SHUT_WR)


class Closing(Peer):
    """Accepts and hangs up at once."""

    def answer(self, connection):
        connection.close()
