#include "driver/diag/diag.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

static const struct diag_info info[DIAG_COUNT] = {
#define MSG(appendix_, number_, id_, level_, parameters, values, text_, cause_, action_) \
	[DIAG_##id_] = {                                                                 \
		.id = #id_,                                                              \
		.text = text_,                                                           \
		.cause = cause_,                                                         \
		.action = action_,                                                       \
		.appendix = #appendix_[0],                                               \
		.number = number_,                                                       \
		.level = LOG_LVL_##level_,                                               \
	},
#include "driver/diag/messages.def"
};

/*
 * Repeats are told apart by message and session.  The table is small and
 * direct-mapped: when two pairs share a place, the newer one takes it, and the
 * worst that happens is a message too many.
 */
#define PLACES 256

struct place {
	enum diag_id id;
	int32_t session;
	bool used;
	uint64_t since_ms;
	uint32_t passed, held_back;
};

struct diag {
	pthread_mutex_t lock;
	struct diag_cfg cfg;
	struct place places[PLACES];
};

static uint64_t
clock_read(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

struct diag *
diag_new(const struct diag_cfg *cfg)
{
	struct diag *d = calloc(1, sizeof *d);

	if (d == NULL)
		return NULL;
	pthread_mutex_init(&d->lock, NULL);
	d->cfg = *cfg;
	return d;
}

void
diag_free(struct diag *d)
{
	if (d == NULL)
		return;
	pthread_mutex_destroy(&d->lock);
	free(d);
}

void
diag_listen(struct diag *d, void (*sink)(void *user, const struct diag_event *ev), void *user)
{
	pthread_mutex_lock(&d->lock);
	d->cfg.sink = sink;
	d->cfg.user = user;
	pthread_mutex_unlock(&d->lock);
}

const struct diag_info *
diag_info(enum diag_id id)
{
	return &info[id];
}

bool
diag_find(const char *name, enum diag_id *ret_id)
{
	for (int i = 0; i < DIAG_COUNT; i++)
		if (strcasecmp(info[i].id, name) == 0) {
			*ret_id = (enum diag_id)i;
			return true;
		}
	return false;
}

/* Whether this one passes, and who hears it; then also how many were held back before it. */
static bool
passes(struct diag *d, enum diag_id id, int32_t session, uint32_t *ret_held_back,
    struct diag_cfg *ret_cfg)
{
	struct place *p = &d->places[((unsigned)id * 31 + (unsigned)session) % PLACES];
	bool ok = true;
	uint64_t now;

	pthread_mutex_lock(&d->lock);
	*ret_cfg = d->cfg;
	now = d->cfg.clock_ms != NULL ? d->cfg.clock_ms() : clock_read(CLOCK_MONOTONIC);
	if (!p->used || p->id != id || p->session != session ||
	    now - p->since_ms >= DIAG_WINDOW_MS) {
		bool is_same = p->used && p->id == id && p->session == session;

		*ret_held_back = is_same ? p->held_back : 0;
		*p = (struct place){
			.id = id, .session = session, .used = true, .since_ms = now, .passed = 1
		};
	} else if (p->passed < DIAG_BURST) {
		p->passed++;
		*ret_held_back = 0;
	} else {
		p->held_back++;
		ok = false;
	}
	pthread_mutex_unlock(&d->lock);
	return ok;
}

void
diag_print(enum diag_id id, const struct diag_ctx *ctx, const char *fmt, ...)
{
	static const struct diag_ctx nothing = { .session = -1 };
	struct diag_event ev = { .id = id, .ctx = ctx != NULL ? *ctx : nothing };
	struct diag_cfg cfg = { 0 };
	char text[1024], where[400] = "", again[64] = "";
	va_list ap;

	if (ev.ctx.to != NULL && !passes(ev.ctx.to, id, ev.ctx.session, &ev.held_back, &cfg))
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap); /* a long value is cut */
	va_end(ap);
	ev.text = text;
	ev.wall_ms = cfg.wall_ms != NULL ? cfg.wall_ms() : clock_read(CLOCK_REALTIME);
	if (ev.ctx.target != NULL || ev.ctx.address != NULL)
		(void)snprintf(where, sizeof where, " [%s%s%s]", /* as above */
		    ev.ctx.target != NULL ? ev.ctx.target : "",
		    ev.ctx.target != NULL && ev.ctx.address != NULL ? " at " : "",
		    ev.ctx.address != NULL ? ev.ctx.address : "");
	if (ev.held_back > 0)
		(void)snprintf(
		    again, sizeof again, " (%u more like it were held back)", ev.held_back);
	log_msg(info[id].level, "%s: %s%s%s", info[id].id, text, where, again);
	if (cfg.sink != NULL)
		cfg.sink(cfg.user, &ev);
}
