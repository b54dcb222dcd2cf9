"""The commands, in which one call fails: they say what they always say, or why not; and what they report is so."""
import proc
from life import Unclear, Violated
from page import Page

PEER = ("127.0.0.9", 9)


def portals(made):
    return {(d["address"], d["port"]) for d in made.request("discovery.list")["targets"]}


def interval(made):
    return made.request("initiator.get")["timers"]["NOPInterval"]["seconds"]


def installed(made):
    """Also where a removal is under way still, whose command has failed: another one ends behind it."""
    made.command("rmsf", "-H", "255/0/0.0.0.0", ok=None)
    proc.wait_for("the device files to be there", lambda: made.command("insf", ok=None).code == 0)


class Command:
    """words; undo: what makes things as they were; is_done: whether it has happened."""

    def __init__(self, *words, undo=None, is_done=None):
        self.words, self.undo, self.is_done = words, undo, is_done

    def __str__(self):
        return " ".join(str(w) for w in self.words)


COMMANDS = [
    Command("iscsiutil", "-l"),
    Command("iscsiutil", "-p", "-D"),
    Command("iscsiutil", "-p", "-S"),
    Command("iscsiutil", "-a", "-I", *PEER[:1], "-P", PEER[1], is_done=lambda made: PEER in portals(made),
            undo=lambda made: PEER in portals(made) and made.request("discovery.remove", address=PEER[0], port=PEER[1])),
    Command("iscsiutil", "-t", "NOPInterval", "20", is_done=lambda made: interval(made) == 20,
            undo=lambda made: made.request("keys.set", key="NOPInterval", values="30")),
    Command("ioscan", "-f"),
    Command("ioscan", "-k", "-n", "-C", "disk"),
    Command("insf"),
    Command("rmsf", "-H", "255/0/0.0.0.0", undo=installed),
]


def run(made, page, command):
    environment = dict(made.env)
    made.env.update(page.environment())
    made.env["ASAN_OPTIONS"] += ":verify_asan_link_order=0"
    try:
        return made.command(*command.words, ok=None, limit=30)
    except proc.Failed as e:
        raise Violated(str(e)) from e
    finally:
        made.env.clear()
        made.env.update(environment)


def judge(made, command, usual, done, is_failing):
    if done.code is None or done.code < 0:
        raise Violated("ended by a signal: %s" % done)
    if "Sanitizer" in done.err or "runtime error" in done.err or "Assertion" in done.err:
        raise Violated(str(done))
    if done.code == 0:
        if done.out != usual.out:
            raise Violated("it says that all is well, but not what it should: %s\nusually: %s" % (done, usual.out))
        if command.is_done and not command.is_done(made):
            raise Violated("it says that it was done, but it was not: %s" % done)
        return
    if not is_failing:
        raise Violated("nothing failed, but: %s" % done)
    if command.words[0] not in done.err and len(done.err.split()) < 3:
        raise Unclear("it does not say why: %s" % done)


def begin(made, command):
    if command.undo:
        command.undo(made)


def each(made, directory, command, choose):
    """Yields (site, error, n, None or the Violated, whether it failed) of each that choose(page, sites) names."""
    page = Page(directory, command.words[0])
    begin(made, command)
    page.clear()
    usual = run(made, page, command)
    if usual.code != 0:
        raise proc.Failed(str(usual))
    for site, error, at in choose(page, page.sites()):
        begin(made, command)
        page.clear()
        page.arm(error, site.call, site=site.hash, at=at)
        try:
            judge(made, command, usual, run(made, page, command), page.failed)
        except Violated as v:
            yield site, error, at, v, page.failed > 0
            continue
        yield site, error, at, None, page.failed > 0
    begin(made, command)
