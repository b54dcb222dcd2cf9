/*
 * What is held is had here, too, with descriptors of our own, so that a new holder
 * can be given all of it whatever the exporters do meanwhile.
 */
#include "export/holding.h"

#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/time.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/holding_impl.h"
#include "sys/log.h"
#include "sys/sock.h"

/* Between tries to find a new holder: one that was killed is replaced within a second. */
#define TRY_FIRST_US 20000
#define TRY_LAST_US  1000000

/* ---- items; under lock, or before there are threads ---- */

struct holding_item *
holding_find(const struct holding *h, uint32_t key)
{
	for (size_t i = 0; i < h->n; i++)
		if (h->items[i].key == key)
			return &h->items[i];
	return NULL;
}

void
holding_close(const int fds[HELD_FDS])
{
	for (int i = 0; i < HELD_FDS; i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/* Takes the descriptors.  False: no memory. */
bool
holding_add(struct holding *h, uint32_t key, const int fds[HELD_FDS])
{
	size_t room = h->room > 0 ? 2 * h->room : 16;
	struct holding_item *more;

	if (h->n == h->room) {
		more = reallocarray(h->items, room, sizeof *more);
		if (more == NULL) {
			holding_close(fds);
			return false;
		}
		h->items = more;
		h->room = room;
	}
	h->items[h->n] = (struct holding_item){ .key = key, .spare = { -1, -1 } };
	memcpy(h->items[h->n++].fds, fds, sizeof h->items->fds);
	h->n_sockets += holding_is_socket(key);
	return true;
}

static void
forget(struct holding *h, struct holding_item *i)
{
	holding_close(i->fds);
	holding_close(i->spare);
	h->n_sockets -= holding_is_socket(i->key);
	*i = h->items[--h->n];
}

/* Copies of both, or false. */
bool
holding_copy(const int from[HELD_FDS], int to[HELD_FDS])
{
	for (int i = 0; i < HELD_FDS; i++)
		to[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 0);
	if (to[0] >= 0 && to[1] >= 0)
		return true;
	holding_close(to);
	to[0] = to[1] = -1;
	return false;
}

void
holding_hand_out(struct holding_item *i, int ret_fds[HELD_FDS])
{
	memcpy(ret_fds, i->spare, sizeof i->spare);
	i->spare[0] = i->spare[1] = -1;
}

/* ---- saying; under lock ---- */

/* What cannot be said ends the connection, and is made up for on the next one. */
void
holding_say(struct holding *h, enum held_op op, uint32_t key, const int *fds)
{
	struct held_msg m = { .op = op, .key = key, .life = h->life };

	if (h->fd >= 0 &&
	    sock_send_fds(h->fd, &m, sizeof m, fds, fds != NULL ? HELD_FDS : 0) != sizeof m)
		(void)shutdown(h->fd, SHUT_RDWR); /* ended() follows */
}

static void
set_patience(int fd, int option, time_t seconds)
{
	const struct timeval patience = { .tv_sec = seconds };

	if (setsockopt(fd, SOL_SOCKET, option, &patience, sizeof patience) < 0)
		log_debug("no time limit for the holder: %s", strerror(errno));
}

/* ---- what was left ---- */

/* 1, or a negative errno. */
static int
add_left(struct holding *h, uint32_t key, const int fds[HELD_FDS])
{
	struct holding_item *i;

	if (!holding_add(h, key, fds))
		return -ENOMEM;
	i = &h->items[h->n - 1];
	if (holding_is_socket(key)) {
		(void)sockstate_read(fds[1], &i->of); /* else: no name */
		h->last_socket = key > h->last_socket ? key : h->last_socket;
	}
	return holding_copy(fds, i->spare) ? 1 : -EMFILE;
}

/* One answer: 1, 0 for the last one, or a negative errno. */
static int
take_left(struct holding *h)
{
	struct held_msg m;
	int fds[HELD_FDS];
	ssize_t n = sock_recv_fds(h->fd, &m, sizeof m, fds, HELD_FDS);

	if (n == sizeof m && m.op == HELD_ITEM && fds[0] >= 0 && fds[1] >= 0)
		return add_left(h, m.key, fds);
	holding_close(fds);
	if (n == -EAGAIN)
		return -ETIMEDOUT;
	if (n != sizeof m)
		return n < 0 ? (int)n : -EPIPE;
	if (m.op == HELD_END)
		return m.key == h->n ? 0 : -EBADMSG;
	return m.op == HELD_ITEM ? -EMFILE : 1;
}

static int
by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static int
take_all_left(struct holding *h)
{
	int ret;

	set_patience(h->fd, SO_RCVTIMEO, HOLDING_PATIENCE_S);
	holding_say(h, HELD_LIST, 0, NULL);
	do
		ret = take_left(h);
	while (ret > 0);
	if (ret < 0)
		return ret;
	h->left = calloc(h->n + 1, sizeof *h->left);
	if (h->left == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < h->n; i++)
		if (!holding_is_socket(h->items[i].key))
			h->left[h->n_left++] = h->items[i].key;
	qsort(h->left, h->n_left, sizeof *h->left, by_number);
	return 0;
}

/* ---- the connection ---- */

static void ended(struct loop_fd *f, uint32_t events);
static void try_again(struct agenda_timer *t);

/* -ENOENT: there is no holder; or another negative errno. */
static int
open_connection(struct holding *h)
{
	int fd = sock_connect(h->path, SOCK_SEQPACKET);

	if (fd == -ECONNREFUSED)
		return -ENOENT;
	if (fd >= 0)
		set_patience(fd, SO_SNDTIMEO, 1);
	return fd;
}

int
holding_new(const char *path, struct holding **ret)
{
	struct holding *h = calloc(1, sizeof *h);
	int err = 0;

	if (h == NULL)
		return -ENOMEM;
	pthread_mutex_init(&h->lock, NULL);
	h->end = (struct loop_fd){ .fd = -1, .ready = ended };
	h->again.expired = try_again;
	if (getrandom(&h->life, sizeof h->life, 0) != sizeof h->life)
		h->life = (uint64_t)getpid();
	h->path = strdup(path);
	h->fd = h->path != NULL ? open_connection(h) : -ENOMEM;
	if (h->fd >= 0)
		err = take_all_left(h);
	else if (h->fd != -ENOENT)
		err = h->fd;
	if (err < 0)
		holding_free(h);
	else
		*ret = h;
	return err;
}

void
holding_free(struct holding *h)
{
	if (h == NULL)
		return;
	while (h->n > 0)
		forget(h, &h->items[0]);
	if (h->fd >= 0)
		close(h->fd);
	pthread_mutex_destroy(&h->lock);
	free(h->items);
	free(h->left);
	free(h->path);
	free(h);
}

static void
try_later(struct holding *h)
{
	agenda_set(loop_agenda(h->loop), &h->again, loop_now_update(h->loop) + h->pause_us);
	h->pause_us = h->pause_us * 2 < TRY_LAST_US ? h->pause_us * 2 : TRY_LAST_US;
}

static int
watch(struct holding *h)
{
	h->end.fd = h->fd;
	return loop_watch(h->loop, &h->end, 0); /* it says nothing: its end is told all the same */
}

/* A new holder: it is given everything, and then has nothing else. */
static void
give_all(struct holding *h)
{
	pthread_mutex_lock(&h->lock);
	h->life++;
	for (size_t i = 0; i < h->n; i++)
		holding_say(h, HELD_PUT, h->items[i].key, h->items[i].fds);
	holding_say(h, HELD_FORGET, 0, NULL);
	pthread_mutex_unlock(&h->lock);
}

static void
close_connection(struct holding *h)
{
	loop_unwatch(h->loop, &h->end);
	pthread_mutex_lock(&h->lock);
	if (h->fd >= 0)
		close(h->fd);
	h->fd = h->end.fd = -1;
	pthread_mutex_unlock(&h->lock);
}

static void
ended(struct loop_fd *f, uint32_t events)
{
	struct holding *h = LIST_ENTRY(f, struct holding, end);

	(void)events;
	close_connection(h);
	h->was_missed = true;
	log_warn(
	    "iscsi_holderd has ended: until it is there again, disks do not outlive this process");
	h->pause_us = TRY_FIRST_US;
	try_later(h);
}

static void
try_again(struct agenda_timer *t)
{
	struct holding *h = LIST_ENTRY(t, struct holding, again);
	int fd = open_connection(h);

	if (fd < 0) {
		try_later(h);
		return;
	}
	pthread_mutex_lock(&h->lock);
	h->fd = fd;
	pthread_mutex_unlock(&h->lock);
	if (watch(h) < 0) {
		close_connection(h);
		try_later(h);
		return;
	}
	give_all(h);
	h->pause_us = TRY_FIRST_US;
	if (h->was_missed)
		log_note("iscsi_holderd is there again, and has all that it is to hold");
	h->was_missed = false;
}

int
holding_watch(struct holding *h, struct loop *loop)
{
	h->loop = loop;
	h->pause_us = TRY_FIRST_US;
	if (h->fd >= 0)
		return watch(h);
	log_info("there is no iscsi_holderd: disks do not outlive this process");
	try_later(h);
	return 0;
}

void
holding_unwatch(struct holding *h)
{
	if (h == NULL || h->loop == NULL)
		return;
	loop_unwatch(h->loop, &h->end);
	agenda_clear(loop_agenda(h->loop), &h->again);
	h->loop = NULL;
}

/* ---- what is held ---- */

const uint32_t *
holding_left(const struct holding *h, size_t *ret_n)
{
	*ret_n = h->n_left;
	return h->left;
}

bool
holding_take(struct holding *h, uint32_t key, struct export_held *ret)
{
	int fds[HELD_FDS];
	struct holding_item *i;
	bool ok;

	pthread_mutex_lock(&h->lock);
	i = holding_find(h, key);
	ok = i != NULL && holding_is_left(i);
	if (ok)
		holding_hand_out(i, fds);
	pthread_mutex_unlock(&h->lock);
	if (ok)
		*ret = (struct export_held){ .device_fd = fds[0], .state_fd = fds[1] };
	return ok;
}

void
holding_put(struct holding *h, uint32_t key, const struct export_held *held)
{
	const int from[HELD_FDS] = { held->device_fd, held->state_fd };
	struct holding_item *i;
	int fds[HELD_FDS];
	bool ok = holding_copy(from, fds);

	pthread_mutex_lock(&h->lock);
	i = holding_find(h, key);
	if (i != NULL)
		forget(h, i);
	ok = ok && holding_add(h, key, fds);
	holding_say(h, ok ? HELD_PUT : HELD_DROP, key, ok ? fds : NULL);
	pthread_mutex_unlock(&h->lock);
	if (!ok)
		log_err("the disks of session %u would not outlive this process: no descriptors, "
			"or no memory",
		    key);
}

void
holding_drop_item(struct holding *h, struct holding_item *i)
{
	uint32_t key = i->key;

	forget(h, i);
	holding_say(h, HELD_DROP, key, NULL);
}

void
holding_drop(struct holding *h, uint32_t key)
{
	struct holding_item *i;

	pthread_mutex_lock(&h->lock);
	i = holding_find(h, key);
	if (i != NULL)
		holding_drop_item(h, i);
	pthread_mutex_unlock(&h->lock);
}

/* ---- the holder ---- */

pid_t
holding_pid(struct holding *h)
{
	struct sock_peer peer = { .pid = 0 };

	pthread_mutex_lock(&h->lock);
	if (h->fd >= 0 && sock_peer(h->fd, &peer) < 0)
		peer.pid = 0;
	pthread_mutex_unlock(&h->lock);
	return peer.pid;
}
