"""Nobody becomes one of the driver's daemons, and nobody's lock keeps the initiator from anything."""
import os
import pwd

import accounts
import proc
import strangers
import tap
from initiator import Initiator

DAEMONS = ("iswd", "iscsi_resolvd", "islpd", "iisnsd", "iradd")


def users_of(initiator):
    """Starts the daemons that do not run; their users by name."""
    users = {}
    for name in DAEMONS:
        daemon = initiator.iswd if name == "iswd" else initiator.start_daemon(name)
        with open("/proc/%d/status" % daemon.pid) as f:
            users[name] = int([line for line in f if line.startswith("Uid:")][0].split()[1])
    return users


def main():
    with tap.script() as t:
        if os.geteuid() != 0:
            raise tap.Skip("only root can be somebody else")
        initiator = Initiator()
        t.show_on_failure(initiator)
        with t.case("without their accounts, iscsi start says which are missing and how to make them, and goes on with numbers"):
            if accounts.are_there():
                raise tap.Skip("they are there")
            out = initiator.command("iscsi", "start", limit=120)
            assert all(name in out.err for name in accounts.wanted()[0]) and "systemd-sysusers" in out.err, out
            initiator.command("iscsi", "stop", "--force", limit=60)
        with t.case("without their accounts nothing of an installation starts"):
            if accounts.are_there():
                raise tap.Skip("they are there")
            for name in DAEMONS:
                out = proc.run(initiator.program(name), "--root", "/", "--foreground", env=initiator.env, ok=None)
                assert out.code == 1 and "there is no user openisw-" in out.err and "useradd" in out.err, out
            out = proc.run(initiator.program("iscsi"), "start", "--root", "/", env=initiator.env, ok=None)
            assert out.code == 1 and "nothing is started" in out.err, out
        with t.case("with their accounts it says nothing"):
            if not accounts.make():
                raise tap.Skip("no mount namespace to make them in")
            out = initiator.command("iscsi", "start", limit=120)
            assert "openisw-" not in out.err, out
            initiator.command("iscsi", "stop", "--force", limit=60)
        with initiator:
            users = users_of(initiator)
            run = lambda *words: initiator.path("run", "openisw", *words)
            for who in (strangers.NOBODY, strangers.SOMEBODY):
                with t.case("user %d cannot lock a pid file, reach a daemon's socket or read the registry" % who):
                    for name in DAEMONS + ("iscsi_driverd",):
                        assert strangers.outcome(strangers.lock, run(name + ".pid"), uid=who) == "Permission-denied", name
                    for name in DAEMONS:
                        assert strangers.outcome(strangers.announce, run(name, "sock"), uid=who) == "Permission-denied", name
                    for path in (("var", "lib", "openisw", "registry.db"), ("var", "log", "openisw", "events.jsonl")):
                        assert strangers.outcome(strangers.read, initiator.path(*path), uid=who) == "Permission-denied", path
            with t.case("each daemon is the user of its account"):
                if not accounts.are_there():
                    raise tap.Skip("there are none")
                for name in DAEMONS:
                    assert users[name] == pwd.getpwnam("openisw-" + name.replace("iscsi_", "")).pw_uid, users
            with t.case("the user of one daemon cannot pass for another"):
                for name in DAEMONS:
                    for other in DAEMONS:
                        if other != name:
                            assert strangers.outcome(strangers.announce, run(other, "sock"), uid=users[name]) == "Permission-denied", (name, other)
            with t.case("a daemon's user is no daemon without the lock of its pid file, and none that is dead leaves a place"):
                for name in DAEMONS:
                    initiator.helpers.get(name, initiator.iswd).kill()
                    proc.wait_for(name + " to be gone", lambda name=name: not initiator.has_daemon(name))
                    assert strangers.outcome(strangers.announce, run(name, "sock"), uid=users[name]) != "taken", name
                    assert not initiator.has_daemon(name), name
                    initiator.start_daemon(name)
            with t.case("a stranger is told that he may not know whether it runs"):
                out = initiator.command("iscsi", "status", ok=None)
                assert out.code in (0, 1) and "iswd is running" in out.out, out
                out = proc.run(initiator.program("iswd"), "--status", env=initiator.env, user="nobody", ok=None)
                assert out.code == 5 and "Permission denied" in out.err, out
        with t.case("a lock that was taken while a file could be read keeps nobody from starting, stopping or being seen"):
            for name in ("iscsi_driverd", "iswd"):
                with open(run(name + ".pid"), "w"):
                    os.chmod(run(name + ".pid"), 0o644)
            thieves = [strangers.Stranger(strangers.lock, run(name + ".pid")) for name in ("iscsi_driverd", "iswd")]
            assert [p.word for p in thieves] == ["locked"] * 2
            assert "is not running" in initiator.command("iscsi_driverd", "--status", ok=None).out
            with initiator:
                assert "is running (pid %d)" % initiator.driver.pid in initiator.command("iscsi_driverd", "--status").out
                assert "is running (pid %d)" % initiator.iswd.pid in initiator.command("iswd", "--status").out
            for p in thieves:
                p.end()


main()
