#include "engine/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* Ready descriptors taken at once.  The kernel goes round, so a small number is fair, too. */
#define BATCH 64

struct loop {
	int epfd;
	struct agenda agenda;
	struct loop_fd wake;               /* eventfd: posts and loop_stop() */
	_Atomic(struct loop_msg *) posted; /* newest first */
	struct loop_msg *taken;            /* of those: the loop's own, oldest first */
	atomic_bool stop;
	bool has_pwait2;
	unsigned watched_count;
	int batch_at, batch_count;
	struct epoll_event batch[BATCH];
	void *scratch;
	unsigned scratch_users;
	uint64_t spin_us;  /* loop_spin() */
	uint64_t woken_us; /* when the last wait ended */
	unsigned
	    short_waits; /* of the last LOOP_SPIN_AFTER waits: those since the last longer one */
};

static uint64_t
clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* The messages that wait go behind those that were taken before, oldest first. */
static void
take_posted(struct loop *l)
{
	struct loop_msg *m = atomic_exchange_explicit(&l->posted, NULL, memory_order_acquire);
	struct loop_msg *in_order = NULL, **end = &l->taken;

	while (m != NULL) {
		struct loop_msg *older = m->next;

		m->next = in_order;
		in_order = m;
		m = older;
	}
	while (*end != NULL)
		end = &(*end)->next;
	*end = in_order;
}

static void
run_posted(struct loop *l)
{
	struct loop_msg *m;

	take_posted(l);
	while ((m = l->taken) != NULL) {
		l->taken = m->next;
		m->run(m);
	}
}

void *
loop_scratch_get(struct loop *l)
{
	if (l->scratch_users == 0)
		l->scratch = malloc(LOOP_SCRATCH_BYTES);
	if (l->scratch != NULL)
		l->scratch_users++;
	return l->scratch;
}

void
loop_scratch_put(struct loop *l)
{
	assert(l->scratch_users > 0);
	if (--l->scratch_users > 0)
		return;
	free(l->scratch);
	l->scratch = NULL;
}

void
loop_unpost(struct loop *l, struct loop_msg *m)
{
	struct loop_msg **at = &l->taken;

	take_posted(l);
	while (*at != NULL && *at != m)
		at = &(*at)->next;
	if (*at != NULL)
		*at = m->next;
}

/*
 * The eventfd is watched edge-triggered and never read: every write to it is
 * an edge, and its 64-bit count cannot be filled by ones.  That saves a system
 * call a wake-up.
 */
static void
woken(struct loop_fd *f, uint32_t events)
{
	(void)events;
	run_posted(LIST_ENTRY(f, struct loop, wake));
}

static void
wake(struct loop *l)
{
	const uint64_t one = 1;
	ssize_t n;

	do
		n = write(l->wake.fd, &one, sizeof one);
	while (n < 0 && errno == EINTR);
	assert(n == sizeof one);
}

struct loop *
loop_new(void)
{
	struct loop *l = calloc(1, sizeof *l);

	if (l == NULL)
		return NULL;
	agenda_init(&l->agenda, clock_us());
	l->has_pwait2 = true;
	l->epfd = epoll_create1(EPOLL_CLOEXEC);
	l->wake.ready = woken;
	l->wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->epfd >= 0 && l->wake.fd >= 0 && loop_watch(l, &l->wake, EPOLLIN | EPOLLET) == 0)
		return l;

	int saved = errno;

	if (l->epfd >= 0)
		close(l->epfd);
	if (l->wake.fd >= 0)
		close(l->wake.fd);
	free(l);
	errno = saved;
	return NULL;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	loop_unwatch(l, &l->wake);
	assert(l->watched_count == 0 && l->agenda.timers == NULL && l->scratch_users == 0);
	close(l->wake.fd);
	close(l->epfd);
	free(l);
}

void
loop_stop(struct loop *l)
{
	int saved = errno; /* of what a signal handler interrupted */

	atomic_store(&l->stop, true);
	wake(l);
	errno = saved;
}

void
loop_post(struct loop *l, struct loop_msg *m)
{
	struct loop_msg *newest = atomic_load_explicit(&l->posted, memory_order_relaxed);

	do
		m->next = newest;
	while (!atomic_compare_exchange_weak_explicit(
	    &l->posted, &newest, m, memory_order_release, memory_order_relaxed));
	/* Whoever posted the first has woken the loop; it takes all of them at once. */
	if (newest == NULL)
		wake(l);
}

struct agenda *
loop_agenda(struct loop *l)
{
	return &l->agenda;
}

uint64_t
loop_now(const struct loop *l)
{
	return l->agenda.now_us;
}

uint64_t
loop_now_update(struct loop *l)
{
	return l->agenda.now_us = clock_us();
}

int
loop_watch(struct loop *l, struct loop_fd *f, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = f };

	assert(!f->watched);
	if (epoll_ctl(l->epfd, EPOLL_CTL_ADD, f->fd, &ev) < 0)
		return -errno;
	f->events = events;
	f->watched = true;
	l->watched_count++;
	return 0;
}

