#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/addr.h"

static const struct {
	const char *text;
	enum addr_result result;
	enum addr_kind kind;
	const char *formatted;
} rows[] = {
	{ "10.0.0.1:5003,1", ADDR_OK, ADDR_IPV4, "10.0.0.1:5003,1" },
	{ "10.0.0.1", ADDR_OK, ADDR_IPV4, "10.0.0.1:3260,1" },
	{ "10.0.0.1,0", ADDR_OK, ADDR_IPV4, "10.0.0.1:3260,0" },
	{ "10.0.0.1,65535", ADDR_OK, ADDR_IPV4, "10.0.0.1:3260,65535" },
	{ "10.0.0.1:0x1388,0x10", ADDR_OK, ADDR_IPV4, "10.0.0.1:5000,16" },
	{ "[1080:0:0:0:8:800:200C:417A],65", ADDR_OK, ADDR_IPV6,
	    "[1080::8:800:200c:417a]:3260,65" },
	{ "[1080::8:800:200C:417A]:5003,1", ADDR_OK, ADDR_IPV6, "[1080::8:800:200c:417a]:5003,1" },
	{ "[::1]", ADDR_OK, ADDR_IPV6, "[::1]:3260,1" },
	{ "[::ffff:192.0.2.1]:1", ADDR_OK, ADDR_IPV6, "[::ffff:192.0.2.1]:1,1" },
	{ "[fe80::1%eth0]:3260,1", ADDR_OK, ADDR_IPV6, "[fe80::1%eth0]:3260,1" },
	{ "[febf::1%br-lan.7]", ADDR_OK, ADDR_IPV6, "[febf::1%br-lan.7]:3260,1" },
	{ "computingcenter.example.com,23", ADDR_OK, ADDR_NAME,
	    "computingcenter.example.com:3260,23" },
	{ "Storage", ADDR_OK, ADDR_NAME, "storage:3260,1" },
	{ "3com.example.", ADDR_OK, ADDR_NAME, "3com.example:3260,1" },
	{ "a-b.1c:80", ADDR_OK, ADDR_NAME, "a-b.1c:80,1" },
	{ "", ADDR_EMPTY, 0, NULL },
	{ ":3260", ADDR_EMPTY, 0, NULL },
	{ ",1", ADDR_EMPTY, 0, NULL },
	{ "10.0.0", ADDR_BAD_IPV4, 0, NULL },
	{ "10.0.0.256", ADDR_BAD_IPV4, 0, NULL },
	{ "10.0.0.1.1", ADDR_BAD_IPV4, 0, NULL },
	{ "010.0.0.1", ADDR_BAD_IPV4, 0, NULL },
	{ "12345", ADDR_BAD_IPV4, 0, NULL },
	{ "host.7", ADDR_BAD_IPV4, 0, NULL },
	{ "[::1", ADDR_BAD_BRACKET, 0, NULL },
	{ "::1", ADDR_BAD_BRACKET, 0, NULL },
	{ "2001:db8::1,1", ADDR_BAD_BRACKET, 0, NULL },
	{ "[]", ADDR_BAD_IPV6, 0, NULL },
	{ "[10.0.0.1]", ADDR_BAD_IPV6, 0, NULL },
	{ "[1::2::3]", ADDR_BAD_IPV6, 0, NULL },
	{ "[12345::]", ADDR_BAD_IPV6, 0, NULL },
	{ "[1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa]", ADDR_BAD_IPV6, 0, NULL },
	{ "[fe80::1%]", ADDR_BAD_ZONE, 0, NULL },
	{ "[fe80::1%a/b]", ADDR_BAD_ZONE, 0, NULL },
	{ "[fe80::1%sixteen-letters-]", ADDR_BAD_ZONE, 0, NULL },
	{ "[2001:db8::1%eth0]", ADDR_BAD_ZONE, 0, NULL },
	{ "-a", ADDR_BAD_NAME, 0, NULL },
	{ "a-", ADDR_BAD_NAME, 0, NULL },
	{ "a-.b", ADDR_BAD_NAME, 0, NULL },
	{ "a..b", ADDR_BAD_NAME, 0, NULL },
	{ ".", ADDR_BAD_NAME, 0, NULL },
	{ "7.", ADDR_BAD_IPV4, 0, NULL },
	{ "192.0.2.1.", ADDR_BAD_IPV4, 0, NULL },
	{ "a_b", ADDR_BAD_NAME, 0, NULL },
	{ "a b", ADDR_BAD_NAME, 0, NULL },
	{ "h\xc3\xb6st", ADDR_BAD_NAME, 0, NULL },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", ADDR_BAD_NAME, 0,
	    NULL },
	{ "a:", ADDR_BAD_PORT, 0, NULL },
	{ "a:0", ADDR_BAD_PORT, 0, NULL },
	{ "a:65536", ADDR_BAD_PORT, 0, NULL },
	{ "a:http", ADDR_BAD_PORT, 0, NULL },
	{ "a:1 ,1", ADDR_BAD_PORT, 0, NULL },
	{ "a,", ADDR_BAD_TPGT, 0, NULL },
	{ "a,65536", ADDR_BAD_TPGT, 0, NULL },
	{ "a,-1", ADDR_BAD_TPGT, 0, NULL },
	{ "a,1,2", ADDR_BAD_TPGT, 0, NULL },
	{ "a,1:3260", ADDR_BAD_TPGT, 0, NULL },
	{ "[::1]x", ADDR_TRAILING, 0, NULL },
	{ "[::1]]", ADDR_TRAILING, 0, NULL },
};

