#include "sys/confine_files.h"

#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <unistd.h>

/* Of headers that are younger than Debian 12's. */
#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER (1ull << 13)
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ull << 14)
#endif

#define READING (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define NAMING                                                        \
	(LANDLOCK_ACCESS_FS_READ_DIR | LANDLOCK_ACCESS_FS_MAKE_SOCK | \
	    LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REMOVE_FILE)
/* What a rule for something else than a directory may say. */
#define OF_FILES \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_TRUNCATE)

int
confine_files_abi(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	return abi < 0 ? -errno : (int)abi;
}

/* All that changes something, in the order the kernel learned it. */
static uint64_t
writing(long abi)
{
	uint64_t all = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
		       LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
		       LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
		       LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_FIFO |
		       LANDLOCK_ACCESS_FS_MAKE_BLOCK | LANDLOCK_ACCESS_FS_MAKE_SYM;

	if (abi >= 2)
		all |= LANDLOCK_ACCESS_FS_REFER;
	if (abi >= 3)
		all |= LANDLOCK_ACCESS_FS_TRUNCATE;
	return all;
}

/* A path that is not there needs no rule. */
static int
allow(int ruleset, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = { .allowed_access = access };
	struct stat st;
	int err = 0;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (fstat(rule.parent_fd, &st) == 0 && !S_ISDIR(st.st_mode))
		rule.allowed_access &= OF_FILES;
	if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
		err = -errno;
	(void)close(rule.parent_fd); /* O_PATH: nothing to lose */
	return err;
}

int
confine_files_below(const char *dir)
{
	struct landlock_ruleset_attr attr = { 0 };
	int abi = confine_files_abi(), ruleset, err;

	if (abi < 0)
		return abi;
	attr.handled_access_fs = writing(abi);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (ruleset < 0)
		return -errno;
	err = allow(ruleset, dir, attr.handled_access_fs);
	if (err == 0)
		err = allow(ruleset, "/dev/null", LANDLOCK_ACCESS_FS_WRITE_FILE);
	if (err == 0)
		err = allow(ruleset, "/dev/fuse", LANDLOCK_ACCESS_FS_WRITE_FILE);
	if (err == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		err = -errno;
	(void)close(ruleset); /* it is in force, or not wanted */
	return err;
}

int
confine_files_places(const struct confine_place *places, size_t n)
{
	struct landlock_ruleset_attr attr = { 0 };
	int abi = confine_files_abi(), ruleset, err = 0;

	if (abi < 0)
		return abi;
	attr.handled_access_fs = writing(abi) | READING;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
	if (ruleset < 0)
		return -errno;
	for (size_t i = 0; i < n && err == 0; i++) {
		const uint64_t access[] = {
			[CONFINE_READ] = READING,
			[CONFINE_WRITE] = attr.handled_access_fs,
			[CONFINE_NAMES] = NAMING,
		};

		err = allow(ruleset, places[i].path, access[places[i].access]);
	}
	if (err == 0 && syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		err = -errno;
	(void)close(ruleset); /* it is in force, or not wanted */
	return err;
}
