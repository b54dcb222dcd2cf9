/*
 * Sense data, and what is made of it.
 *
 * Covers: src/scsi/sense.c
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "scsi/sense.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	uint8_t status = cursor_u8(&in), cut = cursor_u8(&in);
	char text[SENSE_TEXT_BYTES], *small = malloc(cut + 1u);
	struct sense_verdict v;
	struct sense s;
	uint8_t *bytes;
	size_t n, len;
	bool ok;

	if (small == NULL)
		abort();
	bytes = fuzz_rest(&in, &n);
	memset(&s, 0xa5, sizeof s);
	ok = sense_parse(bytes, n, &s);
	v = sense_judge(status, ok ? &s : NULL);
	FUZZ_CHECK(v.error >= 0);
	if (v.action == SENSE_OK)
		FUZZ_CHECK(v.error == 0);
	else
		FUZZ_CHECK(v.error > 0 || v.action == SENSE_TAPE_POSITION);
	len = sense_describe(text, sizeof text, status, ok ? &s : NULL);
	FUZZ_CHECK(len == strlen(text) && len > 0 && len + 1 < sizeof text);
	/* Cut off, it is the same as far as it goes. */
	len = sense_describe(small, cut + 1u, status, ok ? &s : NULL);
	FUZZ_CHECK(len <= cut && strlen(small) == len && strncmp(small, text, len) == 0);
	if (ok) {
		FUZZ_CHECK(s.key <= 15);
		FUZZ_CHECK(sense_key_name(s.key)[0] != '\0');
		FUZZ_CHECK(sense_loss(&s) != SENSE_LOSS_DATA || s.is_deferred);
		FUZZ_CHECK(sense_status_name(status)[0] != '\0');
		(void)sense_asc_text(s.asc, s.ascq); /* NULL is fine */
	}
	free(bytes);
	free(small);
	return 0;
}
