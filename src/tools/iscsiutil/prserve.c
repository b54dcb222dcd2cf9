/*
 * Everything about a client is hostile, his descriptors, too: one of a file system of his own
 * (FUSE) lets whoever asks it, or closes it, wait for ever.  So that is done here, where
 * nobody else waits.  Which unit is meant is told by the kernel: a block device by its number and
 * sysfs, a file by device and inode, compared with those of the file that we find ourselves.
 */
#include "tools/iscsiutil/prserve.h"

#include <sys/prctl.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "ipc/client.h"
#include "sys/confine.h"
#include "sys/log.h"
#include "sys/sock.h"
#include "tools/common/result.h"
#include "tools/iscsiutil/prwire.h"

#define STATUS_CHECK 0x02

/* Sense data of ours, SPC-4, annex D: key, ASC, ASCQ. */
static const struct {
	uint8_t key, asc, ascq;
} no_rights = { 0x5, 0x20, 0x02 },  /* ACCESS DENIED - NO ACCESS RIGHTS */
    no_unit = { 0x5, 0x25, 0x00 },  /* LOGICAL UNIT NOT SUPPORTED */
    not_sent = { 0x2, 0x04, 0x00 }, /* LOGICAL UNIT NOT READY: nothing happened */
    /*
     * LOGICAL UNIT COMMUNICATION TIME-OUT, as an error of the hardware: systems repeat a command
     * that was aborted by themselves, and this one's fate is not known.
     */
    unknown = { 0x4, 0x08, 0x01 };

struct serving {
	const struct paths *paths;
	int fd;
	int disks; /* the directory of our disks: from when we could go there */
	struct ipc_client *driver;
	struct prwire wire;
	int disk; /* the descriptor that came with the command; -1: none */
	bool is_over;
};

/* ---- answers ---- */

static bool
send_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = sock_send(fd, p, n, -1);

		if (sent < 0 && sent != -EINTR)
			return false;
		p += sent > 0 ? sent : 0;
		n -= sent > 0 ? (size_t)sent : 0;
	}
	return true;
}

static void
answer(struct serving *s, uint8_t status, const uint8_t *data, size_t n, const uint8_t *sense,
    size_t sense_len)
{
	uint8_t head[PRWIRE_ANSWER_BYTES];

	prwire_answer(head, status, (uint32_t)n, sense, sense_len);
	if (!send_all(s->fd, head, sizeof head) || !send_all(s->fd, data, n))
		s->is_over = true;
}

static void
answer_sense(struct serving *s, uint8_t key, uint8_t asc, uint8_t ascq)
{
	uint8_t sense[PRWIRE_OWN_SENSE_BYTES];

	prwire_sense(sense, key, asc, ascq);
	answer(s, STATUS_CHECK, NULL, 0, sense, sizeof sense);
}
#define ANSWER_OWN(s, what) answer_sense(s, (what).key, (what).asc, (what).ascq)

/* What the driver told of the unit's answer. */
static void
pass_on(struct serving *s, const json_t *result)
{
	const char *data = result_text(result, "data");
	const char *bytes = result_text(json_object_get(result, "sense"), "bytes");
	json_int_t status = result_number(result, "status");
	uint8_t sense[PRWIRE_SENSE_BYTES];
	size_t n = 0, sense_len = 0;

	if (status < 0 || status > UINT8_MAX ||
	    strcmp(result_text(result, "fate"), "answered") != 0) {
		ANSWER_OWN(s, unknown);
		return;
	}
	if (strlen(bytes) > 2 * sizeof sense || !hex_decode(bytes, sense, sizeof sense, &sense_len))
		sense_len = 0; /* longer than the protocol has room for */
	if (status != 0 || !hex_decode(data, s->wire.data, sizeof s->wire.data, &n) ||
	    s->wire.is_out)
		n = 0;
	answer(s, (uint8_t)status, s->wire.data, n, sense, sense_len);
}

/* ---- which unit ---- */

