/*
 * jansson (2.14) puts a string together byte by byte, and goes on where it finds no memory for one:
 * what it returns is another string, and no error; and where the missing byte is the quote that
 * ends it, it reads and writes beyond what it has.  So while a text is read, what it asks for comes
 * from a spare once there is nothing else; it hears of the end of the text, and what it made is
 * thrown away.
 */
#include "sys/jsonmem.h"

#include <malloc.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So much of a text is handed over at once: what may still be read when memory is short. */
#define STEP_BYTES 64
/* For what it makes of that, beside the string: 100 bytes of each byte are more than enough. */
#define STEP_COST 8192
/* A string's memory doubles; the old one, the new one, and the smaller ones before. */
#define GROWTH 4

static _Thread_local struct {
	uint64_t lacks;
	/* While a text is read: bytes[at .. size) are left. */
	char *spare;
	size_t at, size;
} memory;

static void *
from_spare(size_t n)
{
	const size_t aligned = (n + alignof(max_align_t) - 1) & ~(alignof(max_align_t) - 1);

	if (memory.spare == NULL || aligned < n || aligned > memory.size - memory.at)
		return NULL;
	memory.at += aligned;
	return memory.spare + memory.at - aligned;
}

void *
jsonmem_get(size_t n)
{
	void *p = malloc(n);

	if (p != NULL)
		return p;
	memory.lacks++;
	return from_spare(n);
}

static bool
is_spared(const void *p)
{
	const uintptr_t at = (uintptr_t)p, spare = (uintptr_t)memory.spare;

	return memory.spare != NULL && at >= spare && at < spare + memory.size;
}

void
jsonmem_put(void *p)
{
	if (!is_spared(p))
		free(p);
}

uint64_t
jsonmem_lacks(void)
{
	return memory.lacks;
}

static void
put_wiped(void *p)
{
	if (p == NULL || is_spared(p))
		return;
	explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

void
jsonmem_wipe(void)
{
	json_set_alloc_funcs(jsonmem_get, put_wiped);
}

/* ---- reading ---- */

struct feed {
	const char *text;
	size_t len;
	uint64_t lacks;
};

static size_t
feed(void *buf, size_t room, void *user)
{
	struct feed *f = user;
	size_t n = f->len < STEP_BYTES ? f->len : STEP_BYTES;

	if (memory.lacks != f->lacks)
		return 0;
	n = n < room ? n : room;
	memcpy(buf, f->text, n);
	f->text += n;
	f->len -= n;
	return n;
}

/* The longest string cannot be longer than what stands between two quotes, each without a backslash
 * before it: that may be one of the string. */
static size_t
longest(const char *text, size_t len)
{
	size_t most = 0;

	for (size_t i = 0, from = 0; i < len; i++) {
		most = i - from > most ? i - from : most;
		if (text[i] == '"' && (i == 0 || text[i - 1] != '\\'))
			from = i;
	}
	return most + 1;
}

static json_t *
no_memory(json_error_t *err)
{
	if (err != NULL) {
		*err = (json_error_t){ .line = -1, .column = -1 };
		(void)snprintf(err->text, sizeof err->text, "there is no memory"); /* fits */
	}
	return NULL;
}

json_t *
jsonmem_load(const char *text, size_t len, size_t flags, json_error_t *err)
{
	struct feed f = { .text = text, .len = len, .lacks = memory.lacks };
	json_t *value;

	memory.size = GROWTH * longest(text, len) + STEP_COST;
	memory.at = 0;
	memory.spare = malloc(memory.size);
	if (memory.spare == NULL) {
		memory.lacks++;
		return no_memory(err);
	}
	value = json_load_callback(feed, &f, flags, err);
	if (memory.lacks != f.lacks) {
		json_decref(value);
		value = no_memory(err);
	}
	explicit_bzero(memory.spare, memory.at);
	free(memory.spare);
	memory.spare = NULL;
	return value;
}
