/*
 * Values of login keys as a user or a registry has them.
 *
 * An offer that is accepted is printed, and what is printed is accepted as the same offer.
 *
 * Covers: src/core/neg.c
 */
#include <stdlib.h>
#include <string.h>

#include "core/neg.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	enum key_id key = cursor_u8(&in) % KEY_COUNT, found;
	char *text = fuzz_string(&in, '\0'), printed[256];
	struct neg_offer before, offer, again;
	enum neg_parse result;

	memset(&before, 0, sizeof before);
	neg_offer_default(&before);
	offer = again = before;
	result = neg_parse_value(key, text, &offer);
	FUZZ_CHECK(neg_parse_text(result)[0] != '\0');
	if (result != NEG_PARSE_OK) {
		FUZZ_CHECK(memcmp(&offer, &before, sizeof offer) == 0);
	} else {
		const struct key_info *k = neg_key_info(key);

		FUZZ_CHECK(key < neg_param_count());
		FUZZ_CHECK(neg_format_offer(&offer, key, printed, sizeof printed));
		FUZZ_CHECK(neg_parse_value(key, printed, &again) == NEG_PARSE_OK);
		if (k->type == KEY_TYPE_LIST) {
			const struct neg_list *a = neg_offer_list(&offer, key);
			const struct neg_list *b = neg_offer_list(&again, key);

			FUZZ_CHECK(a->n == b->n && memcmp(a->value, b->value, a->n) == 0);
		} else {
			uint32_t v = neg_offer_value(&offer, key);

			FUZZ_CHECK(v == neg_offer_value(&again, key));
			FUZZ_CHECK(k->type != KEY_TYPE_NUM || (v >= k->can_min && v <= k->can_max));
		}
	}
	if (neg_key_find(text, &found))
		FUZZ_CHECK(strcmp(neg_key_info(found)->name, text) == 0);
	free(text);
	return 0;
}
