#include "export/ublkring.h"

#include <sys/epoll.h>
#include <sys/syscall.h>

#include <assert.h>
#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "export/ublkabi.h"

#define ENTRIES     256
#define COMPLETIONS 4096
/* Completions of one turn. */
#define TURN 512
/* The kernel is short of memory for what it was given: it is tried again. */
#define AGAIN_US 1000

struct ublkring {
	struct io_uring ring;
	struct loop *loop; /* NULL: nobody has it */
	unsigned users;
	struct loop_fd fd;
	struct list todo; /* slots to be offered */
	struct agenda_work flush;
	struct agenda_timer again;
};

/* Rings that were made, for whoever has none. */
static struct {
	pthread_mutex_t lock;
	struct ublkring *all; /* n of them */
	unsigned n;
} made = { .lock = PTHREAD_MUTEX_INITIALIZER };

static void
fill(struct io_uring_sqe *sqe, const struct ublkring_slot *s)
{
	const struct ublksrv_io_cmd cmd = { .tag = s->tag, .result = s->result };

	memset(sqe, 0, sizeof *sqe);
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = s->fd;
	sqe->off = s->is_answer ? UBLK_U_IO_COMMIT_AND_FETCH_REQ : UBLK_U_IO_FETCH_REQ;
	sqe->user_data = (uintptr_t)s;
	memcpy((uint8_t *)sqe + 48, &cmd, sizeof cmd);
}

static void
flush(struct agenda_work *w)
{
	struct ublkring *r = LIST_ENTRY(w, struct ublkring, flush);
	int err = 0;

	while (!list_empty(&r->todo) && err >= 0) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);

		if (sqe == NULL) {
			err = io_uring_submit(&r->ring);
			continue;
		}
		fill(sqe, LIST_ENTRY(list_pop(&r->todo), struct ublkring_slot, link));
	}
	if (io_uring_sq_ready(&r->ring) > 0)
		err = io_uring_submit(&r->ring);
	if (err < 0)
		agenda_set(loop_agenda(r->loop), &r->again, loop_now_update(r->loop) + AGAIN_US);
}

static void
flush_again(struct agenda_timer *t)
{
	flush(&LIST_ENTRY(t, struct ublkring, again)->flush);
}

static void
completed(struct loop_fd *f, uint32_t events)
{
	struct ublkring *r = LIST_ENTRY(f, struct ublkring, fd);
	struct io_uring_cqe *cqe;

	(void)events;
	for (unsigned i = 0; i < TURN && r->users > 0 && io_uring_peek_cqe(&r->ring, &cqe) == 0;
	     i++) {
		struct ublkring_slot *s = (struct ublkring_slot *)(uintptr_t)cqe->user_data;
		int res = cqe->res;

		io_uring_cqe_seen(&r->ring, cqe);
		s->ready(s, res);
	}
}

/* For commands to devices and nothing else. */
static int
restrict_to_commands(struct io_uring *ring)
{
	struct io_uring_restriction only = { .opcode = IORING_RESTRICTION_SQE_OP,
		.sqe_op = IORING_OP_URING_CMD };
	int fd = ring->ring_fd;

	/* liburing 2.3 declares functions for both, and has none. */
	if (syscall(SYS_io_uring_register, fd, IORING_REGISTER_RESTRICTIONS, &only, 1) < 0 ||
	    syscall(SYS_io_uring_register, fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) < 0)
		return -errno;
	return 0;
}

static int
make(struct ublkring *r)
{
	struct io_uring_params p = { .flags = IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE,
		.cq_entries = COMPLETIONS };
	int err = io_uring_queue_init_params(ENTRIES, &r->ring, &p);

	if (err < 0)
		return err;
	list_init(&r->todo);
	r->fd = (struct loop_fd){ .fd = r->ring.ring_fd, .ready = completed };
	agenda_work_init(&r->flush, flush);
	r->again.expired = flush_again;
	err = restrict_to_commands(&r->ring);
	if (err < 0)
		io_uring_queue_exit(&r->ring);
	return err;
}

int
ublkring_prepare(unsigned n)
{
	int err = 0;

	assert(made.n == 0);
	made.all = calloc(n, sizeof *made.all);
	if (made.all == NULL)
		return -ENOMEM;
	while (made.n < n && err == 0) {
		err = make(&made.all[made.n]);
		made.n += err == 0;
	}
	return err;
}

bool
ublkring_is_there(void)
{
	return made.n > 0;
}

/* One of those that were made: the loop's, or one that nobody has.  Under lock. */
static struct ublkring *
find(const struct loop *loop)
{
	for (unsigned i = 0; i < made.n; i++)
		if (made.all[i].loop == loop)
			return &made.all[i];
	return NULL;
}

int
ublkring_get(struct loop *loop, struct ublkring **ret)
{
	struct ublkring *r;
	int err = 0;

	pthread_mutex_lock(&made.lock);
	r = find(loop);
	if (r == NULL)
		r = find(NULL);
	if (r != NULL)
		r->loop = loop;
	pthread_mutex_unlock(&made.lock);
	if (r == NULL)
		return -ENOSYS;
	if (r->users == 0)
		err = loop_watch(loop, &r->fd, EPOLLIN);
	if (err == 0) {
		r->users++;
		*ret = r;
	} else {
		pthread_mutex_lock(&made.lock);
		r->loop = NULL;
		pthread_mutex_unlock(&made.lock);
	}
	return err;
}

void
ublkring_put(struct ublkring *r)
{
	assert(r->users > 0);
	if (--r->users > 0)
		return;
	assert(list_empty(&r->todo));
	loop_unwatch(r->loop, &r->fd);
	agenda_cancel(&r->flush);
	agenda_clear(loop_agenda(r->loop), &r->again);
	pthread_mutex_lock(&made.lock);
	r->loop = NULL;
	pthread_mutex_unlock(&made.lock);
}

void
ublkring_offer(struct ublkring *r, struct ublkring_slot *s)
{
	list_push_back(&r->todo, &s->link);
	agenda_defer(loop_agenda(r->loop), &r->flush);
}
