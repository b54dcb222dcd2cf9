/*
 * A VFS over the disk in memory, for one process and one connection: locks are always had, the
 * index of the log is memory that goes with the process.  Beside it the calls of the C library that
 * the registry makes itself (the linker's --wrap).
 */
#include "vfs.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"
#include "sys/daemon.h"

#define SHM_REGIONS 8
#define FD_NAMES    9000
#define FD_FILES    9001
#define FD_LOCK     8999

struct vfile {
	sqlite3_file base;
	int file;
	enum visit what;
	bool must_sync_names; /* it may have been made by this open, and is no main file */
	void *shm[SHM_REGIONS];
};

static struct rng chance;

static struct vfile *
vfile_of(sqlite3_file *f)
{
	return (struct vfile *)(void *)f;
}

/* ---- a file ---- */

static int
v_close(sqlite3_file *f)
{
	for (int i = 0; i < SHM_REGIONS; i++)
		free(vfile_of(f)->shm[i]);
	memset(vfile_of(f)->shm, 0, sizeof vfile_of(f)->shm);
	return SQLITE_OK;
}

static int
v_read(sqlite3_file *f, void *to, int n, sqlite3_int64 at)
{
	size_t got = disk_read(vfile_of(f)->file, to, (size_t)n, (uint64_t)at);

	memset((uint8_t *)to + got, 0, (size_t)n - got);
	return got == (size_t)n ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int
v_write(sqlite3_file *f, const void *from, int n, sqlite3_int64 at)
{
	int err = disk_write(vfile_of(f)->file, from, (size_t)n, (uint64_t)at, vfile_of(f)->what);

	return err == 0 ? SQLITE_OK : err == -ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
}

static int
v_truncate(sqlite3_file *f, sqlite3_int64 size)
{
	return disk_truncate(vfile_of(f)->file, (uint64_t)size) == 0 ? SQLITE_OK
								     : SQLITE_IOERR_TRUNCATE;
}

/* As SQLite does on Linux: the first sync of a journal or log keeps its name, too. */
static int
v_sync(sqlite3_file *f, int flags)
{
	struct vfile *v = vfile_of(f);

	(void)flags;
	if (disk_sync(v->file) < 0)
		return SQLITE_IOERR_FSYNC;
	if (v->must_sync_names && disk_sync_names() < 0)
		return SQLITE_IOERR_DIR_FSYNC;
	v->must_sync_names = false;
	return SQLITE_OK;
}

static int
v_size(sqlite3_file *f, sqlite3_int64 *ret)
{
	*ret = disk_size(vfile_of(f)->file);
	return SQLITE_OK;
}

static int
v_lock(sqlite3_file *f, int how)
{
	(void)f;
	(void)how;
	return SQLITE_OK;
}

static int
v_is_reserved(sqlite3_file *f, int *ret)
{
	(void)f;
	*ret = 0;
	return SQLITE_OK;
}

static int
v_control(sqlite3_file *f, int op, void *arg)
{
	(void)f;
	(void)op;
	(void)arg;
	return SQLITE_NOTFOUND;
}

static int
v_sector(sqlite3_file *f)
{
	(void)f;
	return 4096;
}

static int
v_traits(sqlite3_file *f)
{
	(void)f;
	return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static int
v_shm_map(sqlite3_file *f, int i, int bytes, int extend, void volatile **ret)
{
	void **at = &vfile_of(f)->shm[i];

	if (i >= SHM_REGIONS)
		return SQLITE_IOERR_SHMSIZE;
	if (*at == NULL && extend != 0)
		*at = calloc(1, (size_t)bytes);
	*ret = *at;
	return *at != NULL || extend == 0 ? SQLITE_OK : SQLITE_NOMEM;
}

static int
v_shm_lock(sqlite3_file *f, int at, int n, int how)
{
	(void)f;
	(void)at;
	(void)n;
	(void)how;
	return SQLITE_OK;
}

static void
v_shm_barrier(sqlite3_file *f)
{
	(void)f;
}

static int
v_shm_unmap(sqlite3_file *f, int is_deleted)
{
	(void)is_deleted;
	return v_close(f);
}

static const sqlite3_io_methods methods = { 2, v_close, v_read, v_write, v_truncate, v_sync, v_size,
	v_lock, v_lock, v_is_reserved, v_control, v_sector, v_traits, v_shm_map, v_shm_lock,
	v_shm_barrier, v_shm_unmap, NULL, NULL };

/* ---- files ---- */

static int
v_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *f, int flags, int *ret_flags)
{
	struct vfile *v = vfile_of(f);

	(void)vfs;
	memset(v, 0, sizeof *v);
	if (name == NULL)
		return SQLITE_CANTOPEN;
	v->file = disk_find(name);
	if (v->file < 0 && (flags & SQLITE_OPEN_CREATE) != 0)
		v->file = disk_create(name);
	v->must_sync_names =
	    (flags & SQLITE_OPEN_CREATE) != 0 && (flags & SQLITE_OPEN_MAIN_DB) == 0;
	if (v->file < 0)
		return SQLITE_CANTOPEN;
	v->what = (flags & SQLITE_OPEN_WAL) != 0       ? VISIT_WRITE_LOG
		  : (flags & SQLITE_OPEN_MAIN_DB) != 0 ? VISIT_WRITE_DB
						       : VISIT_WRITE_JOURNAL;
	v->base.pMethods = &methods;
	if (ret_flags != NULL)
		*ret_flags = flags;
	return SQLITE_OK;
}

static int
v_delete(sqlite3_vfs *vfs, const char *name, int must_sync)
{
	int err = disk_unlink(name);

	(void)vfs;
	if (err < 0)
		return err == -ENOENT ? SQLITE_IOERR_DELETE_NOENT : SQLITE_IOERR_DELETE;
	return must_sync != 0 && disk_sync_names() < 0 ? SQLITE_IOERR_DIR_FSYNC : SQLITE_OK;
}

static int
v_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret)
{
	int file = disk_find(name);

	(void)vfs;
	/* An empty one counts as none, as in SQLite's own. */
	*ret = file >= 0 && (flags != SQLITE_ACCESS_EXISTS || disk_size(file) > 0);
	return SQLITE_OK;
}