static int
rewatch(struct loop *l, struct loop_fd *f, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = f };

	if (epoll_ctl(l->epfd, EPOLL_CTL_MOD, f->fd, &ev) < 0)
		return -errno;
	f->events = events;
	return 0;
}

int
loop_rewatch(struct loop *l, struct loop_fd *f, uint32_t events)
{
	assert(f->watched);
	return f->events == events ? 0 : rewatch(l, f, events);
}

void
loop_unwatch(struct loop *l, struct loop_fd *f)
{
	if (!f->watched)
		return;
	/* EBADF or ENOENT: it was closed before, and a copy of it may still report events. */
	int rc = epoll_ctl(l->epfd, EPOLL_CTL_DEL, f->fd, NULL);

	assert(rc == 0);
	f->watched = false;
	l->watched_count--;
	/* It may be ready in this very batch, and its owner may free it now. */
	for (int i = l->batch_at; i < l->batch_count; i++)
		if (l->batch[i].data.ptr == f)
			l->batch[i].data.ptr = NULL;
}

/* Microseconds until something is due; UINT64_MAX: nothing is. */
static uint64_t
patience_us(const struct loop *l)
{
	uint64_t at = agenda_next_us(&l->agenda), now;

	if (at == 0 || at == UINT64_MAX)
		return at;
	/* Not loop_now(): what this turn took would be slept too long. */
	now = clock_us();
	return at > now ? at - now : 0;
}

/* As epoll_wait(), for so many microseconds (UINT64_MAX: for ever). */
static int
sleep_for(struct loop *l, uint64_t us)
{
	int n;

	if (l->has_pwait2) {
		struct timespec ts = { .tv_sec = (time_t)(us / 1000000),
			.tv_nsec = (long)(us % 1000000 * 1000) };

		n = epoll_pwait2(l->epfd, l->batch, BATCH, us == UINT64_MAX ? NULL : &ts, NULL);
		/* Linux before 5.11, or a sandbox that does not know it. */
		if (n >= 0 || (errno != ENOSYS && errno != EPERM))
			return n;
		l->has_pwait2 = false;
	}
	if (us == UINT64_MAX)
		return epoll_wait(l->epfd, l->batch, BATCH, -1);
	/* Rounded up: never early.  An hour at most: it may come back for nothing. */
	if (us > 3600ull * 1000000)
		us = 3600ull * 1000000;
	return epoll_wait(l->epfd, l->batch, BATCH, (int)((us + 999) / 1000));
}

void
loop_spin(struct loop *l, unsigned limit_us)
{
	l->spin_us = limit_us;
	l->short_waits = 0;
}

/*
 * What takes less time than to sleep and be woken is waited for awake, and whoever else wants the
 * processor has it meanwhile.  Whether it is worth that is as it was the last few times: an idle
 * loop spins once, and one whose short and long waits alternate never.  Who has much to do each
 * time gains nothing: more comes meanwhile.
 */
static int
wait_events(struct loop *l)
{
	uint64_t us = patience_us(l), began, waited = 0;
	bool is_worth;
	int n;

	if (l->spin_us == 0 || us == 0)
		return sleep_for(l, us);
	began = clock_us();
	is_worth = l->short_waits == LOOP_SPIN_AFTER && began - l->woken_us < l->spin_us / 2;
	while (is_worth && waited < l->spin_us && waited < us) {
		n = epoll_wait(l->epfd, l->batch, BATCH, 0);
		if (n != 0)
			return n;
		sched_yield();
		waited = clock_us() - began;
	}
	if (us != UINT64_MAX)
		us = us > waited ? us - waited : 0;
	n = sleep_for(l, us);
	if (n <= 0 || clock_us() - began >= l->spin_us)
		l->short_waits = 0;
	else if (l->short_waits < LOOP_SPIN_AFTER)
		l->short_waits++;
	return n;
}

static int
turn(struct loop *l)
{
	int n = wait_events(l);

	if (n < 0 && errno != EINTR)
		return -errno;
	l->agenda.now_us = l->woken_us = clock_us();
	l->batch_count = n > 0 ? n : 0;
	for (l->batch_at = 0; l->batch_at < l->batch_count;) {
		const struct epoll_event *ev = &l->batch[l->batch_at++];
		struct loop_fd *f = ev->data.ptr;
		uint32_t events;

		if (f == NULL)
			continue;
		/* It may have been rewatched for less by a callback before it. */
		events = ev->events & (f->events | EPOLLERR | EPOLLHUP);
		if (events != 0)
			f->ready(f, events);
	}
	l->batch_at = l->batch_count = 0;
	agenda_run(&l->agenda);
	return 0;
}

int
loop_run(struct loop *l)
{
	int err = 0;

	while (err == 0 && !atomic_load(&l->stop))
		err = turn(l);
	atomic_store(&l->stop, false); /* one that comes later is for the next run */
	run_posted(l);
	return err;
}
