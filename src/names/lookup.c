#include "names/lookup.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/limits.h"

enum lookup_state {
	LOOKUP_QUEUED,  /* on the queue */
	LOOKUP_RUNNING, /* a thread's */
	LOOKUP_POSTED,  /* on its way to the loop */
};

/* A name that is being looked up. */
struct lookup {
	struct loop_msg msg;
	struct lookup_pool *pool;
	struct list all;         /* the loop's thread */
	struct list waiters;     /* the loop's thread */
	struct list queue;       /* under the lock */
	enum lookup_state state; /* under the lock */
	struct lookup_result result;
	char name[LIMIT_HOST_BYTES + 1];
};

struct lookup_pool {
	struct loop *loop;
	const struct lookup_ops *ops;
	unsigned threads_max, names_max;
	struct list all; /* every lookup; the loop's thread */
	unsigned names;

	pthread_mutex_t lock;
	pthread_cond_t work;
	struct list queue;
	unsigned queued, idle, threads;
	bool is_closed; /* the loop is gone; the last thread frees the pool */
};

static void
lookup_free(struct lookup *k)
{
	free(k->result.addresses);
	free(k);
}

static void
pool_destroy(struct lookup_pool *p)
{
	pthread_cond_destroy(&p->work);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

struct lookup_pool *
lookup_pool_new(
    struct loop *loop, const struct lookup_ops *ops, unsigned threads_max, unsigned names_max)
{
	struct lookup_pool *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	p->loop = loop;
	p->ops = ops;
	p->threads_max = threads_max;
	p->names_max = names_max;
	list_init(&p->all);
	list_init(&p->queue);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	return p;
}

void
lookup_pool_free(struct lookup_pool *p)
{
	bool is_last;

	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->is_closed = true;
	LIST_EACH(node, tmp, &p->all)
	{
		struct lookup *k = LIST_ENTRY(node, struct lookup, all);

		assert(list_empty(&k->waiters));
		list_remove(&k->all);
		/* A posted one is in the mailbox of a loop that does not run any more. */
		if (k->state != LOOKUP_RUNNING)
			lookup_free(k);
	}
	is_last = p->threads == 0;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	if (is_last)
		pool_destroy(p);
}

static int
fault_of(int eai, const char **ret_why)
{
	int saved = errno;

	*ret_why = gai_strerror(eai);
	switch (eai) {
	case EAI_NONAME:
	case EAI_NODATA:
	case EAI_ADDRFAMILY:
		*ret_why = "there is no such name, or it has no address";
		return -ENOENT;
	case EAI_AGAIN:
		*ret_why = "no name server answered; check /etc/resolv.conf and the network";
		return -EAGAIN;
	case EAI_FAIL:
		*ret_why = "the name server answered that it failed";
		return -EIO;
	case EAI_MEMORY:
		return -ENOMEM;
	case EAI_SYSTEM:
		*ret_why =
		    strerrordesc_np(saved) != NULL ? strerrordesc_np(saved) : "unknown error";
		return saved != 0 ? -saved : -EIO;
	default:
		return -EIO;
	}
}

static bool
has_address(const struct lookup_result *r, const char *address)
{
	for (size_t i = 0; i < r->count; i++)
		if (strcmp(r->addresses[i], address) == 0)
			return true;
	return false;
}

static void
take_addresses(struct lookup_result *r, const struct addrinfo *list)
{
	char text[LOOKUP_ADDRESS_BYTES];

	r->addresses = calloc(LIMIT_HOST_ADDRESSES, sizeof r->addresses[0]);
	if (r->addresses == NULL) {
		r->err = -ENOMEM;
		r->why = "out of memory";
		return;
	}
	for (const struct addrinfo *a = list; a != NULL && r->count < LIMIT_HOST_ADDRESSES;
	     a = a->ai_next) {
		if (a->ai_family != AF_INET && a->ai_family != AF_INET6)
			continue;
		if (getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, NULL, 0,
			NI_NUMERICHOST) != 0 ||
		    has_address(r, text))
			continue;
		memcpy(r->addresses[r->count++], text, sizeof text);
	}
	if (r->count == 0)
		r->err = fault_of(EAI_NODATA, &r->why);
}

/* On a thread; it may take for ever. */
static void
look_up(const struct lookup_ops *ops, struct lookup *k)
{
	/* Every family, also those this host has no address of: it may get one. */
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	int eai = ops->getaddrinfo(k->name, NULL, &hints, &list);

	if (eai != 0) {
		k->result.err = fault_of(eai, &k->result.why);
		return;
	}
	take_addresses(&k->result, list);
	ops->freeaddrinfo(list);
}

