"""What is counted of an initiator's programs every few seconds, and the rules by which it is flat."""
import os
import statistics
import threading
import time

import proc

PAGE = os.sysconf("SC_PAGE_SIZE")
COUNTS = ("descriptors", "threads")
# Why there may be one more at times.
MAY_COME_AND_GO = {
    ("iscsi_resolvd", "threads"): "a thread looks names up, and stays for the next one",
    ("iscsi-porter", "descriptors"): "a job takes free loop devices of the machine out of the system",
}
# Threads by name that are made when the others are busy, and stay: loopdev.h, ublkrun.h.
POOLS = {"loopdev": 4, "ublkrun": 16}
# A life, or a run, that is shorter is still warming up: the driver touches pages of its pools for the first time for minutes.
JUDGED_S = 480
GROWTH, GROWTH_BYTES = 0.05, 512 << 10
EVENT_FILES, EVENT_FILE_BYTES = 5, (4 << 20) + 65536  # of limits.def
# SQLite begins the WAL anew at its first pause after 1000 pages; a transaction of many rows may come before that.
WAL_BYTES = 8 << 20


def threads_of(base):
    names = []
    for number in os.listdir(base + "task"):
        try:
            with open(base + "task/%s/comm" % number) as f:
                names.append(f.read().strip())
        except OSError:
            continue  # it ended meanwhile
    return {"threads": sum(name not in POOLS for name in names), "pools": {name: names.count(name) for name in POOLS}}


def look(pid):
    """Of a process now; None: it has ended."""
    base = "/proc/%d/" % pid
    try:
        with open(base + "statm") as f:
            row = {"resident": int(f.read().split()[1]) * PAGE}
        row.update(threads_of(base))
        try:
            row["descriptors"] = len(os.listdir(base + "fd"))
        except PermissionError:  # only root sees those of a private process
            row["descriptors"] = None
        return dict(row, pid=pid)
    except (OSError, IndexError):
        return None


def size(folder, *names):
    total = 0
    for path, _, files in os.walk(folder):
        for name in files:
            if not names or name in names:
                try:
                    total += os.path.getsize(os.path.join(path, name))
                except OSError:
                    continue
    return total


# -- rules ---------------------------------------------------------------------------------------------------------------

def quarter(points, number):
    """The values in the second (2) or last (4) quarter of the time."""
    first, last = points[0][0], points[-1][0]
    begin, end = (first + (last - first) * k / 4 for k in (number - 1, number))
    return [value for t, value in points if begin <= t <= end]


def is_flat(points):
    """(held, sentence): the median of the last quarter is no more than that of the second and 5 % or 512 KiB."""
    early, late = (statistics.median(quarter(points, k)) for k in (2, 4))
    limit = early + max(early * GROWTH, GROWTH_BYTES)
    return late <= limit, "median of the second quarter %.0f KiB, of the last %.0f KiB" % (early / 1024, late / 1024)


def lives(samples, name):
    """[(pid, points of resident memory)]"""
    found = {}
    for sample in samples:
        row = sample["programs"].get(name)
        if row:
            found.setdefault(row["pid"], []).append((sample["at_s"], row["resident"]))
    return list(found.items())


def judge_memory(samples, names):
    for name in names:
        judged = [(pid, points) for pid, points in lives(samples, name) if points[-1][0] - points[0][0] >= JUDGED_S]
        for number, (_, points) in enumerate(judged, 1):
            held, text = is_flat(points)
            yield {"what": "resident memory of %s is flat, life %d of %d (%.0f s)" % (
                name, number, len(judged), points[-1][0] - points[0][0]), "held": held, "why": text}


def judge_counts(samples, names):
    """At rest they are the same each time, also in another life; of what comes and goes there are never more than in the first half."""
    resting = [sample for sample in samples if sample["rest"]]
    for name in names:
        for count in COUNTS:
            values = [s["programs"][name][count] for s in resting if name in s["programs"]]
            why = "at rest %d times: %s" % (len(values), ", ".join(map(str, values)))
            if not values or None in values:
                continue
            if (name, count) in MAY_COME_AND_GO:
                half = len(values) // 2
                yield {"what": "%s of %s at rest do not become more" % (count, name), "held": max(values[half:]) <= max(values[:half + 1]),
                       "why": "%s; %s" % (MAY_COME_AND_GO[name, count], why)}
            else:
                yield {"what": "%s of %s at rest are always as many" % (count, name), "held": len(set(values)) == 1, "why": why}


