"""When it is tried again: at once where work was done, later and later where none is, never before the target's Time2Wait."""
import threading

import field
import proc
import tap
from fieldtgt import DROP, FieldTarget, Refused

SLACK = 0.1


def breaks_but_works(t):
    with t.case("a link that breaks again and again, and works between: no silence beside a living target", 60):
        with FieldTarget() as target, field.world(t, target) as made:
            path, longest = field.path(made), 0
            for k in range(40):
                io = field.write(path, k * field.BLOCK, field.block("b%d" % k)).good(10)
                longest = max(longest, io.took)
                target.hang_up(is_reset=k % 2 == 0)
            assert longest < 2.5, "a write took %.1f s" % longest
            assert target.logins > 20, target.logins


def idle_closed(t):
    with t.case("a target that closes idle sessions: each read is answered soon", 60):
        with FieldTarget() as target, field.world(t, target) as made:
            path = field.path(made)
            for k in range(8):
                field.pause(1)
                target.hang_up()
                field.pause(1)
                io = field.read(path, k * field.BLOCK).good(10)
                assert io.took < 1.5, "read %d took %.1f s" % (k, io.took)


def grows(t):
    for what, how in {"closes at once": "close", "says 0301": Refused(3, 1), "logs in and hangs up": "drop"}.items():
        with t.case("a target that %s is tried less and less often" % what, 60):
            with FieldTarget() as target, field.world(t, target) as made:
                target.on_login = lambda _, how=how: DROP if how == "close" else how if isinstance(how, Refused) else None
                if how == "drop":
                    target.on_command = lambda _: DROP
                before = target.count("login")
                target.hang_up()
                field.pause(20)
                tries = target.count("login") - before
                assert 3 <= tries <= 25, "%d tries in 20 seconds" % tries
                target.on_login = target.on_command = lambda _: None
                io = field.read(field.path(made)).good(40)
                assert io.took < 35, io.took


def while_io_waits(t):
    with t.case("while I/O waits, a target that is away is tried every two seconds at least", 60):
        with FieldTarget() as target, field.world(t, target) as made:
            path = field.path(made)
            target.on_login = lambda _: DROP
            target.hang_up()
            io = field.read(path)
            field.pause(14)
            times = [at for at in target.times("login") if at > io.begun]
            gaps = [b - a for a, b in zip(times, times[1:])]
            assert gaps and max(gaps) < 3, "seconds between the tries: %s" % ["%.1f" % g for g in gaps]
            target.on_login = lambda _: None
            assert io.good(5).took < 20


def after_stop(t):
    with t.case("a target that comes back is used within three seconds by I/O that waits", 90):
        with FieldTarget() as target, field.world(t, target) as made:
            path = field.path(made)
            target.stop()
            io = field.write(path, 0, field.block("x"))
            field.pause(12)
            target.again()
            back = target.log[-1][0] + 12
            io.good(10)
            assert io.ended - back < 5, io.ended - back


def time2wait(t):
    """An announced Time2Wait is kept, whatever comes meanwhile."""
    meanwhile = {
        "nothing": lambda made, path: None,
        "a read": lambda made, path: field.read(path),
        "a scan": lambda made, path: threading.Thread(target=made.request, args=("scan", 60), daemon=True).start(),
    }
    for code, what in {2: "drops the connection", 3: "drops all connections"}.items():
        for between, act in meanwhile.items():
            with t.case("an event says that the target %s, Time2Wait is 4; %s meanwhile" % (what, between)):
                with FieldTarget() as target, field.world(t, target) as made:
                    path, connection = field.path(made), target.online()[0]
                    before = target.count("login")
                    connection.event(code, parameters=(0, 4, 20))
                    connection.hang_up()
                    start = target.log[-1][0]
                    act(made, path)
                    proc.wait_for("a login", lambda: target.count("login") > before, limit=15)
                    waited = target.times("login")[before] - start
                    assert 4 - SLACK <= waited < 8, "it logged in after %.1f s" % waited
    with t.case("DefaultTime2Wait that the target negotiated is kept after a loss"):
        with FieldTarget() as target:
            target.keys = {"DefaultTime2Wait": "3"}
            with field.world(t, target) as made:
                path, before = field.path(made), target.count("login")
                target.hang_up()
                io = field.read(path)
                io.good(15)
                waited = target.times("login")[before] - io.begun
                assert 3 - 2 * SLACK <= waited < 6, waited
                assert made.request("scan", 60) is not None


def main():
    with tap.script() as t:
        for part in (breaks_but_works, idle_closed, while_io_waits, after_stop, time2wait, grows):
            part(t)


main()
