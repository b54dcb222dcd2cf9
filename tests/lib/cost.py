"""What a peer's doing costs the driver: memory, log bytes, descriptors, time, and how long others wait meanwhile.

	with Cost(initiator) as cost:
		…
	assert cost.memory_mib < 8, cost
"""
import contextlib
import os
import select
import threading
import time

import proc


def memory_kib(pid, field="RssAnon"):
    with open("/proc/%d/status" % pid) as f:
        return [int(line.split()[1]) for line in f if line.startswith(field + ":")][0]


def cpu_seconds(pid):
    with open("/proc/%d/stat" % pid) as f:
        fields = f.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def queued_seconds(*pids):
    """How long their first threads have waited for a processor that others had; 0 where the kernel does not count it."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError), open("/proc/%d/task/%d/schedstat" % (pid, pid)) as f:
            total += int(f.read().split()[1]) / 1e9
    return total


class Cost:
    """asks: an operation that another process asks for again and again meanwhile; None: nobody does."""

    def __init__(self, initiator, asks="driver.version"):
        self.initiator, self.asks, self.pid = initiator, asks, initiator.driver.pid
        self.memory_mib = self.log_bytes = self.event_bytes = self.descriptors = self.cpu = self.seconds = self.wait = 0
        self.answered, self.is_over, self.peak = 0, False, 0
        self.watcher = threading.Thread(target=self.watch, daemon=True)

    def files(self):
        events = self.initiator.path("var", "log", "openisw")
        sizes = sum(os.path.getsize(os.path.join(events, n)) for n in os.listdir(events)) if os.path.isdir(events) else 0
        return os.path.getsize(self.initiator.log), sizes

    def look(self):
        self.peak = max(self.peak, memory_kib(self.pid))
        self.descriptors = max(self.descriptors, len(os.listdir("/proc/%d/fd" % self.pid)))

    def watch(self):
        while not self.is_over:
            self.look()
            time.sleep(0.01)  # no-sleep-ok: how often it is measured

    def ask(self, stop):
        """In a process of its own, which waits for nothing that the test does; says how long it waited, and how often.

        A machine that is busy with something else is not the driver's doing.
        """
        wait = answered = 0
        while not select.select([stop], [], [], 0.01)[0]:
            begin, queued = time.monotonic(), queued_seconds(self.pid, os.getpid())
            self.initiator.request(self.asks)
            took = time.monotonic() - begin - (queued_seconds(self.pid, os.getpid()) - queued)
            wait, answered = max(wait, took), answered + 1
        return "%f %d" % (wait, answered)

    def start_asking(self):
        stop, self.stop = os.pipe()
        self.told, told = os.pipe()
        self.child = os.fork()
        if self.child:
            os.close(stop)
            os.close(told)
            return
        try:
            os.close(self.stop)
            os.write(told, self.ask(stop).encode())
        finally:
            os._exit(0)

    def stop_asking(self):
        os.close(self.stop)
        os.waitpid(self.child, 0)
        said = os.read(self.told, 100).decode()
        os.close(self.told)
        if not said:
            raise proc.Failed("somebody who asked for %s was not answered" % self.asks)
        self.wait, self.answered = float(said.split()[0]), int(said.split()[1])

    def __enter__(self):
        self.before = memory_kib(self.pid)
        self.descriptors_before = len(os.listdir("/proc/%d/fd" % self.pid))
        self.files_before, self.cpu_before, self.begin = self.files(), cpu_seconds(self.pid), time.monotonic()
        if self.asks:
            self.start_asking()
        self.watcher.start()
        return self

    def __exit__(self, kind, *_):
        self.is_over = True
        self.watcher.join()
        if self.asks:
            self.stop_asking()
        if not self.initiator.driver.alive():
            raise proc.Failed("iscsi_driverd ended: %s" % "\n".join(self.initiator.driver.tail()))
        self.look()
        self.seconds, self.cpu = time.monotonic() - self.begin, cpu_seconds(self.pid) - self.cpu_before
        self.memory_mib = (self.peak - self.before) / 1024
        self.descriptors -= self.descriptors_before
        self.log_bytes, self.event_bytes = (a - b for a, b in zip(self.files(), self.files_before))

    def __str__(self):
        return "%.1f MiB, %d bytes of log, %d of events, %d descriptors, %.2f s of CPU in %.2f s, others waited %.3f s (%d times)" % (
            self.memory_mib, self.log_bytes, self.event_bytes, self.descriptors, self.cpu, self.seconds, self.wait, self.answered)
