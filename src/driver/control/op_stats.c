/* stats.get and stats.clear: what every session has counted is asked of its worker, and shown
 * together. */
#include <stdlib.h>
#include <string.h>

#include "base/hist.h"
#include "driver/control/control.h"
#include "driver/control/later.h"
#include "driver/control/ops.h"
#include "driver/iscsi/wanted.h"
#include "export/filters.h"
#include "ipc/pieces.h"

/* Less than the client's patience in messages.def. */
#define STATS_PATIENCE_US 5000000

/* Units of a session that are shown in one element of the answer. */
#define LUNS_AT_ONCE 128

struct collection {
	struct later later; /* first: freed as one */
	struct list asked;  /* by instance; while it is shown, those that are not yet */
	struct ipc_pieces pieces;
	size_t luns;   /* of the first one, that are shown already */
	unsigned left; /* answers that are due, one while asking, one while it is shown; the last
			  one frees this */
	bool is_clear, with_discovery, with_connections, is_answered;
	struct agenda_timer patience;
};

/* One session that was asked. */
struct asked {
	struct mail_counts question; /* first: freed as one */
	struct collection *c;
	struct list link; /* collection.asked */
	uint32_t instance;
	bool is_counted; /* it is of those that are shown or cleared; else its worker only told
			    what all count together */
	bool is_here;    /* the answer, or there is nobody to ask */
};

/* ---- what a choice is ---- */

static bool
is_isw(const struct ipc_call *call)
{
	return strcmp(ipc_call_arg_string(call, "device", "iscsi"), "isw") == 0;
}

/* ---- printing ---- */

static json_t *
show_values(const struct stat_values *v, enum stat_section section)
{
	json_t *o = json_object();

	for (int i = 0; i < STAT_COUNT; i++) {
		const struct stat_info *s = stat_info((enum stat_id)i);

		if (s->section == section)
			control_set(o, s->id,
			    s->kind == STAT_KIND_TIME ? control_time((time_t)v->n[i])
						      : json_integer((json_int_t)v->n[i]));
	}
	return o;
}

static json_t *
show_table(enum stat_section section)
{
	static const char *const kinds[] = { [STAT_KIND_CORE] = "counter",
		[STAT_KIND_INI] = "counter",
		[STAT_KIND_DRIVER] = "counter",
		[STAT_KIND_NOW] = "gauge",
		[STAT_KIND_TIME] = "time" };
	json_t *rows = json_array();

	for (int i = 0; i < STAT_COUNT; i++) {
		const struct stat_info *s = stat_info((enum stat_id)i);

		if (s->section == section)
			(void)json_array_append_new(
			    rows, json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", s->id, "name",
				      s->name, "class", s->class, "description", s->description,
				      "kind", kinds[s->kind])); /* no memory: one less */
	}
	return json_pack("{s:s, s:o}", "title", stat_section_title(section), "rows", rows);
}

static json_t *
show_lun_table(void)
{
	json_t *rows = json_array();

#define LUN_STAT(id_, count, name_, class_, text)                                            \
	(void)json_array_append_new(                                                         \
	    rows, json_pack("{s:s, s:s, s:s, s:s, s:s}", "id", #id_, "name", name_, "class", \
		      class_, "description", text, "kind", "counter")); /* no memory: one less */
#include "driver/diag/lun_stats.def"
	return json_pack("{s:s, s:o}", "title", "Logical Unit Statistics", "rows", rows);
}

static json_t *
show_latency(const struct hist *h, uint64_t bytes)
{
	uint64_t n = hist_count(h);

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "count", (json_int_t)n,
	    "bytes", (json_int_t)bytes, "sum_us", (json_int_t)h->sum, "mean_us",
	    (json_int_t)(n > 0 ? h->sum / n : 0), "p50_us", (json_int_t)hist_permille(h, 500),
	    "p99_us", (json_int_t)hist_permille(h, 990), "p999_us",
	    (json_int_t)hist_permille(h, 999), "max_us", (json_int_t)h->max);
}

static json_t *
show_kinds(const struct filters_kind *kind)
{
	json_t *o = json_object();

	for (int i = 0; i < FILTERSPEC_KINDS; i++) {
		json_t *k = show_latency(&kind[i].latency_us, kind[i].bytes);

		control_set(k, "errors", json_integer((json_int_t)kind[i].errors));
		control_set(o, filterspec_kind((enum blk_op)i), k);
	}
	return o;
}

