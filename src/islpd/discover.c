#include "islpd/discover.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/iname.h"
#include "ipc/codec.h"
#include "ipc/helper_args.h"
#include "islpd/run.h"
#include "islpd/slpstr.h"
#include "sys/log.h"

#define WHY_BYTES 512
/*
 * What an answer may have in one datagram: first notes and agents, of which
 * there are few, then targets as far as they fit.
 */
#define ANSWER_BYTES (HELPER_MESSAGE_BYTES - 1024)
#define NOTES_BYTES  (16u << 10)
#define AGENTS_BYTES (24u << 10)

struct discover {
	struct loop *loop;
	const struct config *config;
	struct lookup_pool *names;
	struct list requests;
	unsigned n_requests;
};

struct request {
	struct discover *all;
	struct list link;
	struct helper_call *call;
	struct run *run;
};

struct discover *
discover_new(struct loop *loop, const struct config *config, struct lookup_pool *names)
{
	struct discover *d = calloc(1, sizeof *d);

	if (d == NULL)
		return NULL;
	d->loop = loop;
	d->config = config;
	d->names = names;
	list_init(&d->requests);
	return d;
}

static void
request_free(struct request *q)
{
	q->all->n_requests--;
	list_remove(&q->link);
	run_free(q->run);
	free(q);
}

static void
answer_error(struct request *q, int err, const char *why)
{
	helper_call_error(q->call, err, why);
	request_free(q);
}

void
discover_free(struct discover *d)
{
	if (d == NULL)
		return;
	LIST_EACH(node, tmp, &d->requests)
	{
		answer_error(LIST_ENTRY(node, struct request, link), -ECANCELED, "islpd ends");
	}
	free(d);
}

/*
 * Append, if it fits what is left of the bytes.  Takes the reference of item,
 * which may be NULL (no memory).
 */
static bool
append(json_t *list, json_t *item, size_t *left)
{
	size_t n = item != NULL ? json_dumpb(item, NULL, 0, JSON_COMPACT | JSON_ENCODE_ANY) : 0;

	if (n == 0 || n + 1 > *left) {
		json_decref(item);
		return false;
	}
	*left -= n + 1;
	return json_array_append_new(list, item) == 0;
}

static json_t *
scope_list(const struct scopes *s)
{
	json_t *list = json_array();

	for (size_t i = 0; i < s->n; i++)
		(void)json_array_append_new(
		    list, json_string(s->names[i])); /* no memory: shorter */
	return list;
}

static json_t *
agents(const struct run *r, size_t *left)
{
	json_t *list = json_array();
	struct run_agent a;

	for (size_t i = 0; run_agent(r, i, &a); i++)
		if (!append(list,
			json_pack("{s:s, s:b, s:o, s:I, s:s?}", "address", a.address, "directory",
			    a.is_directory, "scopes", scope_list(a.scopes), "targets",
			    (json_int_t)a.targets, "error", a.error),
			left))
			break;
	return list;
}

/* How many did not fit is in *ret_missing. */
static json_t *
targets(const struct found *f, size_t *left, size_t *ret_missing)
{
	json_t *list = json_array();

	*ret_missing = 0;
	for (size_t i = 0; i < f->n; i++) {
		const struct found_target *t = &f->list[i];
		json_t *o;

		if (t->state == FOUND_REFUSED)
			continue;
		o = json_pack("{s:s, s:s, s:i, s:i}", "name", t->name, "address", t->host, "port",
		    t->port, "tpgt", t->has_tpgt ? t->tpgt : ADDR_TPGT_DEFAULT);
		if (t->alias != NULL && o != NULL)
			(void)json_object_set_new(o, "alias", ipc_text(t->alias)); /* or without */
		if (t->mgmt_entity != NULL && o != NULL)
			(void)json_object_set_new(o, "mgmt_entity", ipc_text(t->mgmt_entity));
		if (!append(list, o, left))
			++*ret_missing;
	}
	return list;
}

static json_t *
notes(const struct notes *n, size_t missing)
{
	json_t *list = json_array();
	size_t left = NOTES_BYTES;
	char text[NOTE_BYTES];

	if (missing > 0) {
		snprintf(text, sizeof text,
		    "%zu targets more do not fit the answer; use narrower scopes", missing);
		(void)append(list, json_string(text), &left);
	}
	for (size_t i = 0; i < n->n; i++)
		(void)append(list, ipc_text(n->texts[i]), &left); /* what fits is enough */
	if (n->left_out > 0) {
		snprintf(text, sizeof text, "and %zu notes more", n->left_out);
		(void)append(list, json_string(text), &left);
	}
	return list;
}

