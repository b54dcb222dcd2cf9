/* session.trace: the last PDU headers of a session, with the names of their fields. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/pdu_field.h"
#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/iscsi/wanted.h"

struct tracing {
	struct mail_trace question; /* first: freed as one */
	struct ipc_call *call;
	int64_t instance;
};

static json_t *
hex(const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * PDU_BHS_BYTES + 1];

	for (size_t i = 0; i < n; i++) {
		text[2 * i] = digits[bytes[i] >> 4];
		text[2 * i + 1] = digits[bytes[i] & 15];
	}
	text[2 * n] = '\0';
	return json_string(text);
}

static json_t *
show_fields(const uint8_t *bhs)
{
	struct pdu_field f[PDU_FIELDS_MAX];
	size_t n = pdu_fields(bhs, f);
	json_t *o = json_object();

	for (size_t i = 0; i < n; i++)
		switch (f[i].kind) {
		case PDU_FIELD_FLAG:
			control_set(o, f[i].name, json_boolean(f[i].number != 0));
			break;
		case PDU_FIELD_NUMBER:
			control_set(o, f[i].name, json_integer(f[i].number));
			break;
		case PDU_FIELD_BYTES:
			control_set(o, f[i].name, hex(f[i].bytes, f[i].len));
			break;
		}
	return o;
}

/* "2026-01-01T00:00:00.123456Z" of so many microseconds ago. */
static json_t *
show_time(uint64_t ago_us)
{
	struct timespec now;
	char text[32];
	uint64_t at;
	time_t t;
	struct tm tm;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail with this clock */
	at = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 - ago_us;
	t = (time_t)(at / 1000000);
	if (gmtime_r(&t, &tm) == NULL || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		return json_null();
	return json_sprintf("%s.%06uZ", text, (unsigned)(at % 1000000));
}

static json_t *
show_entry(const struct trace_entry *e, uint64_t now_us)
{
	return json_pack("{s:o, s:i, s:s, s:i, s:s, s:o, s:o}", "time",
	    show_time(now_us - e->at_us), "connection", (int)e->connection, "way",
	    e->way == TRACE_IN ? "in" : "out", "opcode", (int)pdu_opcode(e->bhs), "name",
	    pdu_name(pdu_opcode(e->bhs)), "fields", show_fields(e->bhs), "header",
	    hex(e->bhs, PDU_BHS_BYTES));
}

static void
traced(struct question *q)
{
	struct tracing *t = LIST_ENTRY(q, struct tracing, question.base);
	const struct mail_trace *trace = &t->question;
	json_t *entries = json_array();

	for (size_t i = 0; i < trace->n; i++)
		/* No memory: one less. */
		(void)json_array_append_new(entries, show_entry(&trace->entry[i], trace->now_us));
	ipc_call_reply(t->call,
	    json_pack("{s:I, s:o}", "instance", (json_int_t)t->instance, "entries", entries));
	free(t);
}

void
op_session_trace(struct driver *d, struct ipc_call *call)
{
	int64_t instance = ipc_call_arg_int(call, "instance", -1);
	struct wanted *w =
	    instance >= 0 && instance < LIMIT_SESSIONS ? wanted_find(d, (uint32_t)instance) : NULL;
	struct tracing *t;
	struct fault f;

	/* Also one that was never online: a login that fails is what is looked for. */
	if (w == NULL) {
		fault_set(&f, FAULT_NOTFOUND, "list them: iscsiutil -p -S",
		    "there is no session %lld", (long long)instance);
		control_fail(call, &f, NULL);
		return;
	}
	t = question_new(sizeof *t, traced, NULL);
	t->call = call;
	t->instance = instance;
	if (!wanted_ask(w, &t->question.base, &mail_trace))
		traced(&t->question.base); /* it never had a connection */
}