/* What stands in front of the unit now, from its user to it. */
static json_t *
show_filters(const struct filters_report *r)
{
	json_t *list = json_array();

	for (unsigned i = 0; r != NULL && i < r->n; i++) {
		const struct filters_view *v = &r->view[i];
		char text[FILTERSPEC_TEXT_BYTES];
		json_t *o;

		filterspec_print(&v->filter, text);
		o = json_pack("{s:s, s:I}", "filter", text, "requests", (json_int_t)v->requests);
		if (v->has_kinds)
			control_set(o, "kinds", show_kinds(v->kind));
		(void)json_array_append_new(list, o); /* no memory: one less */
	}
	return list;
}

static json_t *
show_lun(const struct nexus_lun_counts *l)
{
	const struct lu_counts *c = &l->counts;
	json_t *o = json_pack("{s:I, s:s, s:o, s:o}", "lun", (json_int_t)l->lun, "name", l->name,
	    "reads", show_latency(&l->latency.reads, c->bytes_read), "writes",
	    show_latency(&l->latency.writes, c->bytes_written));

#define LUN_STAT(id, count, ...) control_set(o, #id, json_integer((json_int_t)(count)));
#include "driver/diag/lun_stats.def"
	control_set(o, "filters", show_filters(l->filters));
	return o;
}

/* Some units of a session; *ret_next: where the next ones begin. */
static json_t *
show_some_luns(const struct mail_counts *counts, size_t from, size_t *ret_next)
{
	json_t *luns = json_array();

	for (*ret_next = from; *ret_next < counts->n && *ret_next < from + LUNS_AT_ONCE;
	     ++*ret_next)
		(void)json_array_append_new(
		    luns, show_lun(&counts->luns[*ret_next])); /* no memory: one less */
	return luns;
}

static void
show_total(const struct mail_counts *counts, json_t *to)
{
	struct lu_latency *total = call_alloc(sizeof *total); /* too large for a stack */
	uint64_t bytes_read = 0, bytes_written = 0;

	for (size_t i = 0; i < counts->n; i++) {
		const struct nexus_lun_counts *l = &counts->luns[i];

		hist_merge(&total->reads, &l->latency.reads);
		hist_merge(&total->writes, &l->latency.writes);
		bytes_read += l->counts.bytes_read;
		bytes_written += l->counts.bytes_written;
	}
	control_set(to, "total",
	    json_pack("{s:o, s:o}", "reads", show_latency(&total->reads, bytes_read), "writes",
		show_latency(&total->writes, bytes_written)));
	free(total);
}

static json_t *
with_values(const struct collection *c, json_t *o, const struct stat_values *v)
{
	if (o == NULL)
		return NULL;
	control_set(o, "values", show_values(v, STAT_TRANSPORT_SESSION));
	if (c->with_connections)
		control_set(o, "connections",
		    json_pack(
			"[{s:i, s:o}]", "cid", 0, "values", show_values(v, STAT_SWD_CONNECTION)));
	return o;
}

/* ---- a session ---- */

static void
clear_session(struct wanted *w, const struct stat_sources *from)
{
	struct mail_clear *m = call_alloc(sizeof *m);
	time_t now = time(NULL);

	if (w->stats_base == NULL)
		w->stats_base = call_alloc(sizeof *w->stats_base);
	stat_clear(w->stats_base, STAT_TRANSPORT_SESSION, from, now);
	stat_clear(w->stats_base, STAT_SWD_CONNECTION, from, now);
	if (!wanted_tell(w, &m->mail, &mail_clear))
		free(m);
}

/* What it counted in all, over the hosts that it had.  counts->is_gone: it has none. */
static void
sum(const struct wanted *w, const struct mail_counts *counts, struct conn_counts *ret_core,
    struct ini_counts *ret_ini)
{
	const struct wanted_before none = { 0 }, *before = w->before != NULL ? w->before : &none;

	*ret_core = before->core;
	*ret_ini = before->counts;
	if (counts->is_gone)
		return;
	stat_add_core(ret_core, &counts->core);
	stat_add_ini(ret_ini, &counts->counts);
}

static void
clear_asked(const struct asked *a)
{
	struct wanted *w = wanted_find(a->c->later.d, a->instance);
	struct conn_counts core;
	struct ini_counts ini;

	if (w == NULL)
		return;
	sum(w, &a->question, &core, &ini);
	clear_session(w, &(struct stat_sources){ &w->stats, &core, &ini });
}

