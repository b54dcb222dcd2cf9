#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/test_malloc.h"
#include "ipc/codec.h"
#include "ipc/ops.h"

static char why[256];

static void
add(struct ipc_lines *l, const char *bytes, size_t n)
{
	while (n > 0) {
		size_t room;
		char *p = ipc_lines_room(l, &room);

		assert_non_null(p);
		if (room > n)
			room = n;
		memcpy(p, bytes, room);
		ipc_lines_added(l, room);
		bytes += room;
		n -= room;
	}
}

static void
expect_line(struct ipc_lines *l, const char *want)
{
	char *line;
	size_t len;

	assert_int_equal(ipc_lines_next(l, &line, &len), 1);
	assert_int_equal(len, strlen(want));
	assert_memory_equal(line, want, len);
}

static int
parse(const char *text)
{
	json_t *object = NULL;
	int err = ipc_parse(text, strlen(text), &object, why, sizeof why);

	json_decref(object);
	return err;
}

static void
lines_come_out_whole_however_they_arrive(void **state)
{
	static const char stream[] = "{\"id\":1}\n\n\r\n{}\r\n{\"id\":3}\n";
	char *line;
	size_t len;

	(void)state;
	for (size_t step = 1; step < sizeof stream; step++) {
		struct ipc_lines l;
		unsigned n = 0;

		ipc_lines_init(&l, 100);
		for (size_t at = 0; at < sizeof stream - 1; at += step) {
			size_t left = sizeof stream - 1 - at;

			add(&l, stream + at, left < step ? left : step);
			while (ipc_lines_next(&l, &line, &len) == 1) {
				static const char *const want[] = { "{\"id\":1}", "{}",
					"{\"id\":3}" };

				assert_true(n < 3 && len == strlen(want[n]));
				assert_memory_equal(line, want[n], len);
				n++;
			}
		}
		assert_int_equal(n, 3);
		assert_null(l.buf);
		ipc_lines_fini(&l);
	}
}

static void
a_line_at_the_limit_passes_and_one_beyond_does_not(void **state)
{
	struct ipc_lines l;
	char *line;
	size_t len;

	(void)state;
	ipc_lines_init(&l, 4);
	add(&l, "abcd\nab", 7);
	expect_line(&l, "abcd");
	add(&l, "cde", 3);
	assert_int_equal(ipc_lines_next(&l, &line, &len), -EMSGSIZE);
	ipc_lines_fini(&l);
	add(&l, "abcde\n", 6);
	assert_int_equal(ipc_lines_next(&l, &line, &len), -EMSGSIZE);
	ipc_lines_fini(&l);
}

static void
only_objects_are_accepted(void **state)
{
	(void)state;
	assert_int_equal(parse("{\"id\":1}"), 0);
	assert_int_equal(parse("[1]"), -EBADMSG);
	assert_int_equal(parse("1"), -EBADMSG);
	assert_int_equal(parse("{\"id\":1} x"), -EBADMSG);
	assert_int_equal(parse("{\"id\":"), -EBADMSG);
	assert_non_null(strstr(why, "no JSON object"));
	assert_int_equal(parse("{\"a\":1,\"a\":2}"), -EBADMSG);
}

static void
numbers_beyond_64_bits_and_bad_text_are_refused(void **state)
{
	(void)state;
	assert_int_equal(parse("{\"id\":9223372036854775807}"), 0);
	assert_int_equal(parse("{\"id\":9223372036854775808}"), -EBADMSG);
	assert_int_equal(parse("{\"id\":1e999}"), -EBADMSG);
	assert_int_equal(parse("{\"a\":\"\xff\"}"), -EBADMSG);
	assert_int_equal(parse("{\"a\":\"\xc0\xaf\"}"), -EBADMSG);
	assert_int_equal(parse("{\"a\":\"\xed\xa0\x80\"}"), -EBADMSG);
	assert_int_equal(parse("{\"a\":\"\\u0000\"}"), -EBADMSG);
}

static void
deep_nesting_is_refused_before_anything_is_built(void **state)
{
	char text[200];

	(void)state;
	memset(text, 0, sizeof text);
	for (int depth = LIMIT_IPC_DEPTH; depth <= LIMIT_IPC_DEPTH + 1; depth++) {
		/* {"a":[[…[]…]]} */
		strncpy(text, "{\"a\":\"[\\\"[\",\"b\":", sizeof text - 1);
		for (int i = 1; i < depth; i++)
			strncat(text, "[", sizeof text - strlen(text) - 1);
		for (int i = 1; i < depth; i++)
			strncat(text, "]", sizeof text - strlen(text) - 1);
		strncat(text, "}", sizeof text - strlen(text) - 1);
		assert_int_equal(parse(text), depth <= LIMIT_IPC_DEPTH ? 0 : -EBADMSG);
	}
	assert_non_null(strstr(why, "deeper"));
}

