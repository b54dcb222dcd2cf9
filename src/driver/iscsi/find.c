#include "driver/iscsi/find.h"

#include <stdlib.h>
#include <string.h>

#include "base/cut.h"
#include "driver/call.h"
#include "driver/diag/report.h"
#include "driver/iscsi/iothread.h"
#include "driver/iscsi/settings.h"
#include "driver/iscsi/wanted.h"
#include "ini/isid.h"

struct finding {
	struct mail_discover question; /* first: freed as one */
	struct driver *d;
	find_done *done;
	void *user;
};

static void
count(struct driver *d, const struct discovery_result *r)
{
	stat_add_core(&d->discovery_core, &r->core);
	stat_add_ini(&d->discovery_counts, &r->counts);
	stat_add(&d->stats, r->was_online ? STAT_TRANSPORT_GLOBAL_discovery_opened
					  : STAT_TRANSPORT_GLOBAL_discovery_failed);
	stat_add_n(&d->stats, STAT_TRANSPORT_GLOBAL_send_targets, r->counts.send_targets);
	stat_add_n(
	    &d->stats, STAT_TRANSPORT_GLOBAL_send_targets_failed, r->counts.send_targets_failed);
	stat_add_n(
	    &d->stats, STAT_TRANSPORT_GLOBAL_send_targets_parse, r->counts.send_targets_parse);
}

static void
complain(const struct finding *f, const struct discovery_result *r)
{
	struct diag_ctx about = { -1, NULL, f->question.about, f->d->diag };

	for (size_t i = 0; i < r->n_bad && i < DISCOVERY_BAD_MAX; i++) {
		struct sendtargets_record record = { .kind = r->bad[i].kind,
			.culprit = r->bad[i].culprit,
			.reason = r->bad[i].reason };

		report_sendtargets(&about, &record);
	}
}

static void
finish(void *arg)
{
	struct finding *f = arg;

	f->done(f->user, f->question.result);
	iothread_drop_discover(&f->question.base.mail);
}

static void
answered(struct question *q)
{
	struct finding *f = LIST_ENTRY(q, struct finding, question.base);

	count(f->d, f->question.result);
	complain(f, f->question.result);
	finish(f);
}

void
find_start(struct driver *d, const struct registry_address *a, find_done *done, void *user)
{
	struct registry_scope scope = { REGISTRY_DISCOVERY, NULL, a };
	struct finding *f = question_new(sizeof *f, answered, NULL);
	struct iothread *o = d->iothreads[d->next_iothread];
	struct fault why = { 0 };

	f->d = d;
	f->done = done;
	f->user = user;
	cut_copy(f->question.at.host, sizeof f->question.at.host, a->address);
	f->question.at.port = a->port;
	f->question.at.tpgt = a->tpgt;
	wanted_address_text(a, f->question.about);
	isid_discovery(f->question.isid, d->isid_random, d->discovery_serial++);
	f->question.stats = &d->discovery_stats;
	f->question.settings = settings_snapshot(d->reg, &scope, &why);
	if (f->question.settings == NULL) {
		f->question.result = call_alloc(sizeof *f->question.result);
		f->question.result->fault = why;
		call_post(d->loop, finish, f);
		return;
	}
	d->next_iothread = (d->next_iothread + 1) % d->n_iothreads;
	mail_ask(&f->question.base.mail, &mail_discover, &o->slot.at, &d->slot.at);
}

void
find_stop(struct driver *d)
{
	for (unsigned i = 0; i < d->n_iothreads; i++) {
		struct mail *m = call_alloc(sizeof *m);

		mail_tell(m, &mail_quiesce, &d->iothreads[i]->slot.at);
	}
}
