#include "driver/diag/diag.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "driver/diag/diag_limit.h"

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

/* Repeats are told apart by message and session, or address. */
struct diag {
	pthread_mutex_t lock;
	struct diag_cfg cfg;
	struct diag_limit limit;
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

/* Whoever it is about: a session, or without one an address or a disk. */
static uint32_t
peer_of(const struct diag_ctx *ctx)
{
	const char *name = ctx->address != NULL ? ctx->address : ctx->unit;
	uint32_t h = 0x811c9dc5u;

	if (ctx->session >= 0)
		return (uint32_t)ctx->session;
	for (const char *c = name; c != NULL && *c != '\0'; c++)
		h = (h ^ (unsigned char)*c) * 0x01000193u; /* FNV-1a */
	return h | 0x80000000u;
}

/* Whether this one passes, and who hears it; then also how many were held back before it. */
static bool
passes(struct diag *d, enum diag_id id, const struct diag_ctx *ctx, uint32_t *ret_held_back,
    struct diag_cfg *ret_cfg)
{
	uint64_t now;
	bool ok;

	pthread_mutex_lock(&d->lock);
	*ret_cfg = d->cfg;
	now = d->cfg.clock_ms != NULL ? d->cfg.clock_ms() : clock_read(CLOCK_MONOTONIC);
	/* Who may configure need not be kept from filling a disk, and each of his changes is told.
	 */
	ok = id == DIAG_OPENISW_LOG_CONFIGURED ||
	     diag_limit_passes(&d->limit, now + 1, (uint32_t)id, peer_of(ctx), ret_held_back);
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

	if (ev.ctx.to != NULL && !passes(ev.ctx.to, id, &ev.ctx, &ev.held_back, &cfg))
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