static void
addresses_are_read_and_written(void **state)
{
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct addr a = { .port = 4711 }, again;
		char text[LIMIT_ADDRESS_BYTES + 1];

		if (addr_parse(rows[i].text, &a) != rows[i].result)
			print_error("%s\n", rows[i].text);
		assert_int_equal(addr_parse(rows[i].text, &a), rows[i].result);
		assert_true(strlen(addr_text(rows[i].result)) > 5);
		if (rows[i].result != ADDR_OK) {
			assert_int_equal(a.port, 4711);
			continue;
		}
		assert_int_equal(a.kind, rows[i].kind);
		assert_int_equal(addr_is_literal(&a), a.kind != ADDR_NAME);
		addr_format(&a, true, text);
		assert_string_equal(text, rows[i].formatted);
		assert_int_equal(addr_parse(text, &again), ADDR_OK);
		assert_int_equal(a.kind, again.kind);
		assert_string_equal(a.host, again.host);
		assert_int_equal(a.port, again.port);
		assert_int_equal(a.tpgt, again.tpgt);
	}
}

static void
length_limits_are_exact(void **state)
{
	char name[400];
	struct addr a;

	for (size_t i = 0; i < sizeof name; i++)
		name[i] = i % 50 == 49 ? '.' : 'a';
	name[253] = '\0';
	assert_int_equal(addr_parse(name, &a), ADDR_OK);
	name[253] = 'a';
	name[254] = '\0';
	assert_int_equal(addr_parse(name, &a), ADDR_BAD_NAME);
	name[254] = 'a';
	name[301] = '\0';
	assert_int_equal(addr_parse(name, &a), ADDR_TOO_LONG);
	assert_int_equal(addr_parse_host(name, &a), ADDR_TOO_LONG);
}

static void
a_host_alone_may_be_ipv6_without_brackets(void **state)
{
	static const struct {
		const char *text;
		enum addr_result result;
		const char *formatted;
	} hosts[] = {
		{ "127.0.0.1", ADDR_OK, "127.0.0.1:3260" },
		{ "::1", ADDR_OK, "[::1]:3260" },
		{ "[::1]", ADDR_OK, "[::1]:3260" },
		{ "fe80::1%eth0", ADDR_OK, "[fe80::1%eth0]:3260" },
		{ "storage.example", ADDR_OK, "storage.example:3260" },
		{ "", ADDR_EMPTY, NULL },
		{ "127.0.0.1:3260", ADDR_BAD_IPV6, NULL },
		{ "127.0.0.1,1", ADDR_BAD_NAME, NULL },
		{ "[::1", ADDR_BAD_BRACKET, NULL },
		{ "[", ADDR_BAD_BRACKET, NULL },
		{ "[::1]:3260", ADDR_TRAILING, NULL },
		{ "host:80", ADDR_BAD_IPV6, NULL },
	};

	for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
		char text[LIMIT_ADDRESS_BYTES + 1];
		struct addr a;

		assert_int_equal(addr_parse_host(hosts[i].text, &a), hosts[i].result);
		if (hosts[i].result != ADDR_OK)
			continue;
		addr_format(&a, false, text);
		assert_string_equal(text, hosts[i].formatted);
		assert_int_equal(a.tpgt, ADDR_TPGT_DEFAULT);
	}
}

static void
a_portal_has_one_form_however_it_is_written(void **state)
{
	struct addr a, b;

	assert_int_equal(addr_parse("[::0001],7", &a), ADDR_OK);
	assert_int_equal(addr_parse("[0::1]:3260,8", &b), ADDR_OK);
	assert_int_equal(a.kind, b.kind);
	assert_int_equal(a.port, b.port);
	assert_string_equal(a.host, b.host);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_are_read_and_written),
		cmocka_unit_test(length_limits_are_exact),
		cmocka_unit_test(a_host_alone_may_be_ipv6_without_brackets),
		cmocka_unit_test(a_portal_has_one_form_however_it_is_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
