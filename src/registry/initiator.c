/* registry_initiator_name(): the name that an initiator has without being given one. */
#include <sys/random.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/iname.h"
#include "registry/db.h"

#define FILE_KEY "InitiatorName="
/* RFC 7143, section 4.2.7.4: a naming authority and a date at which it was ours. */
#define MADE_PREFIX  "iqn.2026-11.org.openisw"
#define RANDOM_BYTES 6
#define HOST_BYTES   64

static int take_from_file(const char *file, char ret[LIMIT_ISCSI_NAME_BYTES + 1]);
static int make(struct registry *r, char ret[LIMIT_ISCSI_NAME_BYTES + 1]);

int
registry_initiator_name(struct registry *r, const char *file, struct registry_made_name *ret)
{
	struct registry_made_name n = { 0 };
	char *value;
	int err = registry_get(r, NULL, REGISTRY_KEY_initiator_name, &value);

	if (err == 0) {
		(void)snprintf(n.name, sizeof n.name, "%s", value); /* keys.def: it fits */
		free(value);
		*ret = n;
		return 0;
	}
	if (err != -ENOENT)
		return err;
	n.file_err = take_from_file(file, n.name);
	if (n.file_err == 0) {
		n.from_file = true;
	} else {
		if (n.file_err == -ENOENT)
			n.file_err = 0; /* most systems have none */
		err = make(r, n.name);
		if (err < 0)
			return err;
		n.made = true;
	}
	err = registry_set(r, NULL, REGISTRY_KEY_initiator_name, n.name);
	if (err == 0)
		*ret = n;
	return err;
}

/* The last good line counts, as for the tools whose file it is.  -EINVAL: there is none. */
static int
take_from_text(char *text, char ret[LIMIT_ISCSI_NAME_BYTES + 1])
{
	char *rest = text, *line;
	int err = -EINVAL;

	while ((line = strsep(&rest, "\n")) != NULL) {
		line += strspn(line, " \t");
		if (strncmp(line, FILE_KEY, sizeof FILE_KEY - 1) != 0)
			continue;
		line += sizeof FILE_KEY - 1;
		line += strspn(line, " \t");
		line[strcspn(line, " \t\r#")] = '\0';
		if (iname_normalise(line, ret) == INAME_OK)
			err = 0;
	}
	return err;
}

static int
take_from_file(const char *file, char ret[LIMIT_ISCSI_NAME_BYTES + 1])
{
	/* Non-blocking: it may be a FIFO that somebody left there. */
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err;
	char text[LIMIT_NAME_FILE_BYTES + 1];
	size_t n = 0;
	ssize_t got;

	if (fd < 0)
		return -errno;
	do {
		got = read(fd, text + n, LIMIT_NAME_FILE_BYTES - n);
		if (got > 0)
			n += (size_t)got;
	} while ((got > 0 && n < LIMIT_NAME_FILE_BYTES) || (got < 0 && errno == EINTR));
	err = got < 0 ? -errno : 0;
	(void)close(fd); /* only read */
	if (err < 0)
		return err;
	text[n] = '\0';
	return take_from_text(text, ret);
}

/* What of the host's name an iSCSI name may hold, for the people who read it in a target's list. */
static void
host_part(char ret[HOST_BYTES])
{
	char host[HOST_BYTES] = "";
	size_t n = 0;

	if (gethostname(host, sizeof host - 1) < 0)
		host[0] = '\0';
	for (const char *p = host; *p != '\0' && *p != '.'; p++) {
		char c = *p >= 'A' && *p <= 'Z' ? (char)(*p - 'A' + 'a') : *p;

		if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-')
			ret[n++] = c;
	}
	ret[n] = '\0';
}

/* Host names repeat (localhost, containers); the random part does not. */
static int
make(struct registry *r, char ret[LIMIT_ISCSI_NAME_BYTES + 1])
{
	unsigned char random[RANDOM_BYTES];
	char host[HOST_BYTES], hex[2 * RANDOM_BYTES + 1];

	if (getrandom(random, sizeof random, 0) != sizeof random)
		return db_refuse(r, -EIO, "Set a name with 'iscsiutil -i -N'.",
		    "No initiator name can be made: the system gives no random bytes.");
	host_part(host);
	for (size_t i = 0; i < RANDOM_BYTES; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", random[i]); /* fits */
	(void)snprintf(ret, LIMIT_ISCSI_NAME_BYTES + 1, MADE_PREFIX ":%s%s%s", host,
	    host[0] != '\0' ? "." : "", hex); /* fits */
	return 0;
}