static void
what_is_printed_is_one_line_within_its_limit(void **state)
{
	json_t *object = json_pack("{s:s}", "a", "x\ny");
	char *line = NULL;
	size_t len;

	(void)state;
	assert_int_equal(ipc_print(object, 12, &line, &len), 0);
	assert_string_equal(line, "{\"a\":\"x\\ny\"}\n");
	assert_int_equal(len, 13);
	free(line);
	assert_int_equal(ipc_print(object, 11, &line, &len), -EMSGSIZE);
	json_decref(object);
}

static void
text_that_cannot_be_shown_is_shown_as_numbers(void **state)
{
	static const struct {
		const char *bytes, *want;
	} rows[] = {
		{ "plain", "plain" },
		{ "", "" },
		{ "\xc3\xa4 \xf0\x9f\x98\x80", "\xc3\xa4 \xf0\x9f\x98\x80" },
		{ "a\xff"
		  "b",
		    "a\\xffb" },
		{ "cut \xe2\x82", "cut \\xe2\\x82" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },
		{ "a\xe2\x80\xae"
		  "b",
		    "a\\xe2\\x80\\xaeb" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		json_t *text = ipc_text(rows[i].bytes);

		assert_non_null(text);
		assert_string_equal(json_string_value(text), rows[i].want);
		json_decref(text);
	}
}

/* xorshift64*: the same bytes on every run. */
static uint64_t
next_random(uint64_t *seed)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return *seed * 0x2545f4914f6cdd1d;
}

/* One change of a line: a byte, a piece gone, a piece twice, or a token of JSON. */
static size_t
mutate(char *line, size_t len, size_t cap, uint64_t *seed)
{
	static const char tokens[] = "{}[]\",:\\\n0-eE.\xff\xc3tfn";
	size_t at = next_random(seed) % (len + 1), n = next_random(seed) % 8;

	switch (next_random(seed) % 4) {
	case 0:
		if (at < len)
			line[at] = (char)next_random(seed);
		return len;
	case 1:
		if (at + n > len)
			n = len - at;
		memmove(line + at, line + at + n, len - at - n);
		return len - n;
	case 2:
		if (at + n > len || len + n > cap)
			return len;
		memmove(line + at + n, line + at, len - at);
		return len + n;
	default:
		if (at < len)
			line[at] = tokens[next_random(seed) % (sizeof tokens - 1)];
		return len;
	}
}

static void
mutated_lines_are_refused_or_understood_but_never_hurt(void **state)
{
	static const char *const good[] = {
		"{\"id\":1,\"op\":\"discovery.add\",\"args\":{\"address\":\"fe80::1%eth0\"}}",
		"{\"id\":2,\"op\":\"scan\"}",
		"{\"id\":-9,\"op\":\"target.remove\",\"args\":{\"name\":\"iqn.x\",\"force\":true}}",
	};
	unsigned understood = 0, refused = 0;
	uint64_t seed = 20261122;

	(void)state;
	for (int i = 0; i < 60000; i++) {
		const char *from = good[i % 3];
		char line[256];
		size_t len = strlen(from);
		json_t *object;
		enum ipc_op op;

		memcpy(line, from, len);
		for (uint64_t k = next_random(&seed) % 6; k > 0; k--)
			len = mutate(line, len, sizeof line, &seed);
		if (ipc_parse(line, len, &object, why, sizeof why) < 0) {
			assert_true(strlen(why) > 0);
			refused++;
			continue;
		}
		understood++;
		for (op = 0; op < IPC_OPS; op++)
			(void)ipc_args_check(op, json_object_get(object, "args"), why, sizeof why);
		json_decref(object);
	}
	assert_true(understood > 1000 && refused > 1000);
}

static void
a_line_that_finds_no_memory_is_never_another_line(void **state)
{
	static const char line[] = "{\"address\": \"127.0.0.1, and so long that it has to grow\", "
				   "\"list\": [1, 2.5, \"x\"], \"port\": 3260}";
	json_t *want, *object;
	int n = 0, err;

	(void)state;
	jsonmem_wipe();
	assert_int_equal(ipc_parse(line, strlen(line), &want, why, sizeof why), 0);
	do {
		object = NULL;
		has_failed = false;
		fails_at = ++n;
		err = ipc_parse(line, strlen(line), &object, why, sizeof why);
		fails_at = 0;
		assert_int_equal(err, has_failed ? -ENOMEM : 0);
		assert_true(has_failed || json_equal(object, want));
		json_decref(object);
	} while (has_failed);
	assert_true(n > 10);
	json_decref(want);
}

