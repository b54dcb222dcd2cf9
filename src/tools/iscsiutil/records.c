#include "tools/iscsiutil/records.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "tools/common/say.h"

void
records_fini(struct records *r)
{
	for (unsigned i = 0; i < RECORDS_WORKERS; i++)
		free(r->worker[i].bytes);
}

static bool
makes_sense(const struct tapring_record *h)
{
	return h->bytes >= sizeof *h && h->bytes <= LIMIT_CAPTURE_BYTES && h->bytes % 8 == 0 &&
	       h->kept <= h->bytes - sizeof *h && h->kind < TAPRING_KINDS && h->way < 2 &&
	       (h->kind != TAPRING_PDU || h->kept <= h->wire) &&
	       (h->kind != TAPRING_OPEN || h->kept == sizeof(struct tapring_open));
}

static void
append(struct records_worker *w, const uint8_t *bytes, size_t n)
{
	if (w->cap - w->len < n) {
		w->cap = (w->len + n) * 2;
		w->bytes = say_need(realloc(w->bytes, w->cap));
	}
	memcpy(w->bytes + w->len, bytes, n);
	w->len += n;
}

bool
records_take(struct records *r, const uint8_t *bytes, size_t n)
{
	struct records_worker *w;
	struct tapring_record h;
	uint32_t worker;
	size_t at = 0;

	if (n < sizeof worker)
		return false;
	memcpy(&worker, bytes, sizeof worker);
	if (worker >= RECORDS_WORKERS)
		return false;
	w = &r->worker[worker];
	append(w, bytes + sizeof worker, n - sizeof worker);
	while (w->len - at >= sizeof h) {
		memcpy(&h, w->bytes + at, sizeof h);
		if (!makes_sense(&h))
			return false;
		if (w->len - at < h.bytes)
			break;
		r->each(r->user, worker, &h, w->bytes + at + sizeof h);
		at += h.bytes;
	}
	memmove(w->bytes, w->bytes + at, w->len - at);
	w->len -= at;
	return true;
}
