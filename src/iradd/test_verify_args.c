/* The driver's arguments, good and bad, and where the secrets in them go. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "iradd/memory.h"
#include "iradd/verify_args.h"

#define CHALLENGE "000102030405060708090a0b0c0d0e0f"
#define RESPONSE  "ffeeddccbbaa99887766554433221100"

static json_t *
good(void)
{
	json_t *o = json_pack("{s:s, s:s, s:s, s:s, s:i, s:s, s:s, s:i}", "server",
	    "radius.example", "nas", "192.0.2.1", "nas_secret", "topsecret", "name", "target",
	    "identifier", 9, "challenge", CHALLENGE, "response", RESPONSE, "timeout_ms", 5000);

	assert_non_null(o);
	return o;
}

/* Takes o. */
static int
parse(json_t *o, struct verify_args *ret, char why[256])
{
	int err;

	why[0] = '\0';
	err = verify_args_parse(ret, o, why, 256);
	json_decref(o);
	return err;
}

static void
good_arguments_are_taken(void **state)
{
	struct verify_args a;
	char why[256];
	json_t *o = good();

	(void)state;
	assert_int_equal(verify_args_parse(&a, o, why, sizeof why), 0);
	assert_int_equal(a.servers.n, 1);
	assert_string_equal(a.servers.list[0].host, "radius.example");
	assert_int_equal(a.servers.list[0].port, RADIUS_PORT);
	assert_int_equal(a.query.nas, RADIUS_NAS_IPV4);
	assert_int_equal(a.query.nas_address[3], 1);
	assert_string_equal(a.query.secret, "topsecret");
	assert_int_equal(a.query.chap_identifier, 9);
	assert_int_equal(a.query.challenge_len, 16);
	assert_int_equal(a.query.challenge[15], 15);
	assert_int_equal(a.query.response[0], 0xff);
	assert_int_equal(a.timeout_us, 5000000);
	json_decref(o);
}

static void
servers_are_a_list_in_order(void **state)
{
	static const struct {
		const char *host;
		unsigned port;
	} want[] = { { "a.example", 1645 }, { "192.0.2.7", 1812 }, { "2001:db8::7", 1813 },
		{ "2001:db8::8", 1812 }, { "b", 1812 } };
	struct verify_args a;
	char why[256];
	json_t *o = good();

	(void)state;
	json_object_del(o, "server");
	json_object_set_new(o, "servers",
	    json_pack(
		"[s, s, s]", "a.example:1645", "192.0.2.7 , [2001:db8::7]:1813 2001:db8::8", "b"));
	assert_int_equal(parse(o, &a, why), 0);
	assert_int_equal(a.servers.n, 5);
	for (unsigned i = 0; i < a.servers.n; i++) {
		assert_string_equal(a.servers.list[i].host, want[i].host);
		assert_int_equal(a.servers.list[i].port, want[i].port);
	}
}

static void
nas_that_is_no_address_is_a_name(void **state)
{
	static const struct {
		const char *nas;
		enum radius_nas kind;
	} cases[] = { { "host.example", RADIUS_NAS_NAME }, { "2001:db8::1", RADIUS_NAS_IPV6 },
		{ "10.0.0.1", RADIUS_NAS_IPV4 }, { "10.0.0", RADIUS_NAS_NAME } };

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct verify_args a;
		char why[256];
		json_t *o = good();

		json_object_set_new(o, "nas", json_string(cases[i].nas));
		assert_int_equal(parse(o, &a, why), 0);
		assert_int_equal(a.query.nas, cases[i].kind);
	}
}

static void
bad_arguments_are_refused_with_a_sentence_without_secrets(void **state)
{
	static const struct {
		const char *name, *json; /* NULL: without it */
	} bad[] = { { "server", NULL }, { "server", "\"\"" }, { "server", "\"999.1.1.1\"" },
		{ "server", "\"a b c d e f g h i\"" }, { "server", "\"h:0\"" },
		{ "server", "\"h:1,2,x_y\"" }, { "server", "7" }, { "servers", "\"h\"" },
		{ "servers", "[7]" }, { "nas", NULL }, { "nas", "\"\"" }, { "nas_secret", NULL },
		{ "nas_secret", "\"\"" }, { "nas_secret", "7" }, { "name", NULL },
		{ "name", "\"\"" }, { "identifier", NULL }, { "identifier", "256" },
		{ "identifier", "-1" }, { "challenge", NULL }, { "challenge", "\"\"" },
		{ "challenge", "\"00010203\"" }, { "challenge", "\"" CHALLENGE "0\"" },
		{ "challenge", "\"0x" CHALLENGE "\"" }, { "response", NULL },
		{ "response", "\"" CHALLENGE "00\"" }, { "response", "\"001122\"" },
		{ "response", "\"gg" CHALLENGE "\"" }, { "timeout_ms", NULL },
		{ "timeout_ms", "0" }, { "timeout_ms", "600001" }, { "timeout_ms", "\"1\"" } };
	struct verify_args a;
	char why[256], longest[600];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		json_t *o = good();

		if (bad[i].json == NULL)
			json_object_del(o, bad[i].name);
		else
			json_object_set_new(
			    o, bad[i].name, json_loads(bad[i].json, JSON_DECODE_ANY, NULL));
		if (parse(o, &a, why) != -EINVAL || why[0] == '\0')
			fail_msg("%s %s: %s", bad[i].name, bad[i].json, why);
		assert_null(strstr(why, "topsecret"));
		assert_null(strstr(why, RESPONSE));
	}
	memset(longest, 'a', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	for (size_t i = 0; i < 4; i++) {
		static const char *const names[] = { "nas", "name", "challenge", "server" };
		json_t *o = good();

		json_object_set_new(o, names[i], json_string(longest));
		assert_int_equal(parse(o, &a, why), -EINVAL);
	}
}

/* Called in the place of free(): the linker sees to it. */
void __real_free(void *p);
void __wrap_free(void *p);
static size_t watched_bytes, dirty_bytes;

void
__wrap_free(void *p)
{
	for (size_t i = 0; i < watched_bytes; i++)
		dirty_bytes += ((const char *)p)[i] != 0;
	watched_bytes = 0;
	__real_free(p);
}

static void
memory_is_wiped_before_it_is_freed(void **state)
{
	char *p = memory_get(64);

	(void)state;
	assert_non_null(p);
	memset(p, 'S', 64);
	dirty_bytes = 0;
	watched_bytes = 64 + 1; /* there is more in front of it */
	memory_put(p);
	assert_int_equal(watched_bytes, 0);
	assert_int_equal(dirty_bytes, 0);
	memory_put(NULL);
	assert_null(memory_get(SIZE_MAX));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_arguments_are_taken),
		cmocka_unit_test(servers_are_a_list_in_order),
		cmocka_unit_test(nas_that_is_no_address_is_a_name),
		cmocka_unit_test(bad_arguments_are_refused_with_a_sentence_without_secrets),
		cmocka_unit_test(memory_is_wiped_before_it_is_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