static void
run_over(void *user, struct run *r, int err)
{
	struct request *q = user;
	size_t left = AGENTS_BYTES, missing;
	json_t *agent_list, *target_list, *answer;
	char why[WHY_BYTES];

	if (err < 0) {
		snprintf(why, sizeof why, "there is no network to discover targets in: %s",
		    strerror(-err));
		answer_error(q, err, why);
		return;
	}
	agent_list = agents(r, &left);
	left += ANSWER_BYTES - AGENTS_BYTES - NOTES_BYTES;
	target_list = targets(run_found(r), &left, &missing);
	log_info("discovered %zu targets", json_array_size(target_list));
	answer = json_pack("{s:o, s:o, s:o}", "targets", target_list, "agents", agent_list, "notes",
	    notes(run_notes(r), missing));
	if (answer == NULL) {
		answer_error(q, -ENOMEM, "islpd is out of memory");
		return;
	}
	helper_call_reply(q->call, answer, -1);
	request_free(q);
}

static void
cancelled(void *user, struct helper_call *call)
{
	(void)call;
	answer_error(user, -ECANCELED, "cancelled");
}

/* A list of strings, or one string with commas; none: the default scope. */
static int
get_scopes(const json_t *args, struct scopes *ret, char *why, size_t why_bytes)
{
	const json_t *v = json_object_get(args, "scopes"), *one;
	bool good = true;
	size_t i;

	ret->n = 0;
	if (json_is_string(v)) {
		struct slp_text rest = { json_string_value(v), json_string_length(v) }, name;

		while (good && slpstr_next(&rest, &name))
			good = scopes_add(ret, name);
	} else if (json_is_array(v)) {
		json_array_foreach((json_t *)(uintptr_t)v, i, one)
		{
			good = good && json_is_string(one) &&
			       scopes_add(ret, (struct slp_text){ json_string_value(one),
						   json_string_length(one) });
		}
	} else {
		good = v == NULL || json_is_null(v);
	}
	if (!good) {
		snprintf(why, why_bytes,
		    "the argument \"scopes\" must be a list of at most %d names of at most %d "
		    "bytes",
		    LIMIT_SLP_SCOPES, LIMIT_SLP_SCOPE_BYTES);
		return -EINVAL;
	}
	if (ret->n == 0)
		(void)scopes_add(ret, (struct slp_text){ SCOPES_DEFAULT, strlen(SCOPES_DEFAULT) });
	return 0;
}

static int
get_name(const json_t *args, const char **ret, char *why, size_t why_bytes)
{
	const char *name = helper_args_string(args, "name", "", why, why_bytes);
	enum iname_result result;

	if (name == NULL)
		return -EINVAL;
	*ret = NULL;
	if (name[0] == '\0')
		return 0;
	result = iname_check(name, strlen(name));
	if (result != INAME_OK) {
		snprintf(why, why_bytes, "the argument \"name\" is wrong: %s", iname_text(result));
		return -EINVAL;
	}
	*ret = name;
	return 0;
}

static void
start(struct discover *d, struct helper_call *call, const struct scopes *scopes, const char *name,
    int timeout_ms)
{
	struct request *q;

	if (d->n_requests == LIMIT_SLP_DISCOVERS) {
		helper_call_error(call, -EBUSY, "too many discoveries go on; try again later");
		return;
	}
	q = calloc(1, sizeof *q);
	if (q == NULL) {
		helper_call_error(call, -ENOMEM, "islpd is out of memory");
		return;
	}
	q->all = d;
	q->call = call;
	list_push_back(&d->requests, &q->link);
	d->n_requests++;
	q->run =
	    run_new(d->loop, d->config, d->names, scopes, name, (unsigned)timeout_ms, run_over, q);
	if (q->run == NULL)
		answer_error(q, -ENOMEM, "islpd is out of memory");
	else
		helper_call_on_cancel(call, cancelled, q);
}

void
discover_handle(void *user, struct helper_call *call)
{
	const json_t *args = helper_call_args(call);
	char why[WHY_BYTES];
	struct scopes scopes;
	const char *name = NULL;
	int timeout_ms, err;

	if (strcmp(helper_call_op(call), "discover") != 0) {
		snprintf(
		    why, sizeof why, "islpd knows no operation \"%.64s\"", helper_call_op(call));
		helper_call_error(call, -EOPNOTSUPP, why);
		return;
	}
	err = helper_args_int(args, "timeout_ms", 1, LIMIT_SLP_MS, &timeout_ms, why, sizeof why);
	if (err == 0)
		err = get_scopes(args, &scopes, why, sizeof why);
	if (err == 0)
		err = get_name(args, &name, why, sizeof why);
	if (err < 0)
		helper_call_error(call, err, why);
	else
		start(user, call, &scopes, name, timeout_ms);
}
