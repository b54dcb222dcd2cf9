"""An SLPv2 agent for tests, written from RFC 2608: a directory agent, or a service agent, that can be told to lie.

It shares no code with islpd.  Each agent has an address of its own on one port, answers by UDP and TCP, and can listen to
multicast.  `hook(agent, request, reply)` may return other datagrams to send instead of the one that would be right.
"""
import contextlib
import select
import socket
import struct
import threading

SRV_RQST, SRV_RPLY, ATTR_RQST, ATTR_RPLY, DA_ADVERT, SA_ADVERT = 1, 2, 6, 7, 8, 11
OVERFLOW, MCAST = 0x8000, 0x2000
SCOPE_NOT_SUPPORTED, PARSE_ERROR, BUSY, MSG_NOT_SUPPORTED = 4, 2, 11, 14
GROUP4 = "239.255.255.253"
TYPE = "service:iscsi:target"
HEADER = 14


def text(s):
    raw = s if isinstance(s, bytes) else s.encode()
    return struct.pack(">H", len(raw)) + raw


def message(function, xid, body, flags=0, language="en", length=None):
    n = HEADER + len(language) + len(body) if length is None else length
    return struct.pack(">BB", 2, function) + n.to_bytes(3, "big") + struct.pack(">H", flags) + bytes(3) + \
        struct.pack(">H", xid) + text(language) + body


def entry(url):
    return struct.pack(">BH", 0, 600) + text(url) + b"\0"


class Request:
    """A parsed request; .raw is the whole of it."""

    def __init__(self, raw, peer, multicast, tcp):
        self.raw, self.peer, self.tcp, self.multicast = raw, peer, tcp, multicast
        assert raw[0] == 2 and int.from_bytes(raw[2:5], "big") == len(raw), "the request's length is wrong"
        self.function = raw[1]
        self.flags, self.xid = struct.unpack(">H", raw[5:7])[0], struct.unpack(">H", raw[10:12])[0]
        at, self.strings = HEADER + struct.unpack(">H", raw[12:14])[0], []
        assert raw[14:at] == b"en", "the language is not en"
        while at < len(raw):
            n = struct.unpack(">H", raw[at:at + 2])[0]
            self.strings.append(raw[at + 2:at + 2 + n].decode())
            at += 2 + n
        assert at == len(raw) and len(self.strings) == 5, "the request has not its five strings"
        self.responders, self.what, self.scopes, self.filter = self.strings[:4]
        assert bool(self.flags & MCAST) == multicast, "REQUEST MCAST is wrong"


