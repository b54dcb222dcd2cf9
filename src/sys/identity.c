#include "sys/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>

#define READERS "openisw"
/*
 * Numbers for initiators that are not installed (a build tree, a test).  systemd's
 * table of user numbers has nothing from 1879048192 to 2147483647.
 */
#define NUMBERS_FIRST 1985229328u
/* Of an account's entry; ours have no long lists of anything. */
#define ENTRY_BYTES 4096

static const struct {
	const char *program, *user;
} rows[] = {
#define PATH_DAEMON(id, program) { program, "openisw-" #id },
#include "sys/paths.def"
};

static int
find_account(struct daemon_identity *who)
{
	struct passwd pw, *found;
	char buf[ENTRY_BYTES];
	int err = getpwnam_r(who->name, &pw, buf, sizeof buf, &found);

	if (err != 0 && err != ENOENT)
		return -err;
	if (err != 0 || found == NULL)
		return -ENOENT;
	who->uid = pw.pw_uid;
	who->gid = pw.pw_gid;
	who->is_account = true;
	return 0;
}

static int
take_number(struct daemon_identity *who, uid_t number)
{
	struct passwd pw, *found = NULL;
	char buf[ENTRY_BYTES];

	if (getpwuid_r(number, &pw, buf, sizeof buf, &found) == 0 && found != NULL)
		return -EEXIST;
	who->uid = number;
	who->gid = number;
	return 0;
}

int
identity_of(const char *program, struct daemon_identity *ret)
{
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct daemon_identity who = { 0 };
		int err;

		if (strcmp(program, rows[i].program) != 0)
			continue;
		(void)snprintf(who.name, sizeof who.name, "%s", rows[i].user); /* it fits */
		err = find_account(&who);
		if (err == -ENOENT)
			err = take_number(&who, NUMBERS_FIRST + i);
		/* An account that is root is nobody's own. */
		if (err == 0 && who.uid == 0)
			err = -EEXIST;
		if (err == 0)
			*ret = who;
		return err;
	}
	return -ENOENT;
}

bool
identity_is_alone(void)
{
	unsigned long first, outside, count, users = 0;
	FILE *f = fopen("/proc/self/uid_map", "re");

	if (f == NULL)
		return false;
	while (fscanf(f, "%lu %lu %lu", &first, &outside, &count) == 3)
		users += count;
	(void)fclose(f); /* only read */
	return users == 1;
}

bool
identity_readers(gid_t *ret)
{
	struct group gr, *found = NULL;
	char buf[ENTRY_BYTES];

	if (getgrnam_r(READERS, &gr, buf, sizeof buf, &found) != 0 || found == NULL)
		return false;
	*ret = gr.gr_gid;
	return true;
}
