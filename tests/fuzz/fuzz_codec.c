/*
 * Lines and JSON of the control protocol.
 *
 * Lines do not depend on the parts in which bytes come; what is read and printed is read as the
 * same.
 *
 * Covers: src/ipc/codec.c src/ipc/ops.c
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "ipc/codec.h"
#include "ipc/ops.h"

#define LINE_MAX 1000

static uint64_t
read_lines(const uint8_t *p, size_t n, size_t part)
{
	struct ipc_lines l;
	uint64_t hash = 0;
	char *line, *room;
	size_t len, some;
	int got = 0;

	ipc_lines_init(&l, LINE_MAX);
	for (size_t at = 0; at < n && got >= 0; at += some) {
		room = ipc_lines_room(&l, &some);
		if (room == NULL)
			abort();
		FUZZ_CHECK(some > 0);
		some = some < part ? some : part;
		some = some < n - at ? some : n - at;
		memcpy(room, p + at, some);
		ipc_lines_added(&l, some);
		while ((got = ipc_lines_next(&l, &line, &len)) > 0) {
			FUZZ_CHECK(len > 0 && len <= LINE_MAX && memchr(line, '\n', len) == NULL);
			hash = fuzz_hash(hash, line, len);
		}
		FUZZ_CHECK(got == 0 || got == -EMSGSIZE);
		FUZZ_CHECK(l.cap <= 4 * LINE_MAX + 8192);
	}
	ipc_lines_fini(&l);
	return got < 0 ? fuzz_hash(hash, "too long", 8) : hash;
}

static void
check_args(const json_t *object)
{
	const char *name = json_string_value(json_object_get(object, "op"));
	char why[512] = "";
	enum ipc_op op;
	int err;

	if (name == NULL || ipc_op_find(name, &op) != 0)
		return;
	FUZZ_CHECK(strcmp(ipc_op_row(op)->name, name) == 0);
	err = ipc_args_check(op, json_object_get(object, "args"), why, sizeof why);
	FUZZ_CHECK(err == 0 || (err == -EINVAL && why[0] != '\0'));
}

static void
check_json(const uint8_t *p, size_t n)
{
	json_t *object, *again;
	char why[256] = "", *line;
	size_t len;
	int err = ipc_parse((const char *)p, n, &object, why, sizeof why);

	FUZZ_CHECK(err == 0 || (err == -EBADMSG && why[0] != '\0'));
	if (err != 0)
		return;
	FUZZ_CHECK(json_is_object(object));
	check_args(object);
	err = ipc_print(object, LIMIT_IPC_LINE_BYTES, &line, &len);
	FUZZ_CHECK(err == 0 && len > 0 && line[len - 1] == '\n');
	FUZZ_CHECK(memchr(line, '\n', len - 1) == NULL);
	FUZZ_CHECK(ipc_parse(line, len - 1, &again, why, sizeof why) == 0);
	FUZZ_CHECK(json_equal(object, again));
	free(line);
	json_decref(again);
	ipc_op_hide(object);
	json_decref(object);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	size_t part = cursor_u8(&in) + 1u, n;
	uint8_t *bytes = fuzz_rest(&in, &n);
	char *text;
	json_t *shown;

	FUZZ_CHECK(read_lines(bytes, n, part) == read_lines(bytes, n, 1));
	check_json(bytes, n);
	free(bytes);
	in = cursor_over(data, size);
	text = fuzz_string(&in, '\0');
	shown = ipc_text(text);
	FUZZ_CHECK(
	    shown != NULL && utf8_valid(json_string_value(shown), json_string_length(shown)));
	json_decref(shown);
	free(text);
	return 0;
}
