"""The network between initiator and targets: a program that forwards connections, and does to them what networks do.

proxy.py HOST:PORT>HOST:PORT...: forwards each first one to the second.  Commands on the standard input, answered by a line each; N is
the number of a pair, from 0:

  well N      forward; what lost bytes is cut
  stall N     nothing moves, nothing is lost
  hole N      everything is accepted, nothing arrives
  slow N MS   everything comes so many milliseconds later
  cut N       every connection ends with a reset
  closed N    as cut, and connections are refused until "well"
  links N     nothing is done to it: the answer says how many connections it forwards now
"""
import collections
import contextlib
import errno
import json
import selectors
import socket
import struct
import sys
import time

CHUNK, QUEUE_BYTES = 1 << 18, 1 << 20
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
AGAIN_S = 0.005


def reset(s):
    with contextlib.suppress(OSError):
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


class End:
    """One side of a connection, with what is on its way to it."""

    def __init__(self, link, s):
        self.link, self.socket, self.peer = link, s, None
        self.queue, self.size, self.events = collections.deque(), 0, 0
        s.setblocking(False)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Link:
    """A connection."""

    def __init__(self, pair, s):
        self.pair, self.has_lost, self.is_ending, self.is_connected = pair, False, False, False
        self.near, self.far = End(self, s), End(self, socket.socket())
        self.near.peer, self.far.peer = self.far, self.near
        error = self.far.socket.connect_ex(pair.target)
        if error not in (0, errno.EINPROGRESS):
            self.far.socket.close()
            raise OSError(error, "no target")

    def ends(self):
        return (self.near, self.far)

    def interest(self):
        """What is waited for, by the pair's state."""
        for end in self.ends():
            events = 0
            if self.pair.state != "stall" and end.peer.size < QUEUE_BYTES and not self.is_ending and self.is_connected:
                events |= READ
            if end.queue and end.queue[0][0] <= time.monotonic() and self.pair.state != "stall" or \
                    not self.is_connected and end is self.far:
                events |= WRITE
            if events != end.events:
                selector = self.pair.proxy.selector
                if not end.events:
                    selector.register(end.socket, events, end)
                elif not events:
                    selector.unregister(end.socket)
                else:
                    selector.modify(end.socket, events, end)
                end.events = events

    def end(self, how=socket.socket.close):
        for end in self.ends():
            if end.events:
                self.pair.proxy.selector.unregister(end.socket)
                end.events = 0
            how(end.socket)
        self.pair.links.discard(self)

    def ready(self, end, events):
        try:
            if not self.is_connected:
                error = self.far.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if error:
                    raise OSError(error, "no target")
                self.is_connected = True
            elif events & READ:
                self.receive(end)
            if events & WRITE:
                self.send(end)
        except BlockingIOError:
            pass
        except OSError:
            self.end(reset)
            return
        if self.is_ending and not any(e.queue for e in self.ends()):
            self.end()
        else:
            self.interest()

    def receive(self, end):
        data = end.socket.recv(CHUNK)
        if not data:
            self.is_ending = True
        elif self.pair.state == "hole":
            self.has_lost = True
        else:
            end.peer.queue.append((time.monotonic() + self.pair.delay, data))
            end.peer.size += len(data)
            self.send(end.peer)

    def send(self, end):
        while end.queue and end.queue[0][0] <= time.monotonic() and self.pair.state != "stall":
            due, data = end.queue.popleft()
            try:
                sent = end.socket.send(data)
            except BlockingIOError:
                sent = 0
            end.size -= sent
            if sent < len(data):
                end.queue.appendleft((due, data[sent:]))
                return


class Pair:
    def __init__(self, proxy, words):
        here, there = ((host, int(port)) for host, port in (word.rsplit(":", 1) for word in words.split(">")))
        self.proxy, self.here, self.target = proxy, here, there
        self.state, self.delay, self.links, self.listener = "well", 0.0, set(), None
        self.listen()

    def listen(self):
        if self.listener is None:
            self.listener = socket.create_server(self.here, backlog=128)
            self.listener.setblocking(False)
            self.proxy.selector.register(self.listener, READ, self)

    def ready(self, _events):
        with contextlib.suppress(BlockingIOError):
            s, _ = self.listener.accept()
            try:
                link = Link(self, s)
            except OSError:
                reset(s)
                return
            self.links.add(link)
            link.interest()

    def obey(self, what, words):
        old, self.state = self.state, "well" if what == "cut" else what
        self.delay = float(words[0]) / 1000 if what == "slow" else 0.0
        for link in list(self.links):
            if what in ("cut", "closed") or (link.has_lost and what != "hole"):
                link.end(reset)
        if what == "closed" and self.listener:
            self.proxy.selector.unregister(self.listener)
            self.listener.close()
            self.listener = None
        elif old == "closed":
            self.listen()
        for link in self.links:
            link.interest()


class Proxy:
    def __init__(self, pairs):
        self.selector = selectors.DefaultSelector()
        self.pairs = [Pair(self, words) for words in pairs]
        self.selector.register(sys.stdin.buffer.raw, READ, None)

    def turn(self):
        """False: the standard input has ended."""
        waiting = [link for pair in self.pairs for link in pair.links if pair.state != "stall"
                   and any(end.queue for end in link.ends())]
        for key, events in self.selector.select(AGAIN_S if waiting else None):
            if key.data is None:
                line = sys.stdin.buffer.raw.readline().decode().split()
                if not line:
                    return False
                pair = self.pairs[int(line[1])]
                if line[0] != "links":
                    pair.obey(line[0], line[2:])
                print(json.dumps({"links": len(pair.links)}), flush=True)
            elif isinstance(key.data, Pair):
                key.data.ready(events)
            elif key.data.events:  # not ended a moment ago
                key.data.link.ready(key.data, events)
        for link in waiting:
            if link in link.pair.links:
                link.interest()
        return True


def main():
    proxy = Proxy(sys.argv[1:])
    print("{}", flush=True)
    while proxy.turn():
        pass


main()