/* NULL: it has nothing to show. */
static json_t *
show_session(struct collection *c, const struct asked *a)
{
	struct wanted *w = wanted_find(c->later.d, a->instance);
	struct stat_base base = { 0 };
	struct conn_counts core;
	struct ini_counts ini;
	struct stat_values v;
	json_t *o;

	if (w == NULL || !a->is_here || !a->is_counted)
		return NULL;
	sum(w, &a->question, &core, &ini);
	/* One that never tried has nothing to show; one that only failed has counted that. */
	if (!w->has_login && core.pdus_sent == 0 && ini.failed == 0)
		return NULL;
	base.cleared = w->counted_since;
	stat_values(&v, &(struct stat_sources){ &w->stats, &core, &ini },
	    w->stats_base != NULL ? w->stats_base : &base);
	o = json_pack("{s:i, s:s, s:s, s:s, s:i, s:i}", "instance", (int)w->instance, "type",
	    "Normal", "target_name", w->target, "address", w->a.address, "port", w->a.port, "tpgt",
	    w->a.tpgt);
	if (o == NULL)
		return NULL;
	control_set(o, "luns", show_some_luns(&a->question, 0, &c->luns));
	show_total(&a->question, o);
	return with_values(c, o, &v);
}

/* Discovery sessions are too many and too short to be shown one by one. */
static json_t *
show_discovery(const struct collection *c)
{
	struct driver *d = c->later.d;
	const struct stat_sources from = { &d->discovery_stats, &d->discovery_core,
		&d->discovery_counts };
	struct stat_values v;

	stat_values(&v, &from, &d->discovery_base);
	return with_values(c,
	    json_pack("{s:n, s:s, s:s}", "instance", "type", "Discovery", "target_name", ""), &v);
}

static void
clear_discovery(struct driver *d)
{
	const struct stat_sources from = { &d->discovery_stats, &d->discovery_core,
		&d->discovery_counts };
	time_t now = time(NULL);

	stat_clear(&d->discovery_base, STAT_TRANSPORT_SESSION, &from, now);
	stat_clear(&d->discovery_base, STAT_SWD_CONNECTION, &from, now);
}

/* ---- the answer ---- */

static json_t *
show_global(struct collection *c)
{
	struct driver *d = c->later.d;
	bool isw = is_isw(c->later.call);
	enum stat_section section = isw ? STAT_SWD_GLOBAL : STAT_TRANSPORT_GLOBAL;
	struct stat_values v;

	if (!ipc_call_arg_bool(c->later.call, "global", false))
		return json_null();
	stat_values(
	    &v, &(struct stat_sources){ .block = &d->stats }, isw ? &d->swd_base : &d->stats_base);
	return json_pack("{s:s, s:o, s:o}", "section", stat_section_id(section), "cleared",
	    control_time(isw ? d->swd_base.cleared : d->stats_base.cleared), "values",
	    show_values(&v, section));
}

static void
clear_global(struct collection *c)
{
	struct driver *d = c->later.d;
	bool isw = is_isw(c->later.call);

	if (ipc_call_arg_bool(c->later.call, "global", false))
		stat_clear(isw ? &d->swd_base : &d->stats_base,
		    isw ? STAT_SWD_GLOBAL : STAT_TRANSPORT_GLOBAL,
		    &(struct stat_sources){ .block = &d->stats }, time(NULL));
}

static void
one_less(struct collection *c)
{
	if (--c->left == 0)
		later_free(&c->later);
}

/* Nobody needs it any more: freed, or when it is answered after all. */
static void
let_go(struct asked *a)
{
	list_remove(&a->link);
	if (a->is_here)
		nexus_drop_counts(&a->question.base.mail);
}

static json_t *
next_session(struct ipc_pieces *p)
{
	struct collection *c = LIST_ENTRY(p, struct collection, pieces);
	json_t *o = NULL;

	if (c->with_discovery) {
		c->with_discovery = false;
		return show_discovery(c);
	}
	while (o == NULL && !list_empty(&c->asked)) {
		struct asked *a = LIST_ENTRY(c->asked.next, struct asked, link);

		if (c->luns == 0)
			o = show_session(c, a);
		else if (c->luns < a->question.n)
			o = json_pack("{s:b, s:o}", "continued", 1, "luns",
			    show_some_luns(&a->question, c->luns, &c->luns));
		if (o != NULL && c->luns > 0 && c->luns < a->question.n)
			return o;
		c->luns = 0;
		let_go(a);
	}
	return o;
}

static void
sessions_shown(struct ipc_pieces *p)
{
	struct collection *c = LIST_ENTRY(p, struct collection, pieces);

	while (!list_empty(&c->asked))
		let_go(LIST_ENTRY(c->asked.next, struct asked, link));
	one_less(c);
}

static const struct ipc_pieces_ops session_pieces = { next_session, sessions_shown };

