#include "core/tapmask.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* The types of keys.def. */
enum {
	SECRET_BINARY = true,
	SECRET_TEXT = false,
	SECRET_NUMBER = false,
	SECRET_LIST = false,
	SECRET_BOOLEAN = false
};

static const struct {
	const char *name;
	bool is_secret;
} keys[] = {
#define KEY_SEC(id, name, section, method, senders, type) { name, SECRET_##type },
#include "core/keys.def"
};

/* In any case: what the target takes for the key is a secret, also misspelt. */
static bool
is_secret(const char *key)
{
	for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
		if (keys[i].is_secret && strcasecmp(keys[i].name, key) == 0)
			return true;
	return false;
}

static void
take_key(struct tapmask *m, uint8_t c)
{
	if (c != '=') {
		/* What is longer than a key can be is none of ours. */
		if (m->n < LIMIT_KEY_NAME_BYTES)
			m->key[m->n] = (char)c;
		m->n++;
		return;
	}
	m->key[m->n < LIMIT_KEY_NAME_BYTES ? m->n : LIMIT_KEY_NAME_BYTES] = '\0';
	m->at = m->n <= LIMIT_KEY_NAME_BYTES && is_secret(m->key) ? TAPMASK_HIDDEN : TAPMASK_SHOWN;
	m->n = 0;
	m->zero = '0';
}

static uint8_t
hide(struct tapmask *m, uint8_t c)
{
	size_t at = m->n++;

	if (at == 0 && c == '0')
		return c;
	if (at == 1 && (c == 'x' || c == 'X' || c == 'b' || c == 'B')) {
		m->zero = c == 'b' || c == 'B' ? 'A' : '0';
		return c;
	}
	/* Padding of base64. */
	return c == '=' ? c : m->zero;
}

void
tapmask_apply(struct tapmask *m, uint8_t *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (text[i] == '\0') {
			m->at = TAPMASK_KEY;
			m->n = 0;
			continue;
		}
		switch (m->at) {
		case TAPMASK_KEY:
			take_key(m, text[i]);
			break;
		case TAPMASK_HIDDEN:
			text[i] = hide(m, text[i]);
			break;
		case TAPMASK_SHOWN:
			break;
		}
	}
}