static int
v_full_name(sqlite3_vfs *vfs, const char *name, int n, char *ret)
{
	(void)vfs;
	sqlite3_snprintf(n, ret, "%s", name);
	return SQLITE_OK;
}

static int
v_random(sqlite3_vfs *vfs, int n, char *ret)
{
	(void)vfs;
	for (int i = 0; i < n; i++)
		ret[i] = (char)rng_next(&chance);
	return n;
}

static int
v_sleep(sqlite3_vfs *vfs, int us)
{
	(void)vfs;
	return us;
}

static int
v_time(sqlite3_vfs *vfs, double *ret)
{
	(void)vfs;
	*ret = 2461373.0;
	return SQLITE_OK;
}

static int
v_last_error(sqlite3_vfs *vfs, int n, char *ret)
{
	(void)vfs;
	(void)n;
	(void)ret;
	return 0;
}

void
vfs_begin(unsigned long long seed)
{
	static sqlite3_vfs vfs = { .iVersion = 1,
		.szOsFile = sizeof(struct vfile),
		.mxPathname = 512,
		.zName = "disk",
		.xOpen = v_open,
		.xDelete = v_delete,
		.xAccess = v_access,
		.xFullPathname = v_full_name,
		.xRandomness = v_random,
		.xSleep = v_sleep,
		.xCurrentTime = v_time,
		.xGetLastError = v_last_error };

	rng_init(&chance, seed, 2);
	(void)sqlite3_vfs_register(&vfs, 1); /* cannot fail once SQLite has begun */
	sqlite3_randomness(0, NULL);         /* begins anew */
}

/* ---- the registry's own calls ---- */