class Agent:
    def __init__(self, host, port, scopes=("default",), directory=True, services=(), attrs=None, mtu=1400, hook=None,
                 interface=None, tcp=True, boot_time=1):
        self.host, self.port, self.scopes, self.directory = host, port, [s.lower() for s in scopes], directory
        self.services, self.attrs = list(services), attrs or {}
        self.mtu, self.hook, self.boot_time = mtu, hook, boot_time
        self.requests, self.errors = [], []
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.udp = socket.socket(family, socket.SOCK_DGRAM)
        self.udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.udp.bind((host, port))
        self.group = self.tcp = None
        self.wake, self.woken = socket.socketpair()
        if interface:
            self.group = self.join(family, interface)
        if tcp:
            self.tcp = socket.socket(family, socket.SOCK_STREAM)
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.tcp.bind((host, port))
            self.tcp.listen(16)
        self.threads = [threading.Thread(target=self.serve_udp, args=(s, s is self.group), daemon=True)
                        for s in (self.udp, self.group) if s]
        if tcp:
            self.threads.append(threading.Thread(target=self.serve_tcp, daemon=True))

    def join(self, family, interface):
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        index = socket.if_nametoindex(interface)
        if family == socket.AF_INET:
            s.bind((GROUP4, self.port))
            s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP,
                         struct.pack("4s4si", socket.inet_aton(GROUP4), bytes(4), index))
        else:
            # Only the groups an agent of its kind must be in: RFC 3111, section 4.1.
            s.bind(("::", self.port))
            for group in ("ff02::123", "ff05::123") if self.directory else ("ff02::1:%x" % (0x1000 + self.hash(TYPE)),):
                s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP,
                             socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", index))
        return s

    @staticmethod
    def hash(word):
        value = 0
        for c in word.encode():
            value = value * 33 + c
        return value & 0x3ff

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.wake.close()
        for t in self.threads:
            t.join()
        for s in (self.udp, self.group, self.tcp, self.woken):
            if s:
                s.close()
        if self.errors:
            raise AssertionError("the agent %s saw: %s" % (self.host, "; ".join(self.errors)))

    def readable(self, s):
        """Waits; False when the agent ends."""
        return self.woken not in select.select([s, self.woken], [], [])[0]

    def asked(self, function=None, what=None, tcp=None):
        return [r for r in list(self.requests) if (function is None or r.function == function) and
                (what is None or r.what == what) and (tcp is None or r.tcp == tcp)]

    def parse(self, raw, peer, multicast=False, tcp=False):
        try:
            r = Request(raw, peer, multicast, tcp)
        except (AssertionError, struct.error, IndexError, UnicodeDecodeError) as e:
            self.errors.append(str(e))
            return None
        self.requests.append(r)
        return r

    def serve_udp(self, s, multicast):
        while self.readable(s):
            raw, peer = s.recvfrom(65536)
            r = self.parse(raw, peer, multicast)
            if r is None:
                continue
            reply = self.answer(r, self.mtu)
            replies = [reply] if self.hook is None else self.hook(self, r, reply)
            for one in replies:
                if one is not None:
                    self.udp.sendto(one, peer)

    def serve_tcp(self):
        while self.readable(self.tcp):
            c, peer = self.tcp.accept()
            threading.Thread(target=self.serve_connection, args=(c, peer), daemon=True).start()

    def serve_connection(self, c, peer):
        with c, contextlib.suppress(OSError):   # the user agent may have lost patience with a lie
            raw = b""
            while len(raw) < 5 or len(raw) < int.from_bytes(raw[2:5], "big"):
                got = c.recv(65536)
                if not got:
                    return
                raw += got
            r = self.parse(raw, peer, tcp=True)
            if r is None:
                return
            reply = self.answer(r, 1 << 24)
            for one in [reply] if self.hook is None else self.hook(self, r, reply):
                if one is not None:
                    c.sendall(one)
            c.recv(1)   # the user agent closes

    def answer(self, r, mtu):
        """The right reply, or None for silence."""
        mine = [s for s in r.scopes.lower().split(",") if s in self.scopes]
        if r.multicast and (self.host in r.responders.split(",")):
            return None
        if r.function == SRV_RQST and r.what == "service:directory-agent":
            return self.advert(r, mine)
        if not mine:
            if r.multicast:
                return None
            return message(SRV_RPLY if r.function == SRV_RQST else ATTR_RPLY, r.xid,
                           struct.pack(">H", SCOPE_NOT_SUPPORTED))
        if r.function == ATTR_RQST:
            body = struct.pack(">H", 0) + text(self.attrs.get(r.what, "")) + b"\0"
            return self.fit(ATTR_RPLY, r.xid, body, mtu)
        urls = self.services if r.what == TYPE else []
        if r.filter:
            urls = [u for u in urls if r.filter == "(iscsi-name=%s)" % u.split("/")[-1]]
        if r.multicast and not urls:
            return None
        whole = b"".join(entry(u) for u in urls)
        if HEADER + 2 + 4 + len(whole) <= mtu:
            return message(SRV_RPLY, r.xid, struct.pack(">HH", 0, len(urls)) + whole)
        body, fitting = b"", 0
        while HEADER + 2 + 4 + len(body) + len(entry(urls[fitting])) <= mtu:
            body += entry(urls[fitting])
            fitting += 1
        return message(SRV_RPLY, r.xid, struct.pack(">HH", 0, fitting) + body, OVERFLOW)

    @staticmethod
    def fit(function, xid, body, mtu):
        if HEADER + 2 + len(body) <= mtu:
            return message(function, xid, body)
        return message(function, xid, body[:mtu - HEADER - 2], OVERFLOW)

    def advert(self, r, mine):
        if r.scopes and not mine:
            return None if r.multicast else message(DA_ADVERT, r.xid, struct.pack(">H", SCOPE_NOT_SUPPORTED))
        if not self.directory:
            # A service agent has nothing of this type: section 8.2.
            return None if r.multicast else message(SRV_RPLY, r.xid, struct.pack(">HH", 0, 0))
        return message(DA_ADVERT, r.xid, struct.pack(">HI", 0, self.boot_time) +
                       text("service:directory-agent://" + self.host) + text(",".join(self.scopes)) + text("") +
                       text("") + b"\0")
