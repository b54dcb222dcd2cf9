"""The n-th call of anything fails, in each of our programs: see README.md.

nth.py [--all] [--seed N] [--seconds N] [--calls a,b] [--within FUNCTION] [--errors A,B] [--at N] [--trace] [PROGRAM…]
"""
import argparse
import os
import random
import time

import box
import commands
import field
import tap
from fieldtgt import FieldTarget
from fieldunit import Unit
from initiator import have_fuse
from life import Life, Violated
from lives import Held, Sockets
from page import Page, errors

MEMORY = ("malloc", "calloc", "realloc")
# (as it is asked for, the program, 1: the processes that it forks, its life)
PROCESSES = [("iscsi_driverd", "iscsi_driverd", 0, Life), ("porter", "iscsi_driverd", 1, Life), ("iswd", "iswd", 0, Life),
             ("iscsi_resolvd", "iscsi_resolvd", 0, Life), ("islpd", "islpd", 0, Life), ("iisnsd", "iisnsd", 0, Life), ("iradd", "iradd", 0, Life),
             ("iscsi_holderd", "iscsi_holderd", 0, Held), ("successor", "iscsi_driverd", 0, Held), ("nbd", "iscsi_driverd", 0, Sockets)]
# Those that are tried unasked; the others with --all, or by name: they are hours from being done.
ALWAYS = ("iscsi_driverd", "porter", "iswd", "iscsi_resolvd", "islpd", "iisnsd", "iradd", "iscsi_holderd")
PROGRESS = 30  # seconds
AT_MOST = 3    # of the calls from one place, the first, the last and one between, where not all are asked for


def rows(name):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), name), encoding="utf-8") as f:
        return [line.split() for line in f if not line.startswith("#")]


EXEMPT = {(kind, name) for kind, name, *_ in rows("exempt.txt")}


class Count:
    """What was tried: places and their calls, and how it ended."""

    def __init__(self):
        self.possible = self.lives = self.fired = self.restarts = 0
        self.violations = []

    def __str__(self):
        return "%d of %d calls and errnos tried, %d of them failed there; %d restarts, %d violations" % (
            self.lives, self.possible, self.fired, self.restarts, len(self.violations))