def judge_pools(samples, names):
    for name in names:
        for pool, most in POOLS.items():
            seen = max(s["programs"][name].get("pools", {}).get(pool, 0) for s in samples if name in s["programs"])
            if seen:
                yield {"what": "threads %s of %s within the limit" % (pool, name), "held": seen <= most, "why": "%d of %d" % (seen, most)}


def within(what, most, limit):
    return {"what": "%s within the limit" % what, "held": most <= limit,
            "why": "%d KiB of %d" % (most >> 10, limit >> 10)}


def judge_files(samples):
    points = [(s["at_s"], s["registry"]) for s in samples]
    if points[-1][0] - points[0][0] >= JUDGED_S:
        held, text = is_flat(points)
        yield {"what": "the registry is flat", "held": held, "why": text}
    yield within("the registry's WAL is", max(s["wal"] for s in samples), WAL_BYTES)
    yield within("the logs are", max(s["logs"] for s in samples), EVENT_FILES * EVENT_FILE_BYTES)


def judge(samples):
    names = sorted({name for s in samples for name in s["programs"]})
    return [verdict for rule in (judge_memory(samples, names), judge_counts(samples, names), judge_pools(samples, names),
                                 judge_files(samples))
            for verdict in rule]


# -- taking them ---------------------------------------------------------------------------------------------------------

class Watch(threading.Thread):
    """Takes samples; says every half minute how it goes.  also: name and pid of other processes to watch."""

    SAID_EVERY_S = 30

    def __init__(self, place, interval, now, broken, also):
        super().__init__(daemon=True)
        self.place, self.interval, self.now, self.broken, self.also = place, interval, now, broken, also
        self.samples, self.over, self.lock, self.error = [], threading.Event(), threading.Lock(), None

    def take(self, rest=False):
        with self.lock:
            made = self.place.made
            pids = dict(made.pids(), **self.also)
            if rest:
                self.over.wait(0.5)  # until the driver has closed the connection of this question, too
            rows = {name: look(pid) for name, pid in pids.items()}
            sample = {"at_s": round(self.now(), 2), "rest": rest, "programs": {n: row for n, row in rows.items() if row},
                      "registry": size(made.path("var/lib/openisw"), "registry.db"),
                      "wal": size(made.path("var/lib/openisw"), "registry.db-wal"),
                      "logs": size(made.path("var/log/openisw")), "users": self.place.load.ask("report")}
            self.samples.append(sample)
            return sample

    def run(self):
        said = time.monotonic()
        while not self.over.wait(self.interval):
            try:
                self.take()
                if time.monotonic() - said >= self.SAID_EVERY_S:
                    said = time.monotonic()
                    self.say()
            except (proc.Failed, OSError, ValueError) as e:  # told at the end
                self.error = e
                return

    def stop(self):
        self.over.set()
        self.join(60)

    def say(self):
        last = self.samples[-1]
        before = next((s for s in reversed(self.samples) if s["at_s"] <= last["at_s"] - self.SAID_EVERY_S), self.samples[0])
        seconds = max(last["at_s"] - before["at_s"], 0.1)
        a, b = before["users"], last["users"]
        ios = sum(b[k] - a[k] for k in ("reads", "writes", "flushes"))
        driver = last["programs"].get("iscsi_driverd")
        print("%3d:%02d  %5.0f I/O/s, %5.1f MB/s; errors %d, differing %d; driver %s; %s" % (
            last["at_s"] // 60, last["at_s"] % 60, ios / seconds, (b["bytes"] - a["bytes"]) / seconds / 1e6, b["errors"],
            b["differing"], "%.1f MiB, %s descriptors" % (driver["resident"] / 2 ** 20, driver["descriptors"]) if driver else "away",
            self.broken()), flush=True)
