#include "tchap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tlogin.h"
#include "visits.h"

/* ---- secrets ---- */

size_t
tchap_hash(void *ctx, unsigned algorithm, const struct chap_part *parts, size_t n, uint8_t *out)
{
	size_t bytes = algorithm == 5 ? 16 : algorithm == 6 ? 20 : 32;
	struct rng r;
	uint64_t h = algorithm;

	(void)ctx;
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < parts[i].n; k++)
			h = (h ^ ((const uint8_t *)parts[i].bytes)[k]) * UINT64_C(0x100000001b3) +
			    (h >> 47);
	rng_init(&r, h, algorithm);
	for (size_t i = 0; i < bytes; i++)
		out[i] = (uint8_t)rng_next(&r);
	return bytes;
}

void
tchap_secret(char ret[32], unsigned i, bool is_wrong)
{
	(void)snprintf(ret, 32, "%s secret %u", is_wrong ? "another" : "the initiator's", i);
}

void
tchap_own_secret(char ret[32], unsigned i)
{
	(void)snprintf(ret, 32, "the target's secret %u", i);
}

static size_t
respond(const char *secret, unsigned algorithm, uint8_t identifier, const uint8_t *challenge,
    size_t n, uint8_t ret[32])
{
	struct chap_part parts[] = { { &identifier, 1 }, { secret, strlen(secret) },
		{ challenge, n } };

	return tchap_hash(NULL, algorithm, parts, 3, ret);
}

bool
tchap_is_right(unsigned i, unsigned algorithm, uint8_t identifier, const uint8_t *challenge,
    size_t challenge_len, const uint8_t *response, size_t response_len)
{
	uint8_t want[32];
	char secret[32];

	tchap_own_secret(secret, i);
	return response_len ==
		   respond(secret, algorithm, identifier, challenge, challenge_len, want) &&
	       memcmp(response, want, response_len) == 0;
}

/* ---- values ---- */

/* Binary values: hexadecimal or base64 (RFC 7143, 6.1). */
static void
add_binary(struct tconn *c, const char *key, const uint8_t *p, size_t n)
{
	static const char letters[] =
	    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char text[160];
	size_t at = 2;

	(void)snprintf(text, sizeof text, "0x");
	if (rng_chance(&c->t->rng, 500)) {
		for (size_t i = 0; i < n; i++)
			at += (size_t)snprintf(text + at, sizeof text - at, "%02x", p[i]);
	} else {
		text[1] = 'b';
		for (size_t i = 0; i < n; i += 3) {
			uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? p[i + 1] << 8 : 0) |
				     (i + 2 < n ? p[i + 2] : 0);

			for (size_t k = 0; k < 4; k++)
				text[at++] = i + k <= n ? letters[v >> (18 - 6 * k) & 63] : '=';
		}
		text[at] = '\0';
	}
	tlogin_add(c, key, text);
}

/* What an initiator sends: hexadecimal. */
static size_t
binary(struct tconn *c, const char *key, uint8_t *ret, size_t max)
{
	const char *v = tlogin_value(c, key);
	size_t n = 0;

	if (v == NULL || strncmp(v, "0x", 2) != 0)
		tlaw_broken(c, "%s is %s", key, v != NULL ? v : "missing");
	for (v += 2; v[0] != '\0' && v[1] != '\0' && n < max; v += 2)
		ret[n++] = (uint8_t)strtoul((char[]){ v[0], v[1], '\0' }, NULL, 16);
	if (*v != '\0')
		tlaw_broken(c, "%s is too long, or odd", key);
	return n;
}

static unsigned
number(struct tconn *c, const char *key)
{
	const char *v = tlogin_value(c, key);

	if (v == NULL)
		tlaw_broken(c, "no %s", key);
	return (unsigned)strtoul(v, NULL, 0);
}

/* ---- the exchange ---- */