static bool
find_block(const struct statx *st, char ret_name[64])
{
	char link[64], target[PATH_MAX];
	const char *last;
	ssize_t n;

	(void)snprintf(link, sizeof link, "/sys/dev/block/%u:%u", st->stx_rdev_major,
	    st->stx_rdev_minor); /* fits */
	n = readlink(link, target, sizeof target - 1);
	if (n <= 0)
		return false;
	target[n] = '\0';
	last = strrchr(target, '/');
	return snprintf(ret_name, 64, "%s", last != NULL ? last + 1 : target) < 64;
}

/* Where a descriptor of ours seems to be; false: that cannot be told. */
static bool
where(int fd, char ret_path[PATH_MAX])
{
	char link[64];
	ssize_t n;

	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd); /* fits */
	n = readlink(link, ret_path, PATH_MAX - 1);
	ret_path[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* Where the file seems to be, and that it is the one which we find there. */
static bool
find_file(const struct serving *s, const struct statx *st, char ret_name[64])
{
	char path[PATH_MAX], top[PATH_MAX];
	struct statx ours;
	const char *last;
	size_t n;

	if (!where(s->disk, path) || !where(s->disks, top))
		return false;
	n = strlen(top);
	last = strrchr(path, '/');
	if (strncmp(path, top, n) != 0 || path[n] != '/' || last == NULL ||
	    statx(s->disks, path + n + 1, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC,
		STATX_TYPE | STATX_INO, &ours) != 0 ||
	    !S_ISREG(ours.stx_mode) || ours.stx_ino != st->stx_ino ||
	    ours.stx_dev_major != st->stx_dev_major || ours.stx_dev_minor != st->stx_dev_minor)
		return false;
	return snprintf(ret_name, 64, "%s", last + 1) < 64;
}

/* Puts "block" or "name"; false: it is no disk that may be one of ours. */
static bool
put_unit(const struct serving *s, json_t *args)
{
	const char *member;
	char name[64];
	struct statx st;

	/* Without asking its file system, which may be the client's. */
	if (statx(s->disk, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE | STATX_INO, &st) !=
	    0)
		return false;
	if (S_ISBLK(st.stx_mode) && find_block(&st, name))
		member = "block";
	else if (S_ISREG(st.stx_mode) && find_file(s, &st, name))
		member = "name";
	else
		return false;
	return json_object_set_new(args, member, json_string(name)) == 0;
}

/*
 * As the kernel does it with its own ioctls: who may write the disk may reserve it, who may read it
 * may look.  O_PATH gives no right at all.
 */
static bool
has_rights(const struct serving *s)
{
	int flags = fcntl(s->disk, F_GETFL);

	if (flags < 0 || (flags & O_PATH) != 0)
		return false;
	return s->wire.is_out ? (flags & O_ACCMODE) == O_RDWR || (flags & O_ACCMODE) == O_WRONLY
			      : (flags & O_ACCMODE) != O_WRONLY;
}

/* ---- commands ---- */

static bool
put_hex(json_t *args, const char *key, const uint8_t *bytes, size_t n)
{
	char *text = malloc(2 * n + 1);
	bool ok = text != NULL;

	if (ok)
		hex_encode(text, bytes, n);
	ok = ok && json_object_set_new(args, key, json_string(text)) == 0;
	free(text);
	return ok;
}

/* The driver's words about what it did not send; the client gets sense data. */
static void
refused(struct serving *s, const struct ipc_error *e)
{
	log_note("%s", e->message);
	switch (e->code) {
	case IPC_ERR_NOTFOUND:
		ANSWER_OWN(s, no_unit);
		return;
	case IPC_ERR_TIMEOUT:
	case IPC_ERR_NOTRUNNING:
		/* The driver is silent, or has ended, with the command: its connection is of no
		 * more use. */
		ANSWER_OWN(s, unknown);
		s->is_over = true;
		return;
	default:
		ANSWER_OWN(s, not_sent);
		return;
	}
}

static void
command(struct serving *s)
{
	const struct prwire *w = &s->wire;
	json_t *args = json_object(), *result = NULL;
	struct ipc_error e = { 0 };
	bool ok = put_hex(args, "cdb", w->cdb, sizeof w->cdb);

	if (w->len > 0)
		ok = ok && (w->is_out ? put_hex(args, "data", w->data, w->len)
				      : json_object_set_new(args, "in", json_integer(w->len)) == 0);
	if (!has_rights(s)) {
		ANSWER_OWN(s, no_rights);
	} else if (!put_unit(s, args)) {
		ANSWER_OWN(s, no_unit);
	} else if (!ok) {
		ANSWER_OWN(s, not_sent);
	} else {
		if (ipc_request(s->driver, IPC_OP_unit_reserve, json_incref(args), NULL, NULL,
			&result, &e) == 0)
			pass_on(s, result);
		else
			refused(s, &e);
		ipc_error_fini(&e);
		json_decref(result);
	}
	json_decref(args);
}

static void
drop_disk(struct serving *s)
{
	if (s->disk >= 0)
		(void)close(s->disk); /* what its file system says of it is the client's affair */
	s->disk = -1;
}

static void
receive(struct serving *s)
{
	bool is_first = prwire_at_command(&s->wire);
	uint8_t buf[PRWIRE_DATA_MAX];
	int fd = -1;
	ssize_t n = sock_recv(s->fd, buf, prwire_want(&s->wire), is_first ? &fd : NULL);

	if (n == -EINTR)
		return;
	if (is_first && fd >= 0)
		s->disk = fd;
	s->is_over = n <= 0 || (is_first && fd < 0);
	if (s->is_over)
		return;
	switch (prwire_take(&s->wire, buf, (size_t)n)) {
	case PRWIRE_MORE:
		break;
	case PRWIRE_COMMAND:
		command(s);
		drop_disk(s);
		prwire_next(&s->wire);
		break;
	case PRWIRE_BROKEN:
		s->is_over = true;
		break;
	}
}

/* ---- beginning ---- */

/* A connection to the driver that can do this and nothing else. */
static bool
reach_driver(struct serving *s)
{
	json_t *args = json_pack("{s:s}", "op", "unit.reserve"), *result = NULL;
	struct ipc_error e = { 0 };
	bool ok =
	    args != NULL && ipc_connect(s->paths->dev_iscsi, &s->driver, &e) == 0 &&
	    ipc_request(s->driver, IPC_OP_connection_narrow, args, NULL, NULL, &result, &e) == 0;

	if (!ok)
		log_warn("the driver cannot be reached: %s", e.message);
	ipc_error_fini(&e);
	json_decref(result);
	return ok;
}

/*
 * The user stays: the kernel lets nobody else ask what a file of our mounts is.  Without
 * capabilities, and without a call that opens, connects or starts anything, there is nothing that
 * he could do with it.
 */
static bool
give_up_rights(void)
{
	const struct confine_cfg cfg = { .strict = true };
	char note[CONFINE_NOTE_BYTES];

	if (confine_enter(CONFINE_RESERVER, &cfg, note) == 0)
		return true;
	log_err("rights cannot be given up: %s", note);
	return false;
}

void
prserve(const struct paths *paths, int fd)
{
	static const uint8_t features[PRWIRE_FEATURES_BYTES];
	struct serving *s = calloc(1, sizeof *s);

	if (s == NULL)
		return;
	s->paths = paths;
	s->fd = fd;
	s->disk = -1;
	s->disks = open(paths->disks, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* It may wait: nobody else does. */
	s->is_over = s->disks < 0 || fcntl(fd, F_SETFL, 0) != 0 || !reach_driver(s) ||
		     !give_up_rights() || !send_all(fd, features, sizeof features);
	while (!s->is_over)
		receive(s);
	drop_disk(s);
	if (s->disks >= 0)
		(void)close(s->disks); /* it was only looked through */
	ipc_client_free(s->driver);
	free(s);
}
