#include "iradd/servers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "iradd/radius.h"

#define SEPARATORS ", \t"

static int
add_one(struct servers *s, const char *word, size_t n, char *why, size_t why_bytes)
{
	char text[LIMIT_ADDRESS_BYTES + 1];
	enum addr_result r = ADDR_TOO_LONG;
	struct addr a;

	if (s->n == LIMIT_RADIUS_SERVERS) {
		snprintf(why, why_bytes, "more than %d RADIUS servers", LIMIT_RADIUS_SERVERS);
		return -EINVAL;
	}
	if (n < sizeof text) {
		memcpy(text, word, n);
		text[n] = '\0';
		r = addr_parse(text, &a);
		/* An IPv6 address alone needs no brackets. */
		if (r != ADDR_OK && addr_parse_host(text, &a) == ADDR_OK)
			r = ADDR_OK;
	}
	if (r != ADDR_OK) {
		snprintf(why, why_bytes, "the RADIUS server \"%.*s\": %s", n < 64 ? (int)n : 64,
		    word, addr_text(r));
		return -EINVAL;
	}
	if (!a.has_port)
		a.port = RADIUS_PORT;
	s->list[s->n++] = a;
	return 0;
}

int
servers_add(struct servers *s, const char *text, char *why, size_t why_bytes)
{
	for (;;) {
		size_t n;
		int err;

		text += strspn(text, SEPARATORS);
		n = strcspn(text, SEPARATORS);
		if (n == 0)
			return 0;
		err = add_one(s, text, n, why, why_bytes);
		if (err < 0)
			return err;
		text += n;
	}
}
