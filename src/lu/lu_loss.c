/*
 * What the unit's write cache may have lost.  A write that was answered lies in
 * the cache until a flush that was sent after it is answered.  Where the target
 * says in between that it lost power or was reset inside, or that an earlier
 * write failed after all, nobody can vouch for those writes: the next flush says
 * so, once.
 */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lu/lu_impl.h"

/* A sentence's part. */
#define WHICH_BYTES 120

static bool
is_cache_on(const struct lu *u)
{
	const struct lu_facts *i = &u->info.facts;

	/* Where nobody could ask, or had an answer, it may be. */
	if (!u->is_mode_sure)
		return true;
	return i->has_mode && i->mode.has_caching && i->mode.is_write_cache_enabled;
}

static bool
is_dirty(const struct lu *u)
{
	return u->acked != u->clean;
}

void
lu_loss_wrote(struct lu *u)
{
	if (!is_dirty(u))
		u->dirty_since_us = agenda_now(u->agenda);
	u->acked++;
}

/* As if one write had been answered. */
void
lu_take_over(struct lu *u, bool is_loss_due)
{
	assert(u->acked == 0 && u->order == 0);
	lu_loss_wrote(u);
	u->is_heir = true;
	if (!is_loss_due)
		return;
	lu_loss_set(u, true);
	lu_say(u, SAY_ERR,
	    "the target had lost what lay in its write cache, and no flush has said so: the next "
	    "one fails");
}

void
lu_loss_set(struct lu *u, bool is_due)
{
	bool was_due = u->is_flush_bad;

	u->is_flush_bad = is_due;
	if (is_due != was_due && u->ops->loss != NULL)
		u->ops->loss(u->user, u, is_due);
}

bool
lu_loss_has_hit(const struct lu *u, const struct blk_req *r)
{
	return r->hold.mark != u->losses && (r->op == BLK_WRITE || r->op == BLK_WRITE_ZEROES) &&
	       lu_io_must_sync(u);
}

void
lu_loss_answer(struct lu *u, const struct blk_req *r, int result)
{
	if (result == 0 &&
	    (r->op == BLK_DISCARD || r->op == BLK_WRITE_ZEROES || (r->op == BLK_WRITE && !r->fua)))
		lu_loss_wrote(u);
}

void
lu_loss_flushed(struct lu *u, uint64_t mark, uint64_t sent_us)
{
	if (mark <= u->clean)
		return;
	u->clean = mark;
	u->is_heir = false;
	/* What was answered since then is younger than this. */
	if (is_dirty(u))
		u->dirty_since_us = sent_us;
}

int
lu_loss_flush_result(struct lu *u)
{
	if (!u->is_flush_bad)
		return 0;
	u->is_flush_bad = false;
	u->is_loss_told = true;
	return -EIO;
}

void
lu_loss_answered(struct lu *u)
{
	if (!u->is_loss_told || !list_empty(&u->finished))
		return;
	u->is_loss_told = false;
	if (!u->is_flush_bad && u->ops->loss != NULL)
		u->ops->loss(u->user, u, false);
}

/* Which writes may be lost. */
static const char *
which(const struct lu *u, char buf[WHICH_BYTES])
{
	uint64_t us = is_dirty(u) ? agenda_now(u->agenda) - u->dirty_since_us : 0;

	(void)snprintf(buf, WHICH_BYTES, "writes of the last %llu s%s that were not flushed",
	    (unsigned long long)(us / 1000000),
	    u->is_heir ? ", or from before this program started," : ""); /* it fits */
	return buf;
}

/* It is promised for one of its paths. */
static bool
must_fail(const struct lu *u)
{
	LU_EACH_PATH(u, lp)
	if (lp->path->volatile_loss_fails)
		return true;
	return false;
}

static void
lost_power(struct lu *u, const char *what)
{
	char buf[WHICH_BYTES];

	u->losses++;
	if (!is_dirty(u) || !is_cache_on(u))
		return;
	if (must_fail(u))
		lu_loss_set(u, true);
	lu_say(u, u->is_flush_bad ? SAY_ERR : SAY_WARN,
	    "the target says \"%s\" while its write cache was on: %s may be lost%s", what,
	    which(u, buf), u->is_flush_bad ? "; the next flush fails" : "");
}

/* A LUN has several forms (SAM-5, section 4.7). */
static bool
is_at(const struct lunpath *lp, const uint8_t lun[LUNS_WIRE_BYTES])
{
	enum luns_mode mode;
	uint32_t number;

	return memcmp(lun, lp->wire, LUNS_WIRE_BYTES) == 0 ||
	       (luns_decode(lun, &mode, &number) == LUNS_SINGLE && number == lp->number);
}

bool
lunpath_overheard(struct lunpath *lp, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *s)
{
	bool is_meant = lp->state != LU_CLOSED && is_at(lp, lun);

	if (is_meant)
		lu_loss_sense(lp->lu, s);
	return is_meant;
}

void
lunpath_told(
    struct lunpath *lp, const uint8_t lun[LUNS_WIRE_BYTES], const struct sense *s, uint64_t at_us)
{
	struct lu *u = lp->lu;

	if (u->is_heir || (is_dirty(u) && u->dirty_since_us <= at_us))
		(void)lunpath_overheard(lp, lun, s);
	else if (is_at(lp, lun) && sense_loss(s) >= SENSE_LOSS_POWER)
		u->losses++; /* a part of what is under way may have been lost */
}

void
lu_loss_sense(struct lu *u, const struct sense *s)
{
	char text[SENSE_TEXT_BYTES], buf[WHICH_BYTES];

	switch (sense_loss(s)) {
	case SENSE_LOSS_DATA:
		u->losses++;
		lu_loss_set(u, true);
		sense_describe(text, sizeof text, SENSE_STATUS_CHECK_CONDITION, s);
		lu_say(u, SAY_ERR,
		    "a write that had been answered failed afterwards (%s): %s may be lost; the "
		    "next flush fails",
		    text, which(u, buf));
		break;
	case SENSE_LOSS_POWER:
		lost_power(u, sense_asc_text(s->asc, s->ascq));
		break;
	case SENSE_LOSS_RESET:
		if (is_dirty(u) && is_cache_on(u))
			lu_say(u, SAY_WARN,
			    "the target was reset or had its power back while its write cache was "
			    "on: if it was the power, %s may be lost",
			    which(u, buf));
		break;
	case SENSE_LOSS_NONE:
		break;
	}
}

struct retry_verdict
lu_loss_judge(struct lu *u, const struct req *r, unsigned tries)
{
	struct retry_verdict v = retry_judge(r, tries);

	if (v.has_sense && v.step != RETRY_DONE)
		lu_loss_sense(u, &v.sense);
	return v;
}