static void
show(struct collection *c)
{
	json_t *tables = json_object();

	for (int i = 0; i < STAT_SECTIONS; i++)
		control_set(tables, stat_section_id((enum stat_section)i),
		    show_table((enum stat_section)i));
	control_set(tables, "lun", show_lun_table());
	c->pieces = (struct ipc_pieces){ .ops = &session_pieces,
		.member = "sessions",
		.rest = json_pack("{s:o, s:o, s:o}", "time", control_time(time(NULL)), "tables",
		    tables, "global", show_global(c)) };
	c->left++;
	ipc_call_reply_pieces(c->later.call, &c->pieces);
}

static void
clear(struct collection *c)
{
	clear_global(c);
	ipc_call_reply(c->later.call, NULL);
	c->left++;
	sessions_shown(&c->pieces);
}

static void
answer(struct collection *c)
{
	if (c->is_answered)
		return;
	c->is_answered = true;
	agenda_clear(loop_agenda(c->later.d->loop), &c->patience);
	if (c->is_clear)
		clear(c);
	else
		show(c);
}

/* A worker that does not answer has a session that cannot be shown; the others can. */
static void
impatient(struct agenda_timer *t)
{
	answer(LIST_ENTRY(t, struct collection, patience));
}

static void
one_came(struct collection *c)
{
	if (c->left == 1)
		answer(c);
	one_less(c);
}

static void
counted(struct question *q)
{
	struct asked *a = LIST_ENTRY(q, struct asked, question.base);
	struct collection *c = a->c;

	a->is_here = true;
	if (!c->is_answered && c->is_clear && a->is_counted)
		clear_asked(a);
	/* Too late, or not to be shown. */
	if (c->is_answered || c->is_clear || !a->is_counted)
		let_go(a);
	one_came(c);
}

static void
ask_session(struct collection *c, struct wanted *w, bool is_counted)
{
	struct asked *a = question_new(sizeof *a, counted, NULL);

	a->c = c;
	a->instance = w->instance;
	a->is_counted = is_counted;
	list_push_back(&c->asked, &a->link);
	if (wanted_ask(w, &a->question.base, &mail_counts)) {
		c->left++;
		return;
	}
	a->is_here = a->question.is_gone = true;
	if (c->is_clear && is_counted)
		clear_asked(a);
	if (c->is_clear || !is_counted)
		let_go(a);
}

/* ---- the operations ---- */

static bool
check(struct driver *d, struct ipc_call *call, bool *ret_sessions, int64_t *ret_instance)
{
	const char *device = ipc_call_arg_string(call, "device", "iscsi");
	struct fault f = { 0 };

	*ret_instance = ipc_call_arg_int(call, "instance", -1);
	*ret_sessions =
	    ipc_call_arg_bool(call, "sessions", false) || ipc_call_arg_given(call, "instance");
	if (strcmp(device, "iscsi") != 0 && strcmp(device, "isw") != 0)
		fault_set(
		    &f, FAULT_INVALID, "ask for iscsi or isw", "there is no driver of that name");
	else if (strcmp(device, "isw") == 0 && *ret_sessions)
		fault_set(&f, FAULT_INVALID, "ask the transport driver",
		    "the interface driver has global statistics only");
	else if (ipc_call_arg_given(call, "instance") &&
		 (*ret_instance < 0 || *ret_instance >= LIMIT_SESSIONS ||
		     wanted_find(d, (uint32_t)*ret_instance) == NULL))
		fault_set(&f, FAULT_NOTFOUND, "list them: iscsiutil -p -S",
		    "there is no session %lld", (long long)*ret_instance);
	if (f.is_set)
		control_fail(call, &f, NULL);
	return !f.is_set;
}

static void
collect(struct driver *d, struct ipc_call *call, bool is_clear)
{
	struct collection *c;
	int64_t instance;
	bool sessions;

	if (!check(d, call, &sessions, &instance))
		return;
	c = call_alloc(sizeof *c);
	c->later.d = d;
	c->later.call = call;
	c->is_clear = is_clear;
	c->with_connections = ipc_call_arg_bool(call, "connections", false);
	list_init(&c->asked);
	c->patience.expired = impatient;
	agenda_set(
	    loop_agenda(d->loop), &c->patience, loop_now_update(d->loop) + STATS_PATIENCE_US);
	c->left = 1;
	c->with_discovery = sessions && instance < 0;
	if (c->with_discovery && is_clear)
		clear_discovery(d);
	LIST_EACH(node, tmp, &d->sessions)
	{
		struct wanted *w = LIST_ENTRY(node, struct wanted, link);

		/* What all sessions count together is told by each of them. */
		ask_session(c, w, sessions && (instance < 0 || w->instance == instance));
	}
	one_came(c);
}

void
op_stats_get(struct driver *d, struct ipc_call *call)
{
	collect(d, call, false);
}

void
op_stats_clear(struct driver *d, struct ipc_call *call)
{
	collect(d, call, true);
}
