"""A private place for a test: namespaces where allowed, one temporary directory, nothing left behind.

enter() runs the calling script again as a child, as root in mount, network and process namespaces of its own.  The parent
only waits and cleans up, so that a test that crashes, hangs or is killed leaves no process, mount, loop device or file.
Without the right to make namespaces the test runs beside everything else, on ports that were free.
"""
import ctypes
import errno
import fcntl
import glob
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile

PR_SET_PDEATHSIG = 1
CLONE_NEWNET = 0x40000000
PR_SET_CHILD_SUBREAPER = 36
LOOP_GET_STATUS64 = 0x4c05
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1
NAMESPACES = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]

libc = ctypes.CDLL(None, use_errno=True)


def die_with_parent():
    libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def directory():
    """The box's directory."""
    return os.environ["OPENISW_BOX"]


def isolated():
    return os.environ.get("OPENISW_BOX_NS") == "1"


def can_isolate():
    if os.geteuid() != 0 or not shutil.which("unshare"):
        return False
    return subprocess.run(NAMESPACES + ["true"], stderr=subprocess.DEVNULL).returncode == 0


def enter():
    """Returns in the child only."""
    if "OPENISW_BOX" in os.environ:
        if isolated():
            loopback_up()
        return
    base = tempfile.mkdtemp(prefix="oisw.")
    os.chmod(base, 0o755)
    command = [sys.executable] + sys.argv
    environment = dict(os.environ, OPENISW_BOX=base, OPENISW_BOX_NS="0")
    if can_isolate():
        command = NAMESPACES + command
        environment["OPENISW_BOX_NS"] = "1"
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = subprocess.Popen(command, env=environment, preexec_fn=die_with_parent, stdin=subprocess.DEVNULL)

    def stop(_number, _frame):
        raise KeyboardInterrupt
    signal.signal(signal.SIGTERM, stop)
    try:
        code = child.wait()
    except KeyboardInterrupt:
        child.kill()
        child.wait()
        code = 128 + signal.SIGTERM
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    sweep(base)
    sys.exit(code if code >= 0 else 128 - code)


def loopback_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        name = b"lo".ljust(16, b"\0")
        flags = struct.unpack_from("H", fcntl.ioctl(s, SIOCGIFFLAGS, name + bytes(24)), 16)[0]
        fcntl.ioctl(s, SIOCSIFFLAGS, name + struct.pack("H", flags | IFF_UP) + bytes(22))


def own_network():
    """For who has taken "--net" out of NAMESPACES, to fetch something first."""
    if libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "no network of its own")
    loopback_up()


def descendants(pid):
    found = []
    for path in glob.glob("/proc/%d/task/*/children" % pid):
        try:
            with open(path) as f:
                children = [int(word) for word in f.read().split()]
        except OSError:
            continue
        for child in children:
            found += [child] + descendants(child)
    return found


def mounts_under(base):
    with open("/proc/self/mountinfo") as f:
        points = [line.split()[4] for line in f]
    return [p for p in points if p == base or p.startswith(base + "/")]


def loop_files():
    """File by number of every loop device that has one, as the kernel names it."""
    found = {}
    for path in glob.glob("/sys/block/loop*/loop/backing_file"):
        try:
            with open(path) as f:
                found[int(path.split("/")[3][4:])] = f.read().strip()
        except OSError:
            continue
    return found


def loops_under(base):
    """Loop devices whose file lies under base.  One in a mount that was taken away is not known by its name any more."""
    return ["/dev/loop%d" % n for n, file in sorted(loop_files().items()) if base in file]


def dead_loops():
    """Loop devices on a disk ("/c1t0d0") of a mount whose process is dead: no use to anybody, and nobody's any more."""
    found = []
    for n, file in sorted(loop_files().items()):
        if not re.fullmatch(r"/c\d+t\d+d\d+( \(deleted\))?", file):
            continue
        try:
            fd = os.open("/dev/loop%d" % n, os.O_RDONLY | os.O_NONBLOCK)
        except OSError:
            continue
        try:
            fcntl.ioctl(fd, LOOP_GET_STATUS64, bytes(232))
        except OSError as e:
            if e.errno in (errno.ENOTCONN, errno.ECONNABORTED):
                found.append("/dev/loop%d" % n)
        finally:
            os.close(fd)
    return found


def processes_of(base):
    """Processes that name the box on their command line, but for this one and its parent."""
    found = []
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        pid = int(path.split("/")[2])
        try:
            with open(path, "rb") as f:
                words = f.read()
        except OSError:
            continue
        if pid not in (os.getpid(), os.getppid()) and base.encode() in words:
            found.append(pid)
    return found


def command_line(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            return f.read().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return "(it ended)"


def leftovers(base):
    """What a clean stop must not leave, as sentences."""
    left = ["mounted: " + m for m in mounts_under(base)]
    left += ["loop device: " + l for l in loops_under(base)]
    left += ["process %d: %s" % (pid, command_line(pid)) for pid in processes_of(base)]
    return left


def undo_devices(base):
    """Unmounts and detaches what lies under base, by force."""
    # The loop devices first: without its mount nobody knows whose one is.
    for loop in loops_under(base):
        subprocess.run(["losetup", "-d", loop], stderr=subprocess.DEVNULL)
    for mount in reversed(mounts_under(base)):
        subprocess.run(["umount", "-l", mount] if os.geteuid() == 0 else ["fusermount3", "-uz", mount],
                       stderr=subprocess.DEVNULL)
    # What a name space took with it, or a driver that was killed.
    for loop in dead_loops():
        subprocess.run(["losetup", "-d", loop], stderr=subprocess.DEVNULL)


def sweep(base):
    """Ends and removes everything of the box, by force."""
    for pid in descendants(os.getpid()):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    undo_devices(base)
    shutil.rmtree(base, ignore_errors=True)