static void
challenge(struct tconn *c)
{
	struct rng *r = &c->t->rng;
	const char *list = tlogin_value(c, "CHAP_A");
	unsigned offered[8], n = 0;

	for (const char *p = list; p != NULL && *p != '\0' && n < 8; p += *p == ',')
		offered[n++] = (unsigned)strtoul(p, (char **)(uintptr_t)&p, 10);
	if (n == 0)
		tlaw_broken(c, "CHAP_A=%s", list != NULL ? list : "");
	c->chap.algorithm = offered[rng_below(r, n)];
	c->chap.identifier = (uint8_t)rng_next(r);
	c->chap.n = 8 + rng_below(r, 25);
	for (unsigned i = 0; i < c->chap.n; i++)
		c->chap.challenge[i] = (uint8_t)rng_next(r);
	tlogin_add_number(c, "CHAP_A", c->chap.algorithm);
	tlogin_add_number(c, "CHAP_I", c->chap.identifier);
	add_binary(c, "CHAP_C", c->chap.challenge, c->chap.n);
}

/* 9.2.1, and RFC 1994: a challenge that was seen before proves nothing. */
static void
check_fresh(struct tconn *c, const uint8_t *p, size_t n)
{
	struct sim *w = c->t->w;
	uint64_t h = 0;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	for (unsigned i = 0; i < w->challenges && i < SIM_CHALLENGES; i++)
		if (w->challenge[i] == h)
			tlaw_broken(c, "a challenge that it had sent before");
	w->challenge[w->challenges++ % SIM_CHALLENGES] = h;
	if (n < 16)
		tlaw_broken(c, "a challenge of %zu bytes", n);
}

/* It proves who it is; one that is somebody else has not its secret. */
static void
prove(struct tconn *c, const uint8_t *theirs, size_t theirs_n)
{
	struct target *t = c->t;
	unsigned how = rng_below(&t->rng, 3);
	uint8_t bytes[64], response[32];
	char secret[32];
	size_t n = binary(c, "CHAP_C", bytes, sizeof bytes), m;

	check_fresh(c, bytes, n);
	c->is_impostor = t->impostor_until_us > sim_now(t->w);
	tchap_own_secret(secret, t->i);
	if (c->is_impostor)
		tchap_secret(secret, t->i, true);
	m = respond(secret, c->chap.algorithm, (uint8_t)number(c, "CHAP_I"), bytes, n, response);
	if (c->is_impostor && how == 0)
		return; /* nothing at all */
	tlogin_add(c, "CHAP_N", "target");
	if (c->is_impostor && how == 1 && theirs_n == m)
		add_binary(c, "CHAP_R", theirs, m); /* what it has just heard */
	else
		add_binary(c, "CHAP_R", response, m);
}

static enum tchap_next
verify(struct tconn *c)
{
	uint8_t got[64], want[32];
	char secret[32];
	size_t n = binary(c, "CHAP_R", got, sizeof got), m;
	bool is_changed = c->t->secret_until_us > sim_now(c->t->w);
	const char *name = tlogin_value(c, "CHAP_N");

	tchap_secret(secret, c->t->i, is_changed);
	m = respond(
	    secret, c->chap.algorithm, c->chap.identifier, c->chap.challenge, c->chap.n, want);
	if (name == NULL || strncmp(name, "iqn.2026-11.org.openisw:host", 28) != 0)
		tlaw_broken(c, "CHAP_N=%s", name != NULL ? name : "nothing");
	if (n != m || memcmp(got, want, m) != 0) {
		if (!is_changed)
			tlaw_broken(c, "a wrong response to its challenge");
		visits_auth(VISITS_AUTH_REFUSED);
		return TCHAP_REFUSE;
	}
	visits_auth(tlogin_value(c, "CHAP_C") != NULL ? VISITS_AUTH_BOTH : VISITS_AUTH_ONE);
	if (tlogin_value(c, "CHAP_C") != NULL)
		prove(c, got, n);
	return TCHAP_END;
}

enum tchap_next
tchap_step(struct tconn *c)
{
	switch (c->chap.state++) {
	case 0: /* it was chosen just now */
		tlogin_add(c, "AuthMethod", "CHAP");
		return TCHAP_GO_ON;
	case 1:
		challenge(c);
		return TCHAP_GO_ON;
	case 2:
		return verify(c);
	}
	return TCHAP_END;
}