def numbers(site, is_all):
    if is_all or site.count <= AT_MOST:
        return range(1, site.count + 1)
    return sorted({1, 1 + site.count // 2, site.count})


def is_within(site, function):
    return any(name.split()[0] == function for name in site.names)


def is_exempt(site):
    return site.call in MEMORY and any(site.library == name if kind == "library" else is_within(site, name)
                                       for kind, name in EXEMPT)


def found(sites, process):
    """What has been found in this process."""
    return [(s, error, 1) for name, error, call, function in rows("found.txt") if name == process
            for s in sites if s.call == call and is_within(s, function)]


def plan(sites, options):
    """[(site, errno, which of its calls)], in a random order: what it is cut to is a sample."""
    chosen = []
    for s in sites:
        if is_exempt(s) or (options.only and (s.call in MEMORY) != (options.only == "memory")):
            continue
        if options.calls and s.call not in options.calls.split(","):
            continue
        if options.within and not is_within(s, options.within):
            continue
        if s.hash % options.part[1] != options.part[0] - 1:
            continue
        for error in options.errors.split(",") if options.errors else errors(s.call):
            chosen += [(s, error, at) for at in ([options.at] if options.at else numbers(s, options.all))]
    random.Random(options.seed).shuffle(chosen)
    # Memory is most of it: half of a sample is for all other calls.
    if not options.all:
        memory, other = ([c for c in chosen if (c[0].call in MEMORY) == m] for m in (True, False))
        chosen = [c for pair in zip(memory, other) for c in pair] + memory[len(other):] + other[len(memory):]
    return chosen


def live(page, kind, usual, options):
    """One life; the Violated, or None."""
    with kind(page, "life") as life:
        try:
            life.whole(usual)
            violated = None
        except Violated as v:
            violated = v
        except AssertionError as e:
            violated = Violated("the target: %s" % e)
        except (OSError, KeyError) as e:
            violated = Violated("%s: %s" % (type(e).__name__, e))
        if options.trace or violated:
            print("\n".join("#   " + line for line in [x[:300] for x in life.troubles[:3]] + life.new_log().splitlines()[-10:]), flush=True)
        return violated, life.restarts


def tell(count, what, violated):
    count.violations.append(what)
    print("# VIOLATED: %s\n%s" % (what, "\n".join("#   " + line for line in str(violated).splitlines()[:30])), flush=True)


def walk(name, program, children, kind, options, seconds):
    page, count = Page(box.directory(), program), Count()
    with kind(page, "dry") as life:
        usual = life.whole()
    sites = [s for s in page.sites() if s.children == children]
    page.name(sites)
    first = [] if options.within or options.calls else found(sites, name)
    chosen = first + plan(sites, options)
    count.possible = len(chosen)
    begin = said = time.monotonic()
    for site, error, at in chosen:
        now = time.monotonic()
        if seconds and now - begin > seconds and count.lives >= len(first):
            break
        if now - said > PROGRESS:
            said = now
            print("# %s: %s" % (name, count), flush=True)
        page.clear()
        page.arm(error, site.call, site=site.hash, at=at, children=children)
        violated, restarts = live(page, kind, usual, options)
        count.lives += 1
        count.fired += page.failed > 0
        count.restarts += restarts > 0
        if violated:
            tell(count, "%s: %s, call %d of %d from there, in %s" % (name, error, at, site.count, site), violated)
    print("# %s: %d places, %s, %d s" % (name, len(sites), count, time.monotonic() - begin), flush=True)
    assert not count.violations, "%d violations" % len(count.violations)


def walk_commands(t, options, seconds):
    violations = 0
    with FieldTarget([Unit(0)]) as target, field.initiator(t) as made:
        made.discover(target)
        made.command("insf")
        for command in commands.COMMANDS:
            count, begin = Count(), time.monotonic()

            def choose(page, sites):
                page.name(sites)
                first = found(sites, command.words[0])
                chosen = first + plan(sites, options)
                count.possible = len(chosen)
                for choice in chosen:
                    if count.lives >= len(first) and seconds and time.monotonic() - begin > seconds / len(commands.COMMANDS):
                        return
                    yield choice
            for site, error, at, violated, has_failed in commands.each(made, box.directory(), command, choose):
                count.lives += 1
                count.fired += has_failed
                if violated:
                    tell(count, "%s: %s, call %d of %d from there, in %s" % (command, error, at, site.count, site), violated)
            print("# %s: %s, %d s" % (command, count, time.monotonic() - begin), flush=True)
            violations += len(count.violations)
    assert not violations, "%d violations" % violations


def part(text):
    """K/N: the K-th of N parts."""
    k, n = map(int, text.split("/"))
    if not 1 <= k <= n:
        raise ValueError
    return k, n


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--all", action="store_true", help="each call from each place, with each errno; hours")
    p.add_argument("--seed", type=int, default=1, help="of the sample")
    p.add_argument("--seconds", type=int, default=8, help="for each program")
    p.add_argument("--calls", help="only these functions of the C library")
    p.add_argument("--only", choices=("memory", "system"), help="only allocations, or only all else")
    p.add_argument("--within", help="only where this function of ours led to it")
    p.add_argument("--errors", help="only these errnos")
    p.add_argument("--at", type=int, help="only the N-th call from a place")
    p.add_argument("--part", type=part, default=(1, 1), metavar="K/N", help="only the K-th of N parts, for runs side by side")
    p.add_argument("--trace", action="store_true", help="show each life's troubles and its log")
    p.add_argument("programs", nargs="*", help="%s, commands; none: all" % ", ".join(name for name, *_ in PROCESSES))
    options = p.parse_args()
    seconds = None if options.all or options.within or options.calls else options.seconds
    with tap.script() as t:
        if not have_fuse():
            raise tap.Skip("no /dev/fuse here")
        for name, program, children, kind in PROCESSES:
            if name not in (options.programs or ([n for n, *_ in PROCESSES] if options.all else ALWAYS)):
                continue
            with t.case("a call of %s fails: nothing crashes, hangs or lies, and then all works" % name, 1 << 20):
                walk(name, program, children, kind, options, seconds)
        if not options.programs or "commands" in options.programs:
            with t.case("a call of a command fails: it says what it always says, or why not", 1 << 20):
                walk_commands(t, options, seconds)


if __name__ == "__main__":
    main()
