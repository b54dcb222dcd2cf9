#include "ini/chapcfg.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cut.h"
#include "core/text.h"

/* The order of chap.def: MD5 first, since every target must have it (12.1.3). */
static const uint8_t all[] = {
#define CHAP_ALGORITHM(id, number, name, bytes) number,
#include "core/chap.def"
#undef CHAP_ALGORITHM
};

static bool
is_set(const char *value)
{
	return value != NULL && value[0] != '\0';
}

bool
chapcfg_method_parse(const char *text, const char **ret_method)
{
	static const char *const methods[] = { CHAPCFG_METHOD_DEFAULT, "CHAP_BI" };

	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (strcasecmp(text, methods[i]) == 0) {
			*ret_method = methods[i];
			return true;
		}
	return false;
}

static unsigned
find_algorithm(const char *word, size_t n)
{
	for (size_t i = 0; i < sizeof all; i++) {
		const char *name = chap_algorithm_name(all[i]);
		char number[4];

		(void)snprintf(number, sizeof number, "%u", all[i]); /* at most 255 */
		if ((strlen(name) == n && strncasecmp(name, word, n) == 0) ||
		    (strlen(number) == n && strncmp(number, word, n) == 0))
			return all[i];
	}
	return 0;
}

bool
chapcfg_algorithms_parse(const char *text, uint8_t ret[CHAP_ALGORITHMS_MAX], uint8_t *ret_n)
{
	uint8_t list[CHAP_ALGORITHMS_MAX], n = 0;
	const char *word;
	size_t len;

	while (text_list_next(&text, &word, &len)) {
		unsigned a = find_algorithm(word, len);

		/* No more than there are, since none stands twice. */
		if (a == 0 || memchr(list, (int)a, n) != NULL)
			return false;
		list[n++] = (uint8_t)a;
	}
	if (n == 0)
		return false;
	memcpy(ret, list, n);
	*ret_n = n;
	return true;
}

void
chapcfg_algorithms_print(char *buf, size_t n, const uint8_t *algorithms, uint8_t count)
{
	struct put w = put_over(buf, n);

	for (uint8_t i = 0; i < count; i++) {
		if (i > 0)
			put_u8(&w, ',');
		put_str(&w, chap_algorithm_name(algorithms[i]));
	}
	put_u8(&w, 0);
	if (w.overflow)
		buf[0] = '\0';
}

enum chapcfg_secret
chapcfg_secret_parse(const char *text, uint8_t ret[CHAPCFG_SECRET_BYTES], size_t *ret_n)
{
	size_t n = strlen(text);
	bool is_hex = strncasecmp(text, "0x", 2) == 0;

	if (n == 0)
		return CHAPCFG_SECRET_EMPTY;
	if (is_hex || strncasecmp(text, "0b", 2) == 0) {
		if (n == 2)
			return CHAPCFG_SECRET_EMPTY;
		/* The guide: "an even number of digits"; what was left out cannot be known. */
		if (is_hex && n % 2 != 0)
			return CHAPCFG_SECRET_ODD;
		if (text_binary(text, ret, CHAPCFG_SECRET_BYTES, ret_n))
			return CHAPCFG_SECRET_OK;
		return is_hex && n / 2 - 1 > CHAPCFG_SECRET_BYTES ? CHAPCFG_SECRET_TOO_LONG
								  : CHAPCFG_SECRET_MALFORMED;
	}
	if (n > CHAPCFG_SECRET_BYTES)
		return CHAPCFG_SECRET_TOO_LONG;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return CHAPCFG_SECRET_CONTROL;
	memcpy(ret, text, n);
	*ret_n = n;
	return CHAPCFG_SECRET_OK;
}

const char *
chapcfg_secret_text(enum chapcfg_secret r)
{
	switch (r) {
	case CHAPCFG_SECRET_OK:
		return "the secret is valid";
	case CHAPCFG_SECRET_EMPTY:
		return "the secret is empty";
	case CHAPCFG_SECRET_ODD:
		return "a secret in hexadecimal has an even number of digits";
	case CHAPCFG_SECRET_MALFORMED:
		return "a secret that begins with 0x is hexadecimal, one that begins with 0b is "
		       "base64, and this one is neither";
	case CHAPCFG_SECRET_CONTROL:
		return "a secret of characters has no control characters";
	case CHAPCFG_SECRET_TOO_LONG:
		return "the secret is longer than 255 bytes";
	}
	return "";
}

