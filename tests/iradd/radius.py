"""RADIUS in a few lines, from RFC 2865 and 3579 and not from iradd's source, and a server that does what a test tells it."""
import hashlib
import hmac
import os
import socket
import struct
import threading

ACCEPT, REJECT, CHALLENGE = 2, 3, 11
USER_NAME, CHAP_PASSWORD, NAS_IP, SERVICE_TYPE, REPLY_MESSAGE, STATE = 1, 3, 4, 6, 18, 24
NAS_IDENTIFIER, PROXY_STATE, CHAP_CHALLENGE, NAS_PORT_TYPE, MESSAGE_AUTHENTICATOR, NAS_IPV6 = 32, 33, 60, 61, 80, 95

NAS_SECRET = "the secret of this NAS"
PASSWORDS = {"target-chap": "a target's secret"}


def attribute(number, value):
    return bytes([number, len(value) + 2]) + value


def attributes(data):
    found = []
    while data:
        assert len(data) >= 2 and 2 <= data[1] <= len(data), "malformed attribute"
        found.append((data[0], data[2:data[1]]))
        data = data[data[1]:]
    return found


class Request:
    """An Access-Request, checked as a careful server would."""

    def __init__(self, data, secret=NAS_SECRET):
        code, self.identifier, length = struct.unpack_from(">BBH", data)
        assert code == 1 and length == len(data) <= 4096, "no Access-Request: %s" % data.hex()
        self.data, self.authenticator = data, data[4:20]
        self.list = attributes(data[20:])
        self.values = dict(self.list)
        assert len(self.values) == len(self.list), "an attribute stands twice"
        assert self.list[0][0] == MESSAGE_AUTHENTICATOR, "the Message-Authenticator is not the first attribute"
        mac = hmac.new(secret.encode(), data[:22] + bytes(16) + data[38:], "md5").digest()
        assert mac == self.values[MESSAGE_AUTHENTICATOR], "wrong Message-Authenticator"

    def name(self):
        return self.values[USER_NAME].decode()

    def is_right(self):
        """Whether the CHAP response is that of the user's password."""
        identifier, response = self.values[CHAP_PASSWORD][:1], self.values[CHAP_PASSWORD][1:]
        password = PASSWORDS[self.name()].encode()
        return response == hashlib.md5(identifier + password + self.values[CHAP_CHALLENGE]).digest()

    def answer(self, code, *values, secret=NAS_SECRET, mac=True, identifier=None):
        """A signed answer with these attributes, as bytes."""
        body = b"".join(attribute(n, v) for n, v in values)
        at = 20 + len(body) + 2
        if mac:
            body += attribute(MESSAGE_AUTHENTICATOR, bytes(16))
        head = struct.pack(">BBH", code, self.identifier if identifier is None else identifier, 20 + len(body))
        packet = head + self.authenticator + body
        if mac:
            packet = packet[:at] + hmac.new(secret.encode(), packet, "md5").digest() + packet[at + 16:]
        return packet[:4] + hashlib.md5(packet + secret.encode()).digest() + packet[20:]


def honest(request):
    return [request.answer(ACCEPT if request.is_right() else REJECT)]


class Server:
    """answers(request) says what to send for each packet: a list of bytes, from this socket, or (socket, bytes)."""

    def __init__(self, answers=honest, host="127.0.0.1", secret=NAS_SECRET):
        self.socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.host, self.port = host, self.socket.getsockname()[1]
        self.answers, self.secret, self.requests, self.wrong = answers, secret, [], []
        self.thread = threading.Thread(target=self.serve, daemon=True)

    @property
    def address(self):
        return ("[%s]:%d" if ":" in self.host else "%s:%d") % (self.host, self.port)

    def serve(self):
        while True:
            data, peer = self.socket.recvfrom(65536)
            if not data:
                return
            try:
                request = Request(data, self.secret)
                self.requests.append(request)
                for answer in self.answers(request):
                    where, packet = answer if isinstance(answer, tuple) else (self.socket, answer)
                    where.sendto(packet, peer)
            except Exception as e:  # told by the thread that waits for us
                self.wrong.append(e)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.socket.sendto(b"", self.socket.getsockname())
        self.thread.join(5)
        self.socket.close()
        if kind is None and self.wrong:
            raise self.wrong[0]


def question(server, password="a target's secret", **other):
    """The driver's arguments for a target that answers our challenge with this password."""
    identifier, challenge = os.urandom(1), os.urandom(24)
    response = hashlib.md5(identifier + password.encode() + challenge).digest()
    args = {"server": server, "nas": "192.0.2.200", "nas_secret": NAS_SECRET, "name": "target-chap",
            "identifier": identifier[0], "challenge": challenge.hex(), "response": response.hex(), "timeout_ms": 10000}
    args.update(other)
    return args