/* Blocks with their size before them and bytes behind them that nobody may change. */
#define FENCE_BYTES 32

static char xs[700];
static bool is_lasting; /* where one found no memory, the next ones do not either */

static void *
fenced(size_t n)
{
	char *p;

	if (is_lasting && has_failed)
		fails_at = 1;
	p = jsonmem_get(n + 2 * FENCE_BYTES);

	if (p == NULL)
		return NULL;
	memcpy(p, &n, sizeof n);
	memset(p + FENCE_BYTES + n, 0xa5, FENCE_BYTES);
	return p + FENCE_BYTES;
}

static void
unfenced(void *p)
{
	char *block = p;
	size_t n;

	if (p == NULL)
		return;
	block -= FENCE_BYTES;
	memcpy(&n, block, sizeof n);
	for (size_t i = 0; i < FENCE_BYTES; i++)
		assert_int_equal((unsigned char)block[FENCE_BYTES + n + i], 0xa5);
	memset(block, 0x5a, n + 2 * FENCE_BYTES);
	jsonmem_put(block);
}

/* Behind it are objects, of which many need more memory than is spared, and longer strings. */
static size_t
put_line(char *line, size_t room, size_t len)
{
	size_t at = (size_t)snprintf(line, room, "{\"a\":\"%.*s\",\"b\":[", (int)len, xs);

	for (unsigned i = 0; i < len; i++)
		at += (size_t)snprintf(line + at, room - at, "{},");
	for (int n = 8; n < 600; n = n < 500 ? 2 * n + 2 : n + 1)
		at += (size_t)snprintf(line + at, room - at, "\"%.*s\",", n - 4, xs);
	return at + (size_t)snprintf(line + at, room - at, "1]}");
}

/* A string's memory grows at any of its bytes; jansson does not hear that it does not. */
static void
a_string_of_quotes_that_finds_no_memory_harms_nothing(void **state)
{
	static char line[40000];
	json_t *object = NULL;

	(void)state;
	json_set_alloc_funcs(fenced, unfenced);
	is_lasting = true;
	/* Where the quote that ends it needs more memory. */
	for (size_t len = 1; len < 16384; len = 2 * len + 1) {
		memcpy(line, "[\"", 2);
		for (size_t i = 0; i < len; i++)
			memcpy(line + 2 + 2 * i, "\\\"", 2);
		memcpy(line + 2 + 2 * len, "\"]", 3);
		for (int n = 2; n < 24; n++) {
			has_failed = false;
			fails_at = n;
			assert_true(ipc_parse(line, strlen(line), &object, why, sizeof why) < 0);
			fails_at = 0;
		}
	}
	is_lasting = false;
	jsonmem_wipe();
}

static void
a_string_that_finds_no_memory_harms_nothing(void **state)
{
	static char line[64 << 10];
	unsigned failed = 0;

	(void)state;
	memset(xs, 'x', sizeof xs - 1);
	json_set_alloc_funcs(fenced, unfenced);
	for (size_t i = 0; i < 2 * 70; i++) {
		size_t len = i / 2, n_line = put_line(line, sizeof line, len);
		json_t *object = NULL;
		int n = 0, err;

		is_lasting = i % 2;
		do {
			has_failed = false;
			fails_at = ++n;
			err = ipc_parse(line, n_line, &object, why, sizeof why);
			fails_at = 0;
			assert_int_equal(err, has_failed ? -ENOMEM : 0);
			failed += has_failed;
		} while (has_failed && n < 40);
		if (err == 0)
			json_decref(object);
	}
	assert_true(failed > 3000);
	is_lasting = false;
	jsonmem_wipe();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_come_out_whole_however_they_arrive),
		cmocka_unit_test(a_line_at_the_limit_passes_and_one_beyond_does_not),
		cmocka_unit_test(only_objects_are_accepted),
		cmocka_unit_test(numbers_beyond_64_bits_and_bad_text_are_refused),
		cmocka_unit_test(deep_nesting_is_refused_before_anything_is_built),
		cmocka_unit_test(what_is_printed_is_one_line_within_its_limit),
		cmocka_unit_test(text_that_cannot_be_shown_is_shown_as_numbers),
		cmocka_unit_test(mutated_lines_are_refused_or_understood_but_never_hurt),
		cmocka_unit_test(a_line_that_finds_no_memory_is_never_another_line),
		cmocka_unit_test(a_string_that_finds_no_memory_harms_nothing),
		cmocka_unit_test(a_string_of_quotes_that_finds_no_memory_harms_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
