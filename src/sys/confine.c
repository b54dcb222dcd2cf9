#include "sys/confine.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <assert.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/confine_calls.h"
#include "sys/confine_files.h"

static void note_add(char *note, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int note_failure(char *note, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int become(const struct daemon_identity *who);
static int drop_bounding(uint64_t keep);
static int drop_capabilities(uint64_t keep);

/* Another sentence's part, behind what is there. */
static void
note_add(char *note, const char *fmt, ...)
{
	size_t len = strlen(note);
	va_list ap;

	if (len > 0 && len + 2 < CONFINE_NOTE_BYTES) {
		memcpy(note + len, "; ", 3);
		len += 2;
	}
	va_start(ap, fmt);
	if (vsnprintf(note + len, CONFINE_NOTE_BYTES - len, fmt, ap) < 0)
		note[len] = '\0';
	va_end(ap);
}

static int
change_user(const struct confine_cfg *cfg, char *note)
{
	const struct daemon_identity *who = cfg->user;
	int err;

	if (geteuid() != 0 || who == NULL)
		return 0;
	err = become(who);
	if (err < 0 && !cfg->strict) {
		/* A container whose root is nobody else, or has too few rights for it. */
		note_add(
		    note, "still root: cannot become the user %s: %s", who->name, strerror(-err));
		return 0;
	}
	return err < 0 ? note_failure(note, err, "cannot become the user %s", who->name) : 0;
}

void
confine_private(void)
{
	static const struct rlimit none = { 0, 0 };

	/* Both are always granted: they only take something away. */
	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

enum confine_profile
confine_find(const char *program)
{
#define PROFILE(id, name, ...)          \
	if (strcmp(program, name) == 0) \
		return CONFINE_##id;
#include "sys/confine.def"
	assert(program == NULL); /* it has no row */
	abort();
}

int
confine_enter(
    enum confine_profile profile, const struct confine_cfg *cfg, char note[CONFINE_NOTE_BYTES])
{
	int err;

	note[0] = '\0';
	confine_private();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return note_failure(note, -errno, "cannot forbid new privileges");
	err = drop_bounding(cfg->keep_caps);
	if (err < 0)
		return note_failure(note, err, "cannot limit capabilities");
	err = change_user(cfg, note);
	if (err < 0)
		return err;
	/* Another user's is what /proc/sys/fs/suid_dumpable says. */
	confine_private();
	err = drop_capabilities(cfg->keep_caps);
	if (err < 0)
		return note_failure(note, err, "cannot give up capabilities");
	err = cfg->write_below != NULL ? confine_files_below(cfg->write_below) : 0;
	if (err == 0 && cfg->n_places > 0 && confine_has_places())
		err = confine_files_places(cfg->places, cfg->n_places);
	if (err < 0)
		note_add(note, "files elsewhere are not out of reach: %s", strerror(-err));
	err = confine_calls_filter(profile);
	if (err < 0 && cfg->strict)
		return note_failure(note, err, "cannot filter system calls");
	if (err < 0)
		note_add(note, "system calls are not filtered: %s", strerror(-err));
	return 0;
}

bool
confine_has_places(void)
{
	return confine_files_abi() > 0;
}

int
confine_settle(void)
{
	return confine_calls_filter(CONFINE_SETTLED);
}

static int
note_failure(char *note, int err, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(note, CONFINE_NOTE_BYTES, fmt, ap);
	va_end(ap);
	if (n >= 0 && n < CONFINE_NOTE_BYTES)
		(void)snprintf(note + n, (size_t)(CONFINE_NOTE_BYTES - n), ": %s",
		    strerror(-err)); /* may be cut */
	return err;
}

static int
become(const struct daemon_identity *who)
{
	if (setgroups(0, NULL) < 0 && getgroups(0, NULL) > 0)
		return -errno;
	/* What is kept of them survives the change of the user. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return -errno;
	if (setresgid(who->gid, who->gid, who->gid) < 0 ||
	    setresuid(who->uid, who->uid, who->uid) < 0)
		return -errno;
	return prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) < 0 ? -errno : 0;
}

/* What a program we start could get.  Without CAP_SETPCAP we have nothing to give. */
static int
drop_bounding(uint64_t keep)
{
	for (unsigned cap = 0; cap < 64; cap++) {
		int has = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

		if (has < 0)
			break; /* the kernel's last one was the one before */
		if (has == 1 && (keep >> cap & 1) == 0 && prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) < 0)
			return errno == EPERM ? 0 : -errno;
	}
	return 0;
}

static int
drop_capabilities(uint64_t keep)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	if (syscall(SYS_capget, &head, caps) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		caps[i].permitted &= (uint32_t)(keep >> (32 * i));
		caps[i].effective = caps[i].permitted;
		caps[i].inheritable = 0;
	}
	/* The ambient ones go with the inheritable ones. */
	return syscall(SYS_capset, &head, caps) < 0 ? -errno : 0;
}