static bool
is_ours(const char *path)
{
	return strncmp(path, STORE_ROOT, strlen(STORE_ROOT) - 1) == 0;
}

/* As the C library has it: -1 and errno. */
static int
result(int err)
{
	if (err >= 0)
		return err;
	errno = -err;
	return -1;
}

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int
__wrap_open64(const char *path, int flags, ...)
{
	va_list ap;
	int mode = 0, file;

	if ((flags & O_CREAT) != 0) {
		va_start(ap, flags);
		mode = va_arg(ap, int);
		va_end(ap);
	}
	if (!is_ours(path))
		return __real_open64(path, flags, mode);
	if ((flags & O_DIRECTORY) != 0)
		return FD_NAMES;
	file = disk_find(path);
	if (file >= 0 && (flags & O_EXCL) != 0)
		return result(-EEXIST);
	if (file == -ENOENT && (flags & O_CREAT) != 0)
		file = disk_create(path);
	return file < 0 ? result(file) : FD_FILES + file;
}

int __real_close(int fd);
int __wrap_close(int fd);
int
__wrap_close(int fd)
{
	return fd >= FD_LOCK ? 0 : __real_close(fd);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int
__wrap_fsync(int fd)
{
	if (fd < FD_NAMES)
		return __real_fsync(fd);
	return result(fd == FD_NAMES ? disk_sync_names() : disk_sync(fd - FD_FILES));
}

int __real_access(const char *path, int how);
int __wrap_access(const char *path, int how);
int
__wrap_access(const char *path, int how)
{
	int file = is_ours(path) ? disk_find(path) : 0;

	if (!is_ours(path))
		return __real_access(path, how);
	return file < 0 ? result(file) : 0;
}

static int
describe(int file, struct stat *ret)
{
	if (file < 0)
		return result(file);
	memset(ret, 0, sizeof *ret);
	ret->st_mode = S_IFREG | 0600;
	ret->st_size = disk_size(file);
	return 0;
}

int __real_stat64(const char *path, struct stat *ret);
int __wrap_stat64(const char *path, struct stat *ret);
int
__wrap_stat64(const char *path, struct stat *ret)
{
	return is_ours(path) ? describe(disk_find(path), ret) : __real_stat64(path, ret);
}

int __real_fstat64(int fd, struct stat *ret);
int __wrap_fstat64(int fd, struct stat *ret);
int
__wrap_fstat64(int fd, struct stat *ret)
{
	return fd >= FD_FILES ? describe(fd - FD_FILES, ret) : __real_fstat64(fd, ret);
}

int __real_fchmod(int fd, mode_t mode);
int __wrap_fchmod(int fd, mode_t mode);
int
__wrap_fchmod(int fd, mode_t mode)
{
	return fd >= FD_LOCK ? 0 : __real_fchmod(fd, mode);
}

ssize_t __real_pread64(int fd, void *to, size_t n, off_t at);
ssize_t __wrap_pread64(int fd, void *to, size_t n, off_t at);
ssize_t
__wrap_pread64(int fd, void *to, size_t n, off_t at)
{
	if (fd < FD_FILES)
		return __real_pread64(fd, to, n, at);
	return (ssize_t)disk_read(fd - FD_FILES, to, n, (uint64_t)at);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int
__wrap_rename(const char *from, const char *to)
{
	return is_ours(from) ? result(disk_rename(from, to)) : __real_rename(from, to);
}

int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int
__wrap_unlink(const char *path)
{
	return is_ours(path) ? result(disk_unlink(path)) : __real_unlink(path);
}

/* One process, by design. */
int __wrap_daemon_pid_open(const char *path, pid_t *ret_owner);
int
__wrap_daemon_pid_open(const char *path, pid_t *ret_owner)
{
	(void)path;
	(void)ret_owner;
	return FD_LOCK;
}

void __wrap_daemon_pid_close(const char *path, int fd);
void
__wrap_daemon_pid_close(const char *path, int fd)
{
	(void)path;
	(void)fd;
}
