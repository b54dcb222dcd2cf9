#include "sys/confine.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sys/confine_calls.h"

#define USER_PREFIX "openisw-"
/* Of an account's entry; ours have no long lists of anything. */
#define PASSWD_BYTES 4096

struct account {
	char name[64];
	uid_t uid;
	gid_t gid;
};

static void note_add(char *note, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static int note_failure(char *note, int err, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
static int choose_account(
    enum confine_profile profile, const struct confine_cfg *cfg, struct account *ret, char *note);
static bool can_reach(const char *dir, const struct account *a);
static int become(const struct account *a);
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
change_user(enum confine_profile profile, const struct confine_cfg *cfg, char *note)
{
	struct account a;
	int err;

	if (geteuid() != 0 || cfg->keep_user)
		return 0;
	err = choose_account(profile, cfg, &a, note);
	if (err < 0 || a.uid == 0)
		return err;
	if (cfg->run_dir != NULL && !can_reach(cfg->run_dir, &a)) {
		note_add(note, "still root: the user %s cannot enter %s", a.name, cfg->run_dir);
		return 0;
	}
	err = become(&a);
	if (err < 0 && cfg->user == NULL && !cfg->strict) {
		/* A container whose root is nobody else, or has too few rights for it. */
		note_add(note, "still root: cannot become the user %s: %s", a.name, strerror(-err));
		return 0;
	}
	return err < 0 ? note_failure(note, err, "cannot become the user %s", a.name) : 0;
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
	if (!cfg->may_gain && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return note_failure(note, -errno, "cannot forbid new privileges");
	err = drop_bounding(cfg->keep_caps);
	if (err < 0)
		return note_failure(note, err, "cannot limit capabilities");
	err = change_user(profile, cfg, note);
	if (err < 0)
		return err;
	err = drop_capabilities(cfg->keep_caps);
	if (err < 0)
		return note_failure(note, err, "cannot give up capabilities");
	err = confine_calls_filter(profile);
	if (err < 0 && cfg->strict)
		return note_failure(note, err, "cannot filter system calls");
	if (err < 0)
		note_add(note, "system calls are not filtered: %s", strerror(-err));
	return 0;
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

/* 1: found, 0: there is none, or a negative errno. */
static int
find_name(const char *name, struct account *ret)
{
	struct passwd pw, *found;
	char buf[PASSWD_BYTES];
	int err = getpwnam_r(name, &pw, buf, sizeof buf, &found);

	if (err != 0)
		return err == ENOENT ? 0 : -err;
	if (found == NULL || strlen(name) >= sizeof ret->name)
		return 0;
	memcpy(ret->name, name, strlen(name) + 1);
	ret->uid = pw.pw_uid;
	ret->gid = pw.pw_gid;
	return 1;
}

static int
choose_account(
    enum confine_profile profile, const struct confine_cfg *cfg, struct account *ret, char *note)
{
	struct stat st;
	char own[64];
	int found;

	if (cfg->run_dir != NULL && stat(cfg->run_dir, &st) == 0 && st.st_uid != 0) {
		(void)snprintf(ret->name, sizeof ret->name, "%u", st.st_uid);
		ret->uid = st.st_uid;
		ret->gid = st.st_gid;
		return 0;
	}
	if (cfg->user != NULL) {
		found = find_name(cfg->user, ret);
		if (found == 1)
			return 0;
		return note_failure(
		    note, found == 0 ? -ENOENT : found, "cannot become the user %.63s", cfg->user);
	}
	(void)snprintf(own, sizeof own, USER_PREFIX "%s", confine_calls_program(profile));
	found = find_name(own, ret);
	if (found == 0)
		found = find_name("nobody", ret);
	if (found == 1)
		return 0;
	note_add(note, "still root: there is no user %s and none called nobody", own);
	ret->uid = 0;
	return found;
}

/* Looked at as that user; the groups of root are not his. */
static bool
can_reach(const char *dir, const struct account *a)
{
	gid_t own = getegid();
	bool can;

	(void)setgroups(0, NULL); /* forbidden in some containers, where there are none to lose */
	if (setegid(a->gid) < 0)
		return true; /* become() will say why */
	if (seteuid(a->uid) < 0) {
		can = true;
	} else {
		can = faccessat(AT_FDCWD, dir, X_OK, AT_EACCESS) == 0;
		if (seteuid(0) < 0)
			return false;
	}
	return setegid(own) == 0 && can;
}

static int
become(const struct account *a)
{
	if (setgroups(0, NULL) < 0 && getgroups(0, NULL) > 0)
		return -errno;
	/* What is kept of them survives the change of the user. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return -errno;
	if (setresgid(a->gid, a->gid, a->gid) < 0 || setresuid(a->uid, a->uid, a->uid) < 0)
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
