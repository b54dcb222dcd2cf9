/*
 * What anybody sends to the socket of the metrics.
 *
 * A head ends where it ends, in whatever pieces it came; what is judged is one of the answers that
 * there are.
 *
 * Covers: src/tools/iscsiutil/http.c
 */
#include <string.h>

#include "fuzz.h"
#include "tools/iscsiutil/http.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *bytes = (const char *)data;
	size_t n = http_head_bytes(bytes, size);
	struct http_request r, again;

	FUZZ_CHECK(n <= size);
	for (size_t i = 0; i < size && i <= n; i++)
		FUZZ_CHECK(http_head_bytes(bytes, i) == (n > 0 && i >= n ? n : 0));
	if (n == 0)
		return 0;
	r = http_parse(bytes, n, "/metrics");
	FUZZ_CHECK(r.status == 200 || r.status == 400 || r.status == 404 || r.status == 405);
	/* What is behind it is nobody's. */
	again = http_parse(bytes, http_head_bytes(bytes, n), "/metrics");
	FUZZ_CHECK(
	    memcmp(&r.status, &again.status, sizeof r.status) == 0 && r.is_head == again.is_head);
	return 0;
}