static void *
thread_main(void *arg)
{
	struct lookup_pool *p = arg;
	bool is_last;

	pthread_mutex_lock(&p->lock);
	while (!p->is_closed) {
		struct list *node = list_pop(&p->queue);
		struct lookup *k;

		if (node == NULL) {
			p->idle++;
			pthread_cond_wait(&p->work, &p->lock);
			p->idle--;
			continue;
		}
		k = LIST_ENTRY(node, struct lookup, queue);
		k->state = LOOKUP_RUNNING;
		p->queued--;
		pthread_mutex_unlock(&p->lock);
		look_up(p->ops, k);
		pthread_mutex_lock(&p->lock);
		if (p->is_closed) {
			lookup_free(k);
			break;
		}
		k->state = LOOKUP_POSTED;
		/* Under the lock, so that the loop is still there. */
		loop_post(p->loop, &k->msg);
	}
	is_last = --p->threads == 0;
	pthread_mutex_unlock(&p->lock);
	if (is_last)
		pool_destroy(p);
	return NULL;
}

static void
lookup_remove(struct lookup *k)
{
	list_remove(&k->all);
	k->pool->names--;
	lookup_free(k);
}

/* Back on the loop's thread. */
static void
looked_up(struct loop_msg *m)
{
	struct lookup *k = LIST_ENTRY(m, struct lookup, msg);
	struct list *node;

	while ((node = list_pop(&k->waiters)) != NULL) {
		struct lookup_waiter *w = LIST_ENTRY(node, struct lookup_waiter, link);

		w->lookup = NULL;
		w->done(w, &k->result);
	}
	lookup_remove(k);
}

static struct lookup *
find(const struct lookup_pool *p, const char *name)
{
	LIST_EACH(node, tmp, &p->all)
	{
		struct lookup *k = LIST_ENTRY(node, struct lookup, all);

		if (strcasecmp(k->name, name) == 0)
			return k;
	}
	return NULL;
}

/* Put it on the queue and see that there is a thread for it.  0 or -EAGAIN. */
static int
enqueue(struct lookup_pool *p, struct lookup *k)
{
	int ret = 0;

	pthread_mutex_lock(&p->lock);
	if (p->queued >= p->idle && p->threads < p->threads_max) {
		pthread_t t;
		pthread_attr_t detached;

		pthread_attr_init(&detached);
		pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
		if (pthread_create(&t, &detached, thread_main, p) == 0)
			p->threads++;
		pthread_attr_destroy(&detached);
	}
	if (p->threads == 0) {
		ret = -EAGAIN;
	} else {
		list_push_back(&p->queue, &k->queue);
		p->queued++;
		pthread_cond_signal(&p->work);
	}
	pthread_mutex_unlock(&p->lock);
	return ret;
}

int
lookup_start(struct lookup_pool *p, struct lookup_waiter *w, const char *name)
{
	struct lookup *k = find(p, name);
	size_t len = strlen(name);
	int err;

	assert(len <= LIMIT_HOST_BYTES);
	if (k == NULL) {
		if (p->names >= p->names_max)
			return -EBUSY;
		k = calloc(1, sizeof *k);
		if (k == NULL)
			return -ENOMEM;
		k->msg.run = looked_up;
		k->pool = p;
		memcpy(k->name, name, len);
		list_init(&k->waiters);
		list_init(&k->queue);
		err = enqueue(p, k);
		if (err < 0) {
			lookup_free(k);
			return err;
		}
		list_push_back(&p->all, &k->all);
		p->names++;
	}
	w->lookup = k;
	list_push_back(&k->waiters, &w->link);
	return 0;
}

void
lookup_leave(struct lookup_pool *p, struct lookup_waiter *w)
{
	struct lookup *k = w->lookup;
	bool was_queued;

	list_remove(&w->link);
	w->lookup = NULL;
	if (!list_empty(&k->waiters))
		return;
	/* Nobody wants it: let it not keep a thread from those that are wanted. */
	pthread_mutex_lock(&p->lock);
	was_queued = k->state == LOOKUP_QUEUED;
	if (was_queued) {
		list_remove(&k->queue);
		p->queued--;
	}
	pthread_mutex_unlock(&p->lock);
	if (was_queued)
		lookup_remove(k);
}
