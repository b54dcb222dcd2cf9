/*
 * Persistent reservations: what a target answers, and what a client of the helper sends.
 *
 * The first byte says which.  Nothing is read beyond what came; a name is printable; the helper's
 * protocol takes the same commands however its bytes are cut into parts, none of them longer than
 * it may be.
 *
 * Covers: src/scsi/reserve.c src/tools/iscsiutil/prwire.c src/scsi/effect.c
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "scsi/effect.h"
#include "scsi/reserve.h"
#include "tools/iscsiutil/prwire.h"

static void
answers(const uint8_t *p, size_t n)
{
	struct reserve_holder h;
	struct reserve_list list;
	struct reserve_keys k;
	uint32_t generation;
	size_t at = 0, was = 0;
	bool is_held;

	while (reserve_status_next(p, n, &at, &h)) {
		FUZZ_CHECK(at > was && at <= n);
		was = at;
		for (const char *c = h.name; *c != '\0'; c++)
			FUZZ_CHECK(*c > ' ' && *c < 0x7f);
		FUZZ_CHECK(reserve_type_name(h.type)[0] != '\0');
	}
	if (reserve_keys_parse(p, n, &k)) {
		FUZZ_CHECK(k.n_here <= k.n && 8 + (size_t)8 * k.n_here <= n);
		for (uint32_t i = 0; i < k.n_here && i < 4; i++)
			FUZZ_CHECK(reserve_keys_count(&k, reserve_key(&k, i)) > 0);
		FUZZ_CHECK(reserve_again(&k, 1, k.generation) != RESERVE_WAS_LOST);
	}
	if (reserve_reservation_parse(p, n, &generation, &is_held, &h))
		FUZZ_CHECK(!is_held || h.is_holder);
	if (reserve_list_parse(p, n, &list)) {
		uint8_t again[RESERVE_LIST_BYTES];
		struct reserve_list same;

		reserve_list_make(&list, again);
		FUZZ_CHECK(reserve_list_parse(again, sizeof again, &same));
		FUZZ_CHECK(same.key == list.key && same.service_key == list.service_key);
	}
	if (n >= CDB_BYTES)
		FUZZ_CHECK(effect_of(p) <= EFFECT_ALTERS && effect_cdb_len(p[0]) <= CDB_BYTES);
}

/* The commands that these bytes are, as one number; parts of at most so many bytes. */
static uint64_t
commands(const uint8_t *p, size_t n, size_t part)
{
	struct prwire *w = calloc(1, sizeof *w);
	enum prwire_end end = PRWIRE_MORE;
	uint64_t seen = 0;

	if (w == NULL)
		abort();
	while (n > 0 && end != PRWIRE_BROKEN) {
		size_t want = prwire_want(w);

		FUZZ_CHECK(want > 0 && want <= PRWIRE_DATA_MAX);
		want = want < part ? want : part;
		want = want < n ? want : n;
		end = prwire_take(w, p, want);
		p += want;
		n -= want;
		if (end == PRWIRE_COMMAND) {
			FUZZ_CHECK(w->len <= PRWIRE_DATA_MAX);
			FUZZ_CHECK(w->cdb[0] == 0x5e || w->cdb[0] == 0x5f);
			seen = fuzz_hash(seen, w->cdb, sizeof w->cdb);
			if (w->is_out)
				seen = fuzz_hash(seen, w->data, w->len);
			prwire_next(w);
			FUZZ_CHECK(prwire_at_command(w));
		}
	}
	free(w);
	return seen;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	uint8_t which = cursor_u8(&in);
	size_t n;
	uint8_t *bytes = fuzz_rest(&in, &n);

	if ((which & 1) != 0)
		answers(bytes, n);
	else
		FUZZ_CHECK(commands(bytes, n, SIZE_MAX) == commands(bytes, n, 1u + (which >> 1)));
	free(bytes);
	return 0;
}
