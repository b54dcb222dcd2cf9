"""What breaks, in turn: each kind once a round, in an order of the seed.

Each breaks something, lets it be so for a while, mends it where nobody else does, and says what it was.  Then all sessions must
come back and every user go on by himself.
"""
import contextlib
import os
import signal
import time

import proc
from place import AWAY, DAEMONS

BACK_S, AWAY_S, WORKING_S = 90, 150, 5
# Each is set for all targets, counts for a group from its next login, and is taken back.
SETTINGS = [("HeaderDigest", "CRC32C,None"), ("DataDigest", "CRC32C,None"), ("MaxRecvDataSegmentLength", "65536"),
            ("MaxBurstLength", "131072"), ("ImmediateData", "No"), ("InitialR2T", "Yes"), ("FirstBurstLength", "32768"),
            ("NOPInterval", "2"), ("CommandTimeout", "60")]
DEBUG, USUAL = 7, 3


class Faults:
    """scale: of all times, less than one where the run is short; now(): seconds since it began."""

    def __init__(self, place, random, scale, now):
        self.place, self.random, self.scale, self.now = place, random, scale, now
        self.done, self.daemons, self.kills = [], list(DAEMONS), 0
        self.random.shuffle(self.daemons)

    def for_a_while(self, least, most):
        seconds = self.random.uniform(least, most) * self.scale
        self.place.pause(seconds)
        return seconds

    def one_group(self):
        return self.random.choice(self.place.groups)

    # -- targets ---------------------------------------------------------------------------------------------------------

    def target_killed(self):
        group = self.one_group()
        # A storage system shows itself when it is whole again, tgtd a target at a time; half of the time it does here.
        if self.random.random() < 0.5:
            self.place.proxy.ask("closed", group.number)
        group.tgt.daemon.kill(signal.SIGKILL)
        seconds = self.for_a_while(0, 8)
        group.start()
        self.place.proxy.ask("well", group.number)
        return "tgtd %d, for %.1f s" % (group.number, seconds)

    def target_stopped(self):
        group = self.one_group()
        group.tgt.daemon.process.send_signal(signal.SIGSTOP)
        seconds = self.for_a_while(2, 15)
        group.tgt.daemon.process.send_signal(signal.SIGCONT)
        return "tgtd %d, for %.1f s" % (group.number, seconds)

    # -- the network -----------------------------------------------------------------------------------------------------

    def network(self, *words, times=(2, 12)):
        group = self.one_group()
        self.place.proxy.ask(words[0], group.number, *words[1:])
        seconds = self.for_a_while(*times)
        self.place.proxy.ask("well", group.number)
        return "of tgtd %d, for %.1f s" % (group.number, seconds)

    def network_cut(self):
        return self.network("cut", times=(0, 1))

    def network_stalled(self):
        return self.network("stall")

    def network_black_hole(self):
        return self.network("hole", times=(2, 20))

    def network_slow(self):
        return self.network("slow", self.random.choice([5, 50, 200]))

    def network_refused(self):
        return self.network("closed")

    # -- the initiator ---------------------------------------------------------------------------------------------------

    def daemon_killed(self):
        """The next one; half of the time while a target is away, too."""
        group = self.one_group()
        is_away = self.random.random() < 0.5
        if is_away:
            self.place.proxy.ask("closed", group.number)
        name = self.kill_daemon()
        if is_away:
            self.for_a_while(0, 3)
            self.place.proxy.ask("well", group.number)
        return name + (", without tgtd %d" % group.number if is_away else "")

    def kill_daemon(self):
        name = self.daemons[0]
        self.daemons.append(self.daemons.pop(0))
        pid = proc.wait_for(name, lambda: self.place.made.pids().get(name))
        os.kill(pid, signal.SIGKILL)
        # Somebody needs it at once.
        self.place.proxy.ask("cut", self.one_group().number)
        proc.wait_for("another " + name, lambda: self.place.made.pids().get(name) not in (None, pid), limit=BACK_S, every=0.1)
        return name

    def setting_changed(self):
        key, value = self.random.choice(SETTINGS)
        group = self.one_group()
        for now in (value, "default"):
            self.place.made.command("iscsiutil", "-t", key, *now.split(","))
            self.place.proxy.ask("cut", group.number)
            self.place.settle(BACK_S)
            self.for_a_while(1, 3)
        return "%s=%s and back, tgtd %d" % (key, value, group.number)

    def scanned(self):
        failures = self.place.made.request("scan", 120)["failures"]
        assert not failures, failures
        return "found everything"

    def session_logged_out(self):
        disk = self.random.randrange(self.place.sessions)
        self.place.load.ask("hold", disk)
        instance = self.place.sessions_now()[disk]["instance"]
        self.place.made.command("iscsiutil", "-d", "-S", instance)
        self.for_a_while(0, 2)
        self.place.made.request("scan", 120)
        self.place.settle(BACK_S)
        self.place.tell_paths()
        self.place.load.ask("go", disk)
        return "disk %d" % disk

    def log_level_changed(self):
        self.place.made.command("iscsiutil", "-b", DEBUG)
        seconds = self.for_a_while(1, 4)
        self.place.made.command("iscsiutil", "-b", USUAL)
        return "debug, for %.1f s" % seconds

    # -- the driver ------------------------------------------------------------------------------------------------------

    def another_driver(self, old):
        with contextlib.suppress(*AWAY):
            return self.place.made.request("driver.status", limit=10)["pid"] != old

    def driver_killed(self):
        """Its disks outlive it: every second time their users stop before.  What was acknowledged is there."""
        place = self.place
        is_used = self.kills % 2 == 0
        self.kills += 1
        old = place.made.pids()["iscsi_driverd"]
        if not is_used:
            place.load.ask("hold", "all")
        os.kill(old, signal.SIGKILL)
        proc.wait_for("another driver", lambda: self.another_driver(old), limit=BACK_S, every=0.1)
        place.settle(AWAY_S)
        place.load.ask("hold", "all")
        place.tell_paths()
        bad = place.check_all()
        assert not bad, "after the driver was killed: %s" % bad
        place.load.ask("go", "all")
        return "with its disks in use" if is_used else "while nobody used its disks"

    # -- in turn ---------------------------------------------------------------------------------------------------------

    KINDS = ["target_killed", "target_stopped", "network_cut", "network_stalled", "network_black_hole", "network_slow",
             "network_refused", "daemon_killed", "setting_changed", "scanned", "session_logged_out", "log_level_changed"]

    def round(self):
        kinds = list(self.KINDS)
        self.random.shuffle(kinds)
        return kinds

    def do(self, kind):
        """Breaks, mends, and waits until all is well and everybody works."""
        row = {"kind": kind, "at_s": round(self.now(), 2)}
        self.done.append(row)
        row["what"] = getattr(self, kind)()
        mended = time.monotonic()
        self.place.settle(BACK_S)
        proc.wait_for("every user to go on", lambda: self.place.load.ask("report", "peek")["waiting_s"] < WORKING_S, limit=BACK_S,
                      every=0.2)
        row["back_s"] = round(time.monotonic() - mended, 2)
        row["took_s"] = round(self.now() - row["at_s"], 2)
