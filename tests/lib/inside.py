"""System calls in the name of another process: what somebody could do who has conquered it.

The process is stopped where it waits for the kernel, makes the calls there, with all that holds for it, and goes on.
"""
import ctypes
import os
import platform
import struct

import tap

ATTACH, DETACH, SINGLESTEP, GETREGS, SETREGS = 16, 17, 9, 12, 13
WALL = 0x40000000
SYSCALL = b"\x0f\x05"
# Of struct user_regs_struct: 27 words.
NAMES = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs").split()
CALLS = {"read": 0, "write": 1, "open": 2, "close": 3, "getdents64": 217, "socket": 41, "tgkill": 234, "unlink": 87, "chmod": 90, "chown": 92,
         "mkdir": 83, "mount": 165, "umount2": 166, "openat": 257, "readlink": 89, "symlink": 88, "openat2": 437}

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, pid, data=None):
    if libc.ptrace(request, pid, None, data) < 0:
        raise OSError(ctypes.get_errno(), "ptrace %d" % request)


def wait(pid):
    _, status = os.waitpid(pid, WALL)
    assert os.WIFSTOPPED(status), "process %d ended: %#x" % (pid, status)


class Inside:
    """with Inside(pid) as p: p.call("open", "/etc/shadow", os.O_RDONLY) -> its result, or a negative errno."""

    def __init__(self, pid):
        if platform.machine() != "x86_64":
            raise tap.Skip("only written for x86-64")
        self.pid, self.regs = pid, (ctypes.c_ulong * len(NAMES))()

    def __enter__(self):
        ptrace(ATTACH, self.pid)
        wait(self.pid)
        ptrace(GETREGS, self.pid, self.regs)
        self.saved = list(self.regs)
        self.mem = os.open("/proc/%d/mem" % self.pid, os.O_RDWR)
        assert os.pread(self.mem, 2, self.saved[NAMES.index("rip")] - 2) == SYSCALL, "it does not wait for the kernel"
        return self

    def __exit__(self, *_):
        self.set(self.saved)
        os.close(self.mem)
        ptrace(DETACH, self.pid)

    def set(self, values):
        self.regs[:] = values
        ptrace(SETREGS, self.pid, self.regs)

    def call(self, name, *args):
        regs = dict(zip(NAMES, self.saved))
        at, words = regs["rsp"] - 65536, []
        for arg in args:
            if isinstance(arg, str):
                arg = arg.encode() + b"\0"
            if isinstance(arg, bytes):
                os.pwrite(self.mem, arg, at)
                words.append(at)
                at += len(arg) + 16
            else:
                words.append(arg & (1 << 64) - 1)
        regs.update(zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), words + [0] * (6 - len(words))))
        regs.update(rax=CALLS[name], orig_rax=(1 << 64) - 1, rip=regs["rip"] - 2)
        self.set([regs[n] for n in NAMES])
        ptrace(SINGLESTEP, self.pid)
        wait(self.pid)
        ptrace(GETREGS, self.pid, self.regs)
        return struct.unpack("q", struct.pack("Q", self.regs[NAMES.index("rax")]))[0]
