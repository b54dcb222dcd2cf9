/*
 * iSNS: PDUs and messages, notifications, and the answers to what is asked.
 *
 * However the stream is cut, the messages are the same; what is read of them lies within limits,
 * and targets are sorted, each once, with names and addresses that can be used.
 *
 * Covers: src/iisnsd/isnsp.c src/iisnsd/assemble.c src/iisnsd/answer.c src/iisnsd/notice.c
 * Covers: src/iisnsd/request.c
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "core/iname.h"
#include "fuzz.h"
#include "iisnsd/answer.h"
#include "iisnsd/assemble.h"
#include "iisnsd/notice.h"

#define MESSAGE_BYTES 65536

static void
check_target(const struct answer_target *t)
{
	uint8_t address[16];

	FUZZ_CHECK(iname_check(t->name, strlen(t->name)) == INAME_OK && t->port != 0);
	FUZZ_CHECK(inet_pton(AF_INET, t->address, address) == 1 ||
		   inet_pton(AF_INET6, t->address, address) == 1);
	FUZZ_CHECK(t->alias == NULL || strlen(t->alias) <= LIMIT_ALIAS_BYTES);
}

static int
compare(const struct answer_target *a, const struct answer_target *b)
{
	int c = strcmp(a->name, b->name);

	c = c != 0 ? c : strcmp(a->address, b->address);
	return c != 0 ? c : a->port - b->port;
}

static void
check_targets(struct cursor body)
{
	struct answer_targets t, again;

	if (answer_get_targets(body, &t) != ISNSP_IS_OK)
		return;
	FUZZ_CHECK(t.n <= LIMIT_ISNS_TARGETS);
	for (size_t i = 0; i < t.n; i++) {
		check_target(&t.list[i]);
		FUZZ_CHECK(i == 0 || compare(&t.list[i - 1], &t.list[i]) < 0);
	}
	FUZZ_CHECK(answer_get_targets(body, &again) == ISNSP_IS_OK);
	FUZZ_CHECK(answer_targets_equal(&t, &again));
	answer_targets_fini(&t);
	answer_targets_fini(&again);
}

/* Whatever it is said to be. */
static void
check_message(const struct assemble *in)
{
	struct cursor body = cursor_over(in->body, in->n);
	uint8_t rsp[REQUEST_BYTES];
	uint32_t status, period;
	struct isnsp_header h;
	size_t n = notice_answer(in, rsp);

	FUZZ_CHECK(in->n <= MESSAGE_BYTES && n <= sizeof rsp);
	if (n > 0) {
		FUZZ_CHECK(isnsp_get_header(rsp, &h) == ISNSP_IS_OK);
		FUZZ_CHECK(h.xid == in->xid && h.bytes == n - ISNSP_HEADER_BYTES);
	}
	check_targets(body);
	if (answer_status(&body, &status) != ISNSP_IS_OK)
		return;
	FUZZ_CHECK(isnsp_status_text(status) != NULL);
	(void)answer_period(body, &period);
	check_targets(body);
}

/* step 0: all that is there at once.  What came is added to *ret_sum. */
static enum isnsp_result
take_all(const uint8_t *data, size_t size, size_t step, bool is_checked, uint64_t *ret_sum)
{
	enum isnsp_result r = ISNSP_IS_OK;
	struct assemble a;
	bool is_whole;

	*ret_sum = 0;
	assemble_init(&a, MESSAGE_BYTES);
	for (size_t at = 0; at < size && r == ISNSP_IS_OK;) {
		size_t n = step > 0 && step < size - at ? step : size - at;
		size_t taken = assemble_take(&a, data + at, n, &is_whole, &r);

		FUZZ_CHECK(taken > 0 && taken <= n && (taken == n || is_whole || r != ISNSP_IS_OK));
		at += taken;
		if (!is_whole)
			continue;
		*ret_sum = *ret_sum * 31 + a.function + a.xid + a.n;
		if (is_checked)
			check_message(&a);
	}
	assemble_fini(&a);
	return r;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	size_t step = 1 + cursor_u8(&in) % 16;
	uint64_t one, other;

	if (in.failed)
		return 0;
	FUZZ_CHECK(take_all(in.p, cursor_left(&in), 0, true, &one) ==
		   take_all(in.p, cursor_left(&in), step, false, &other));
	FUZZ_CHECK(one == other);
	check_targets(in);
	return 0;
}
