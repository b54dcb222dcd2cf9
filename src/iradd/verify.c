#include "iradd/verify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "iradd/verify_args.h"
#include "sys/log.h"

#define WHY_BYTES 1280

struct verify {
	struct exchange_cfg cfg;
	unsigned open_count, open_max;
	struct list open; /* of struct question */
};

struct question {
	struct verify *all;
	struct list link;
	struct helper_call *call;
	struct verify_args args;
	struct exchange exchange;
};

struct verify *
verify_new(const struct exchange_cfg *cfg, unsigned open_max)
{
	struct verify *v = calloc(1, sizeof *v);

	if (v == NULL)
		return NULL;
	v->cfg = *cfg;
	v->open_max = open_max;
	list_init(&v->open);
	return v;
}

/* With what it knew. */
static void
question_free(struct question *q)
{
	exchange_cancel(&q->exchange);
	list_remove(&q->link);
	q->all->open_count--;
	explicit_bzero(q, sizeof *q);
	free(q);
}

void
verify_free(struct verify *v)
{
	if (v == NULL)
		return;
	LIST_EACH(node, tmp, &v->open)
	{
		struct question *q = LIST_ENTRY(node, struct question, link);

		helper_call_error(q->call, -ECANCELED, "iradd ends");
		question_free(q);
	}
	free(v);
}

/* What the server says, for people to read; false: nothing, or no text. */
static bool
take_words(char *words, const char *message)
{
	size_t n = strlen(message);

	if (n == 0 || !utf8_valid(message, n))
		return false;
	for (size_t i = 0; i <= n; i++) {
		unsigned char c = (unsigned char)message[i];

		words[i] = (c < ' ' && c != '\0') || c == 0x7f ? ' ' : message[i];
		/* The control characters above ASCII. */
		if (i > 0 && (uint8_t)message[i - 1] == 0xc2 && c < 0xa0)
			words[i - 1] = words[i] = ' ';
	}
	return true;
}

static void
answer_verdict(struct question *q, enum radius_result r)
{
	const struct exchange *x = &q->exchange;
	bool is_accepted = r == RADIUS_ACCEPT;
	const char *reason = radius_result_text(r);
	char words[sizeof x->answer.message];
	json_t *result;

	if (take_words(words, x->answer.message))
		reason = words;
	log_info("the RADIUS server %s %s the target's CHAP name \"%s\": %s", x->server,
	    is_accepted ? "accepts" : "rejects", q->args.query.name, reason);
	result = json_pack("{s:s, s:s, s:s}", "verdict", is_accepted ? "accept" : "reject",
	    "server", x->server, "reason", reason);
	if (result != NULL)
		helper_call_reply(q->call, result, -1);
	else
		helper_call_error(q->call, -ENOMEM, "iradd is out of memory");
}

static void
finished(struct exchange *x, int err, enum radius_result r)
{
	struct question *q = LIST_ENTRY(x, struct question, exchange);
	char why[WHY_BYTES];

	if (err == 0) {
		answer_verdict(q, r);
	} else {
		snprintf(why, sizeof why,
		    "no RADIUS server says whether the target is who it says: %s", x->why);
		log_warn("%s", why);
		helper_call_error(q->call, err, why);
	}
	question_free(q);
}

static void
cancelled(void *user, struct helper_call *call)
{
	helper_call_error(call, -ECANCELED, "cancelled");
	question_free(user);
}

static void
ask(struct verify *v, struct helper_call *call)
{
	char why[WHY_BYTES];
	struct question *q;
	int err;

	if (v->open_count >= v->open_max) {
		snprintf(why, sizeof why, "iradd asks %u questions already; try again later",
		    v->open_count);
		helper_call_error(call, -EAGAIN, why);
		return;
	}
	q = calloc(1, sizeof *q);
	if (q == NULL) {
		helper_call_error(call, -ENOMEM, "iradd is out of memory");
		return;
	}
	err = verify_args_parse(&q->args, helper_call_args(call), why, sizeof why);
	if (err < 0) {
		helper_call_error(call, err, why);
		explicit_bzero(q, sizeof *q);
		free(q);
		return;
	}
	q->all = v;
	q->call = call;
	q->exchange.done = finished;
	list_push_back(&v->open, &q->link);
	v->open_count++;
	exchange_start(&q->exchange, &v->cfg, &q->args.servers, &q->args.query, q->args.timeout_us);
	helper_call_on_cancel(call, cancelled, q);
}

static void
answer_statistics(struct verify *v, struct helper_call *call)
{
	json_t *result = counters_json(&v->cfg.counters);

	if (result != NULL)
		helper_call_reply(call, result, -1);
	else
		helper_call_error(call, -ENOMEM, "iradd is out of memory");
}

void
verify_handle(void *user, struct helper_call *call)
{
	const char *op = helper_call_op(call);
	char why[WHY_BYTES];

	if (strcmp(op, "verify") == 0) {
		ask(user, call);
	} else if (strcmp(op, "statistics") == 0) {
		answer_statistics(user, call);
	} else {
		snprintf(why, sizeof why, "iradd knows no operation \"%.64s\"", op);
		helper_call_error(call, -EOPNOTSUPP, why);
	}
}
