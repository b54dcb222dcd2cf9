"""A disk that hangs when it shall write something out: a library preloaded into an initiator."""
import contextlib
import os
import shutil
import subprocess

import box
import tap

SHIM = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void
hang(void)
{
	const char *flag = getenv("HANGING_DISK");
	struct timespec t = { 0, 10000000 };

	while (flag != NULL && access(flag, F_OK) == 0)
		nanosleep(&t, NULL); /* no-sleep-ok: it is the disk that sleeps */
}

int
fdatasync(int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");

	hang();
	return real(fd);
}

int
fsync(int fd)
{
	int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");

	hang();
	return real(fd);
}
"""


class SlowDisk:
    def __init__(self):
        if not shutil.which("cc"):
            raise tap.Skip("no compiler here")
        if any(word in os.environ.get("OPENISW_BUILD", "") for word in ("sanitize", "clang", "tsan")):
            raise tap.Skip("a preloaded library and a sanitizer do not go together")
        self.shim, self.flag = (os.path.join(box.directory(), name) for name in ("slowdisk.so", "slowdisk.flag"))
        subprocess.run(["cc", "-shared", "-fPIC", "-x", "c", "-o", self.shim, "-"], input=SHIM.encode(), check=True)

    @contextlib.contextmanager
    def under(self):
        """What is made in here has it."""
        os.environ["LD_PRELOAD"], os.environ["HANGING_DISK"] = self.shim, self.flag
        try:
            yield
        finally:
            del os.environ["LD_PRELOAD"], os.environ["HANGING_DISK"]

    def hang(self):
        with open(self.flag, "w", encoding="ascii") as f:
            f.write("now")

    def go_on(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.flag)
