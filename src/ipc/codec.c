#include "ipc/codec.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/visible.h"

/* First memory of a line that is coming; most requests fit. */
#define LINE_BYTES_FIRST 1024
/* What one read may ask for at once. */
#define LINE_BYTES_STEP (64u << 10)

static int check_depth(const char *line, size_t len, char *why, size_t why_bytes);

void
ipc_lines_init(struct ipc_lines *l, size_t bytes_max)
{
	*l = (struct ipc_lines){ .bytes_max = bytes_max };
}

void
ipc_wipe(void *p, size_t n)
{
	if (p == NULL)
		return;
	explicit_bzero(p, n);
	free(p);
}

void
ipc_lines_fini(struct ipc_lines *l)
{
	ipc_wipe(l->buf, l->cap);
	*l = (struct ipc_lines){ .bytes_max = l->bytes_max };
}

char *
ipc_lines_room(struct ipc_lines *l, size_t *ret_n)
{
	if (l->start > 0) {
		memmove(l->buf, l->buf + l->start, l->len);
		l->start = 0;
	}
	if (l->len == l->cap) {
		size_t cap = l->cap == 0 ? LINE_BYTES_FIRST : l->cap * 2;
		char *bigger = malloc(cap);

		if (bigger == NULL)
			return NULL;
		if (l->buf != NULL)
			memcpy(bigger, l->buf, l->cap);
		ipc_wipe(l->buf, l->cap);
		l->buf = bigger;
		l->cap = cap;
	}
	*ret_n = l->cap - l->len;
	if (*ret_n > LINE_BYTES_STEP)
		*ret_n = LINE_BYTES_STEP;
	return l->buf + l->len;
}

void
ipc_lines_added(struct ipc_lines *l, size_t n)
{
	assert(l->start + l->len + n <= l->cap);
	l->len += n;
}

int
ipc_lines_next(struct ipc_lines *l, char **ret_line, size_t *ret_len)
{
	for (;;) {
		char *from, *newline;
		size_t n;

		if (l->len == 0) {
			/* Between requests a client costs nothing. */
			ipc_lines_fini(l);
			return 0;
		}
		from = l->buf + l->start;
		newline = memchr(from + l->scanned, '\n', l->len - l->scanned);
		if (newline == NULL) {
			l->scanned = l->len;
			return l->len > l->bytes_max ? -EMSGSIZE : 0;
		}
		n = (size_t)(newline - from);
		l->start += n + 1;
		l->len -= n + 1;
		l->scanned = 0;
		if (n > l->bytes_max)
			return -EMSGSIZE;
		if (n > 0 && from[n - 1] == '\r')
			n--;
		if (n > 0) {
			*ret_line = from;
			*ret_len = n;
			return 1;
		}
	}
}

int
ipc_parse(const char *line, size_t len, json_t **ret_object, char *why, size_t why_bytes)
{
	json_error_t err;
	uint64_t before = jsonmem_lacks();
	json_t *object;

	if (check_depth(line, len, why, why_bytes) < 0)
		return -EBADMSG;
	object = jsonmem_load(line, len, JSON_REJECT_DUPLICATES, &err);
	if (object == NULL && jsonmem_lacks() != before)
		return -ENOMEM;
	if (object == NULL) {
		if (json_error_code(&err) == json_error_out_of_memory)
			return -ENOMEM;
		(void)snprintf(
		    why, why_bytes, "this is no JSON object: %s (byte %d)", err.text, err.position);
		return -EBADMSG;
	}
	if (!json_is_object(object)) {
		json_decref(object);
		(void)snprintf(why, why_bytes, "this is JSON, but no object");
		return -EBADMSG;
	}
	*ret_object = object;
	return 0;
}

int
ipc_print(const json_t *object, size_t bytes_max, char **ret_line, size_t *ret_len)
{
	/* Measured first and written into memory of ours: jansson's may be wiped when freed
	 * (iradd). */
	size_t len = json_dumpb(object, NULL, 0, JSON_COMPACT);
	char *line;

	if (len == 0)
		return -ENOMEM;
	if (len > bytes_max)
		return -EMSGSIZE;
	line = malloc(len + 2);
	if (line == NULL)
		return -ENOMEM;
	if (json_dumpb(object, line, len, JSON_COMPACT) != len) {
		free(line);
		return -ENOMEM;
	}
	line[len] = '\n';
	line[len + 1] = '\0';
	*ret_line = line;
	*ret_len = len + 1;
	return 0;
}

json_t *
ipc_text(const char *bytes)
{
	size_t len = strlen(bytes), cap = len * VISIBLE_GROWTH + 1;
	json_t *text;
	char *clean;

	if (visible_is_plain(bytes, len))
		return json_stringn(bytes, len);
	clean = malloc(cap);
	if (clean == NULL)
		return NULL;
	text = json_stringn(clean, visible_copy(bytes, len, clean, cap));
	free(clean);
	return text;
}

/*
 * The parser recurses, and whoever frees or prints its values does, too: depth
 * is looked at before anything is built.  Brackets in strings do not count.
 */
static int
check_depth(const char *line, size_t len, char *why, size_t why_bytes)
{
	bool in_string = false;
	unsigned depth = 0;

	for (size_t i = 0; i < len; i++) {
		char c = line[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			if (++depth > LIMIT_IPC_DEPTH) {
				(void)snprintf(why, why_bytes,
				    "its values are nested deeper than %d levels", LIMIT_IPC_DEPTH);
				return -EBADMSG;
			}
		} else if ((c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return 0;
}