/* ---- a login's configuration ---- */

static void
choose_algorithms(struct chap_cfg *cfg, const struct chapcfg_values *values,
    bool (*is_available)(unsigned algorithm))
{
	uint8_t list[CHAP_ALGORITHMS_MAX], n = sizeof all;

	memcpy(list, all, sizeof all);
	if (is_set(values->algorithms) && !chapcfg_algorithms_parse(values->algorithms, list, &n))
		n = 0;
	cfg->n_algorithms = 0;
	for (uint8_t i = 0; i < n; i++) {
		/* RADIUS knows CHAP with MD5 only (RFC 2865, 2.2). */
		if (cfg->mutual == CHAP_BI_ASK && list[i] != CHAP_MD5)
			continue;
		if (is_available == NULL || is_available(list[i]))
			cfg->algorithm[cfg->n_algorithms++] = list[i];
	}
}

/* A secret as it is typed, sealed.  NULL: it cannot be used. */
static const uint8_t *
set_secret(
    const struct chap_ops *ops, const char *text, uint8_t ret[CHAPCFG_SEALED_BYTES], size_t *ret_n)
{
	if (chapcfg_secret_parse(text, ret, ret_n) == CHAPCFG_SECRET_OK &&
	    (ops->seal == NULL || ops->seal(ops->ctx, ret, *ret_n)))
		return ret;
	*ret_n = 0;
	return NULL;
}

static void
set_target(struct chapcfg *ret, const struct chapcfg_values *values, bool is_known)
{
	struct chap_cfg *cfg = &ret->cfg;

	cfg->mutual = CHAP_BI_ASK;
	if (!is_known || is_set(values->target_secret)) {
		/* What cannot be read fails every login, and never opens the door. */
		cfg->mutual = CHAP_BI_SECRET;
		if (is_known)
			cfg->target_secret = set_secret(cfg->ops, values->target_secret,
			    ret->target_secret, &cfg->target_secret_len);
	}
	if (is_set(values->target_name)) {
		cut_copy(ret->target_name, sizeof ret->target_name, values->target_name);
		cfg->target_chap_name = ret->target_name;
	}
}

void
chapcfg_init(struct chapcfg *ret, const struct chapcfg_values *values, const struct chap_ops *ops,
    bool (*is_available)(unsigned algorithm))
{
	struct chap_cfg *cfg = &ret->cfg;
	const char *method = CHAPCFG_METHOD_DEFAULT;
	bool is_known;

	memset(ret, 0, sizeof *ret);
	cfg->ops = ops;
	cut_copy(ret->name, sizeof ret->name,
	    is_set(values->name)             ? values->name
	    : values->initiator_name != NULL ? values->initiator_name
					     : "");
	cfg->name = ret->name;
	if (is_set(values->secret))
		cfg->secret = set_secret(ops, values->secret, ret->secret, &cfg->secret_len);
	cfg->challenge = ret->challenge;
	cfg->challenge_len = sizeof ret->challenge;
	is_known = !is_set(values->method) || chapcfg_method_parse(values->method, &method);
	if (!is_known || strcmp(method, "CHAP_BI") == 0)
		set_target(ret, values, is_known);
	choose_algorithms(cfg, values, is_available);
}

void
chapcfg_refresh(struct chapcfg *c, const uint8_t random[CHAPCFG_RANDOM_BYTES])
{
	memcpy(c->challenge, random, sizeof c->challenge);
	c->cfg.identifier = random[sizeof c->challenge];
}

bool
chapcfg_md5_only(const struct chapcfg *c, struct chap_cfg *ret)
{
	if (c->cfg.n_algorithms < 2 ||
	    memchr(c->cfg.algorithm, CHAP_MD5, c->cfg.n_algorithms) == NULL)
		return false;
	*ret = c->cfg;
	ret->algorithm[0] = CHAP_MD5;
	ret->n_algorithms = 1;
	return true;
}

void
chapcfg_wipe(struct chapcfg *c)
{
	explicit_bzero(c, sizeof *c);
}
