#include "driver/diag/diag.h"

#include <pthread.h>
#include <stdio.h>
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

static struct place {
	enum diag_id id;
	int32_t session;
	bool used;
	uint64_t since_ms;
	uint32_t passed, held_back;
} places[PLACES];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct diag_cfg cfg;

static uint64_t
clock_read(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t
now_ms(void)
{
	return cfg.clock_ms != NULL ? cfg.clock_ms() : clock_read(CLOCK_MONOTONIC);
}

void
diag_init(const struct diag_cfg *new_cfg)
{
	pthread_mutex_lock(&lock);
	memset(places, 0, sizeof places);
	cfg = new_cfg != NULL ? *new_cfg : (struct diag_cfg){ 0 };
	pthread_mutex_unlock(&lock);
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

/* Whether this one passes; then also how many were held back before it. */
static bool
passes(enum diag_id id, int32_t session, uint32_t *ret_held_back)
{
	uint64_t now = now_ms();
	struct place *p = &places[((unsigned)id * 31 + (unsigned)session) % PLACES];
	bool ok = true;

	pthread_mutex_lock(&lock);
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
	pthread_mutex_unlock(&lock);
	return ok;
}

void
diag_print(enum diag_id id, const struct diag_ctx *ctx, const char *fmt, ...)
{
	static const struct diag_ctx nothing = { .session = -1 };
	struct diag_event ev = { .id = id, .ctx = ctx != NULL ? *ctx : nothing };
	char text[1024], where[400] = "", again[64] = "";
	va_list ap;

	if (!passes(id, ev.ctx.session, &ev.held_back))
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
