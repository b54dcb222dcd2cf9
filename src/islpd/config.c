#include "islpd/config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "islpd/slp.h"
#include "sys/conf.h"

void
config_init(struct config *c)
{
	*c = (struct config){ .port = SLP_PORT, .multicast = true };
}

int
config_add_agent(struct config *c, const char *text, char *why, size_t why_bytes)
{
	struct config_agent a = { 0 };
	struct addr parsed;
	enum addr_result result = addr_parse(text, &parsed);

	/* An IPv6 address alone needs no brackets. */
	if (result != ADDR_OK && addr_parse_host(text, &parsed) == ADDR_OK)
		result = ADDR_OK;
	if (result != ADDR_OK || parsed.has_tpgt) {
		snprintf(why, why_bytes, "\"%.100s\" is no address of an agent: %s", text,
		    result != ADDR_OK ? addr_text(result) : addr_text(ADDR_TRAILING));
		return -EINVAL;
	}
	a.port = parsed.has_port ? parsed.port : 0;
	a.is_literal = addr_is_literal(&parsed);
	memcpy(a.host, parsed.host, sizeof a.host);
	for (size_t i = 0; i < c->n_agents; i++)
		if (strcmp(c->agents[i].host, a.host) == 0 && c->agents[i].port == a.port)
			return 0;
	if (c->n_agents == CONFIG_AGENTS_MAX) {
		snprintf(why, why_bytes, "there can be %d agents at most", CONFIG_AGENTS_MAX);
		return -ENOSPC;
	}
	c->agents[c->n_agents++] = a;
	return 0;
}

static int
take_da(struct config *c, const char *value, char *why, size_t why_bytes)
{
	return config_add_agent(c, value, why, why_bytes);
}

static int
take_port(struct config *c, const char *value, char *why, size_t why_bytes)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0' || n < 1 || n > UINT16_MAX) {
		snprintf(why, why_bytes, "\"%.100s\" is no port: 1 to 65535", value);
		return -EINVAL;
	}
	c->port = (uint16_t)n;
	return 0;
}

static int
take_multicast(struct config *c, const char *value, char *why, size_t why_bytes)
{
	bool yes = strcmp(value, "yes") == 0;

	if (!yes && strcmp(value, "no") != 0) {
		snprintf(why, why_bytes, "\"%.100s\" is neither yes nor no", value);
		return -EINVAL;
	}
	c->multicast = yes;
	return 0;
}

enum word {
#define CONFIG(id, word, value, text) WORD_##id,
#include "islpd/config.def"
#undef CONFIG
	WORD_NONE,
};

static enum word
find_word(const char *text)
{
	static const char *const words[] = {
#define CONFIG(id, word, value, text) word,
#include "islpd/config.def"
#undef CONFIG
	};

	for (size_t i = 0; i < WORD_NONE; i++)
		if (strcmp(words[i], text) == 0)
			return (enum word)i;
	return WORD_NONE;
}

static int
take(void *user, const char *word, const char *value, char *why, size_t why_bytes)
{
	struct config *c = user;

	switch (find_word(word)) {
	case WORD_DA:
		return take_da(c, value, why, why_bytes);
	case WORD_PORT:
		return take_port(c, value, why, why_bytes);
	case WORD_MULTICAST:
		return take_multicast(c, value, why, why_bytes);
	case WORD_NONE:
		break;
	}
	snprintf(why, why_bytes, "there is no word \"%.100s\"", word);
	return -EINVAL;
}

int
config_read(struct config *c, const char *path, char *why, size_t why_bytes)
{
	return conf_read(path, take, c, why, why_bytes);
}
