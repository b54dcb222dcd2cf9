#include "driver/iscsial/holders.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "driver/call.h"
#include "ini/isid.h"
#include "scsi/sense.h"

#define ANSWER_BYTES 8192
#define TIMEOUT_MS   5000

struct asking {
	struct driver *d;
	struct passing_to to;
	holders_done *done;
	void *user;
};

static void
end(struct asking *a, const struct holders *h)
{
	a->done(a->user, h);
	free(a);
}

static void ask(struct asking *a, enum reserve_in action, void (*done)(struct question *q));

static bool
is_good(const struct mail_pass *q)
{
	return q->pass.req.result == REQ_DONE && q->pass.req.status == SENSE_STATUS_GOOD;
}

static void
told_reservation(struct question *m)
{
	struct mail_pass *q = passing_of(m);
	struct asking *a = m->user;
	struct holders h = { 0 };
	uint32_t generation;

	h.is_known = is_good(q) && reserve_reservation_parse(q->pass.req.data, q->pass.req.data_got,
				       &generation, &h.is_held, &h.holder);
	passing_free(q);
	end(a, &h);
}

/* False: it does not know the service action. */
static bool
take_status(const struct mail_pass *q, struct holders *ret)
{
	struct reserve_holder one;
	uint32_t generation;
	size_t at = 0;

	if (!is_good(q) ||
	    !reserve_status_generation(q->pass.req.data, q->pass.req.data_got, &generation))
		return false;
	ret->is_known = true;
	while (
	    !ret->is_held && reserve_status_next(q->pass.req.data, q->pass.req.data_got, &at, &one))
		if (one.is_holder) {
			ret->is_held = true;
			ret->holder = one;
		}
	return true;
}

static void
told_status(struct question *m)
{
	struct mail_pass *q = passing_of(m);
	struct asking *a = m->user;
	struct holders h = { 0 };
	bool is_told = take_status(q, &h);

	passing_free(q);
	if (is_told)
		end(a, &h);
	else
		ask(a, RESERVE_IN_RESERVATION, told_reservation);
}

static void
ask(struct asking *a, enum reserve_in action, void (*done)(struct question *q))
{
	struct mail_pass *q = passing_new(ANSWER_BYTES, done, a);

	reserve_in(q->pass.req.cdb, action, ANSWER_BYTES);
	q->pass.req.dir = REQ_READ;
	q->pass.req.timeout_ms = TIMEOUT_MS;
	passing_send(a->d, &a->to, q);
}

void
holders_ask(struct driver *d, const struct passing_to *to, holders_done *done, void *user)
{
	struct asking *a = call_alloc(sizeof *a);

	*a = (struct asking){ .d = d, .to = *to, .done = done, .user = user };
	ask(a, RESERVE_IN_STATUS, told_status);
}

const char *
holders_text(const struct holders *h, char ret_text[HOLDERS_TEXT_BYTES])
{
	char isid[13], with[32] = "";

	if (!h->is_known) {
		(void)snprintf(
		    ret_text, HOLDERS_TEXT_BYTES, "the target does not tell who has it reserved");
		return ret_text;
	}
	if (!h->is_held) {
		(void)snprintf(ret_text, HOLDERS_TEXT_BYTES,
		    "nobody has it reserved: it was for a key that is not registered");
		return ret_text;
	}
	if (h->holder.has_isid) {
		isid_print(isid, h->holder.isid);
		(void)snprintf(with, sizeof with, " (ISID %s)", isid); /* fits */
	}
	/* All of it fits. */
	(void)snprintf(ret_text, HOLDERS_TEXT_BYTES,
	    "it is reserved by %s%s with key 0x%016" PRIx64 ", %s",
	    h->holder.name[0] != '\0' ? h->holder.name
				      : "an initiator that the target does not name",
	    with, h->holder.key, reserve_type_name(h->holder.type));
	return ret_text;
}
