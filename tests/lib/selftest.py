"""The helpers themselves: a comparison that cannot fail, or a count that is wrong, would make every other test worthless."""
import json
import os
import subprocess
import sys

import box
import net
import pattern
import proc
import tap

HERE = os.path.dirname(os.path.abspath(__file__))


def disk(name):
    path = os.path.join(box.directory(), name)
    with open(path, "wb") as f:
        f.truncate(1 << 20)
    made = pattern.Disk(path, path, path + ".shadow", seed=1)
    made.write_patterns(6, 64)
    made.check()
    return made


def notices(made):
    try:
        made.check()
    except AssertionError:
        return True
    return False


def flip(path, at):
    with open(path, "r+b") as f:
        byte = os.pread(f.fileno(), 1, at)[0]
        os.pwrite(f.fileno(), bytes([byte ^ 0x40]), at)


def write_log(name, tests):
    path = os.path.join(box.directory(), name)
    with open(path, "w") as f:
        f.writelines(json.dumps(dict({"stderr": "", "duration": 1.0}, **t)) + "\n" for t in tests)
    return path


def summary(tests, *failures, alone=()):
    log = write_log("testlog.json", tests)
    write_log("alone.json", alone)
    return subprocess.run([sys.executable, os.path.join(HERE, "summary.py"), log, "--"] + list(failures),
                          capture_output=True, text=True)


def main():
    with tap.script() as t:
        with t.case("a byte that changed where we wrote is found"):
            made = disk("a")
            flip(made.path, made.written[2][0] + made.written[2][1] - 1)
            assert notices(made)
        with t.case("a byte that changed where nobody wrote is found"):
            made = disk("b")
            used = sorted(made.written)
            hole = next(a + n for (a, n), (b, _) in zip(used, used[1:]) if a + n + 4096 < b)
            flip(made.path, hole + 4095)
            assert notices(made)
        with t.case("a process, and what it would leave, is found"):
            assert not box.leftovers(os.path.join(box.directory(), "x"))
            with proc.Daemon("tail", "-f", "/dev/null", "--", os.path.join(box.directory(), "x"), log=os.devnull):
                found = proc.wait_for("the process", lambda: box.leftovers(os.path.join(box.directory(), "x")))
                assert "tail" in found[0], found
        with t.case("a command over its limit is ended and fails"):
            try:
                proc.run("tail", "-f", "/dev/null", limit=0.2)
            except proc.Failed as e:
                assert "over its limit" in str(e)
            else:
                raise AssertionError("it went well")
        with t.case("a port is free until somebody listens"):
            with net.Silent() as peer:
                assert net.listening(peer.port)
                assert net.free_port() != peer.port
        with t.case("cases are counted: TAP of cmocka and of meson, programs without, skips with their reasons"):
            out = summary([
                {"name": "x", "result": "OK", "stdout": "1..3\nok 1 - a\nok 2 - b\nok 3 - c # SKIP no loop\n# ok - tests\n"},
                {"name": "y", "result": "OK", "stdout": "fine\n"},
                {"name": "z", "result": "SKIP", "stdout": "no fuse here\n"},
            ])
            assert out.returncode == 0 and out.stdout.splitlines()[-1] == "3 passed, 0 failed, 2 skipped", out.stdout
            assert "no loop" in out.stdout and "no fuse here" in out.stdout, out.stdout
        with t.case("a failed case, a crash and a failed build fail the whole; so does nothing at all"):
            out = summary([
                {"name": "x", "result": "FAIL", "stdout": "ok 1 - a\nnot ok 2 - b\n# why\n"},
                {"name": "y", "result": "FAIL", "stdout": "ok 1 - a\n"},
            ], "the build")
            assert out.returncode == 1 and out.stdout.splitlines()[-1] == "2 passed, 3 failed, 0 skipped", out.stdout
            assert "# why" in out.stdout, out.stdout
            assert summary([]).returncode == 1
        with t.case("what passes alone is counted so and named, with why it had failed; what fails again fails"):
            bad = [{"name": n, "result": "FAIL", "stdout": "ok 1 - a\nnot ok 2 - b\n# why %s\n" % n} for n in "xy"]
            good = dict(bad[0], result="OK", stdout="ok 1 - a\nok 2 - b\n")
            out = summary(bad[:1], alone=[good])
            assert out.returncode == 0 and out.stdout.splitlines()[-1] == "2 passed, 0 failed, 0 skipped", out.stdout
            assert "# why x" in out.stdout and "to be mended: x" in out.stdout, out.stdout
            full = write_log("full.json", [dict(bad[0], name="openisw:a+b / x")])
            out = subprocess.run([sys.executable, os.path.join(HERE, "summary.py"), "--failed", full], capture_output=True, text=True)
            assert out.stdout == "x\n", out.stdout
            out = summary(bad, alone=[good, bad[1]])
            assert out.returncode == 1 and out.stdout.splitlines()[-1] == "3 passed, 1 failed, 0 skipped", out.stdout


main()
