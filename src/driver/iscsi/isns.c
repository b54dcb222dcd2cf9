/*
 * iisnsd answers "follow" when something is new.  A long answer comes in pages, which are put
 * together before anything of them counts; the next question begins where the copy is whole.
 */
#include "driver/iscsi/isns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver/call.h"
#include "driver/diag/diag.h"
#include "driver/iscsi/isns_impl.h"
#include "driver/iscsi/settings.h"
#include "ipc/helper.h"
#include "sys/log.h"

/* How long a question may wait for news; the next one follows. */
#define FOLLOW_MS 60000
/* What iisnsd may need to say that time is up. */
#define GRACE_US 2000000
/* Before a question that failed is asked again. */
#define AGAIN_US 1000000

static void follow(struct isns *x, int64_t seen, size_t from);

/* ---- what is asked ---- */

static json_t *
configured(struct driver *d)
{
	struct isns_server_list list;
	json_t *servers = json_array();

	isns_configured(d, &list);
	for (size_t i = 0; i < list.n; i++)
		(void)json_array_append_new(
		    servers, json_string(list.text[i])); /* no memory: one less */
	return servers;
}

static void
again(struct agenda_timer *t)
{
	follow(LIST_ENTRY(t, struct isns, again), 0, 0);
}

static void
ask_later(struct isns *x)
{
	agenda_set(loop_agenda(x->d->loop), &x->again, loop_now_update(x->d->loop) + AGAIN_US);
}

static void
answered(void *user, int err, const char *why, const json_t *result, int fd)
{
	struct isns *x = user;
	size_t next;

	if (fd >= 0)
		(void)close(fd); /* following hands none over: not wanted */
	x->id = -1;
	if (err != 0) {
		/* Where it is not running, the next question waits for it. */
		if (err != -ENOTCONN && err != -ETIMEDOUT && err != -ECANCELED)
			log_warn("iisnsd does not say what iSNS servers name: %s", why);
		isns_copy_drop(&x->coming);
		if (err == -ENOTCONN || err == -ETIMEDOUT)
			follow(x, x->copy.serial, 0);
		else
			ask_later(x);
		return;
	}
	switch (isns_copy_take(&x->coming, result, &next)) {
	case ISNS_COPY_MORE:
		follow(x, x->coming.serial, next);
		break;
	case ISNS_COPY_WHOLE:
		isns_take_over(x);
		follow(x, x->copy.serial, 0);
		break;
	case ISNS_COPY_BAD:
		log_warn("iisnsd's answer makes no sense");
		isns_copy_drop(&x->coming);
		ask_later(x);
		break;
	}
}

static void
follow(struct isns *x, int64_t seen, size_t from)
{
	struct driver *d = x->d;
	char *name = settings_value(d->reg, NULL, REGISTRY_KEY_initiator_name);
	char *alias = settings_value(d->reg, NULL, REGISTRY_KEY_initiator_alias);
	json_t *args = json_pack("{s:o, s:s, s:s, s:I, s:I, s:i}", "servers", configured(d), "name",
	    name, "alias", alias, "seen", (json_int_t)seen, "from", (json_int_t)from, "timeout_ms",
	    FOLLOW_MS);

	free(name);
	free(alias);
	x->id = args == NULL
		    ? -ENOMEM
		    : helper_server_request(x->daemon, "follow", args,
			  loop_now_update(d->loop) + FOLLOW_MS * 1000ull + GRACE_US, answered, x);
	if (x->id >= 0)
		return;
	log_warn("iisnsd cannot be asked: %s", strerror((int)-x->id));
	x->id = -1;
	ask_later(x);
}

/* ---- what is told ---- */

static void
tell_failures(const struct isns *x, const struct isns_copy *was, const struct isns_copy *is)
{
	const struct diag_ctx about = { -1, NULL, NULL, x->d->diag, NULL };

	for (size_t i = 0; i < is->n; i++) {
		const struct isns_server *s = &is->servers[i];
		const struct isns_server *before = isns_copy_find(was, s->text);
		bool had_failed = before != NULL && before->has_failed;

		if (s->has_failed && (!had_failed || strcmp(before->error, s->error) != 0))
			diag_OPENISW_LOG_ISNS_FAILED(&about, s->text, s->error);
		else if (!s->has_failed && had_failed)
			diag_OPENISW_LOG_ISNS_BACK(&about, s->text);
	}
}

void
isns_take_over(struct isns *x)
{
	struct isns_copy was = x->copy;

	x->copy = x->coming;
	x->coming = (struct isns_copy){ 0 };
	tell_failures(x, &was, &x->copy);
	isns_copy_drop(&was);
	isns_asks_look(x);
	x->changed(x->d);
}

const struct isns_server *
isns_servers(const struct driver *d, size_t *ret_n)
{
	*ret_n = d->isns->copy.n;
	return d->isns->copy.servers;
}

const struct isns_server *
isns_find(const struct driver *d, const char *text)
{
	return isns_copy_find(&d->isns->copy, text);
}

pid_t
isns_pid(const struct driver *d)
{
	return helper_server_pid(d->isns->daemon);
}

/* ---- beginning and end ---- */

static void
daemon_changed(void *user, pid_t pid)
{
	const struct driver *d = user;
	const struct diag_ctx about = { -1, NULL, NULL, d->diag, NULL };

	if (pid != 0)
		diag_OPENISW_LOG_DAEMON_BACK(&about, "iisnsd", (int)pid);
	else
		diag_OPENISW_LOG_DAEMON_GONE(&about, "iisnsd");
}

void
isns_push(struct driver *d)
{
	struct isns *x = d->isns;

	if (x == NULL)
		return;
	if (x->id >= 0)
		(void)helper_server_cancel(
		    x->daemon, x->id); /* answered or not: it is asked anew */
	agenda_clear(loop_agenda(d->loop), &x->again);
	isns_copy_drop(&x->coming);
	follow(x, x->copy.serial, 0);
}

bool
isns_open(struct driver *d, void (*changed)(struct driver *d), struct fault *ret_fault)
{
	const char *path = paths_daemon_sock(&d->paths, "iisnsd");
	struct isns *x = call_alloc(sizeof *x);
	int err;

	x->d = d;
	x->changed = changed;
	x->id = -1;
	x->again.expired = again;
	list_init(&x->asks);
	err = helper_server_new(d->loop, path, paths_daemon_pid(&d->paths, "iisnsd"), "iisnsd",
	    daemon_changed, d, &x->daemon);
	if (err < 0) {
		fault_set(ret_fault, FAULT_INTERNAL, "check the directory and its permissions",
		    "cannot listen at %s: %s", path, strerror(-err));
		free(x);
		return false;
	}
	d->isns = x;
	follow(x, 0, 0);
	return true;
}

void
isns_close(struct driver *d)
{
	struct isns *x = d->isns;

	if (x == NULL)
		return;
	d->isns = NULL;
	isns_asks_end(x);
	if (x->id >= 0)
		(void)helper_server_cancel(x->daemon, x->id); /* not wanted any more */
	agenda_clear(loop_agenda(d->loop), &x->again);
	helper_server_free(x->daemon);
	isns_copy_drop(&x->copy);
	isns_copy_drop(&x->coming);
	free(x);
}
