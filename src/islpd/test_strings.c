/* Strings, scopes, attributes and URLs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "islpd/attrs.h"
#include "islpd/scopes.h"
#include "islpd/slpstr.h"
#include "islpd/surl.h"

/* A string as a message would have it; sizeof, so that it may hold NULs. */
#define TEXT(s) ((struct slp_text){ s, sizeof s - 1 })

static void
reserved_characters_are_escaped_and_come_back(void **state)
{
	char out[64], back[64];
	struct put w = put_over(out, sizeof out);

	(void)state;
	slpstr_put(&w, "a,b\\(c)*\n", 9, SLPSTR_FILTER);
	assert_int_equal(put_len(&w), 21);
	assert_memory_equal(out, "a\\2cb\\5c\\28c\\29\\2a\\0a", 21);
	assert_true(slpstr_get((struct slp_text){ out, 18 }, back, sizeof back));
	assert_string_equal(back, "a,b\\(c)*");
	/* The scope's own reserved characters. */
	w = put_over(out, sizeof out);
	slpstr_put(&w, "+;", 2, SLPSTR_SCOPE);
	assert_memory_equal(out, "\\2b\\3b", 6);
}

static void
malformed_strings_are_refused(void **state)
{
	static const struct slp_text bad[] = { TEXT("\\"), TEXT("\\2"), TEXT("a\\zz"), TEXT("\\00"),
		TEXT("a\0b"), TEXT("\xff"), TEXT("\\c3"), TEXT("\\c0\\80"), TEXT("12345678") };
	char out[8];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(slpstr_get(bad[i], out, sizeof out));
	assert_true(slpstr_get(TEXT(" 1234567\t"), out, sizeof out));
	assert_string_equal(out, "1234567");
	assert_false(slpstr_get(TEXT(""), out, 0));
}

static void
comparison_knows_no_case_and_one_white_space(void **state)
{
	(void)state;
	assert_true(slpstr_equal("Some  String", "SOME \t STRING"));
	assert_false(slpstr_equal("some string", "somestring"));
	assert_false(slpstr_equal("a", "ab"));
	assert_false(slpstr_equal("\xc3\x84", "\xc3\xa4"));
}

static void
scopes_are_sets_without_case(void **state)
{
	struct scopes a = { 0 }, b, c;
	char text[SCOPES_TEXT_BYTES];

	(void)state;
	assert_true(scopes_add(&a, TEXT(" Default ")));
	assert_true(scopes_add(&a, TEXT("default")));
	assert_true(scopes_add(&a, TEXT("bldg 3,2")));
	assert_int_equal(a.n, 2);
	scopes_text(&a, text);
	assert_string_equal(text, "Default,bldg 3\\2c2");
	scopes_get(TEXT("x,,\\zz,BLDG  3\\2C2,DEFAULT"), &b);
	assert_int_equal(b.n, 3);
	scopes_common(&a, &b, &c);
	assert_int_equal(c.n, 2);
	scopes_without(&b, &a, &c);
	assert_int_equal(c.n, 1);
	assert_string_equal(c.names[0], "x");
}

static void
scopes_have_limits(void **state)
{
	struct scopes s = { 0 };
	char name[] = "a", longest[LIMIT_SLP_SCOPE_BYTES + 1], list[100], text[SCOPES_TEXT_BYTES];

	(void)state;
	assert_false(scopes_add(&s, TEXT("")));
	assert_false(scopes_add(&s, TEXT("  ")));
	assert_false(scopes_add(&s, TEXT("\xff")));
	memset(longest, ',', sizeof longest);
	assert_false(scopes_add(&s, (struct slp_text){ longest, sizeof longest }));
	for (int i = 0; i < LIMIT_SLP_SCOPES; i++, name[0]++) {
		memset(longest, ',', sizeof longest);
		longest[0] = name[0];
		(void)scopes_add(&s, (struct slp_text){ longest, LIMIT_SLP_SCOPE_BYTES });
	}
	assert_false(scopes_add(&s, TEXT("one more")));
	scopes_text(&s, text);
	for (size_t i = 0; i < sizeof list; i++)
		list[i] = i % 2 ? ',' : (char)('0' + i / 2);
	scopes_get((struct slp_text){ list, sizeof list }, &s);
	assert_int_equal(s.n, LIMIT_SLP_SCOPES);
}

static void
attributes_of_a_target_are_read(void **state)
{
	struct attrs a;
	char tags[ATTRS_TAGS_BYTES];

	(void)state;
	assert_true(
	    attrs_get(TEXT("(iscsi-name=iqn.2001-04.com.example:a),(PORTAL-GROUP= 65535 ),boot,"
			   "(transports=sctp, TCP),(alias=disk \\28one\\29),(auth-name=any),"
			   "(mgmt-entity=192.0.2.1)"),
		false, &a));
	assert_string_equal(a.name, "iqn.2001-04.com.example:a");
	assert_true(a.has_tpgt && a.has_transports && a.has_tcp);
	assert_int_equal(a.tpgt, 65535);
	assert_string_equal(a.alias, "disk (one)");
	assert_string_equal(a.mgmt_entity, "192.0.2.1");
	/* RFC 4018, section 6.1: what must not be used is not even asked for. */
	assert_string_equal(
	    attrs_tags(tags), "iscsi-name,portal-group,transports,mgmt-entity,alias");
}

static void
values_that_are_none_are_passed_over(void **state)
{
	static const struct slp_text bad[] = { TEXT("(portal-group=65536)"),
		TEXT("(portal-group=-1)"), TEXT("(portal-group=)"), TEXT("(portal-group=1,2)"),
		TEXT("(portal-group=0x1)"), TEXT("(portal-group=99999999999999999999)"),
		TEXT("portal-group"), TEXT("") };
	struct attrs a;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		assert_true(attrs_get(bad[i], false, &a));
		assert_false(a.has_tpgt);
	}
}

static void
malformed_attribute_lists_are_refused(void **state)
{
	static const struct slp_text bad[] = { TEXT("("), TEXT("(a=b"), TEXT("(ab)"),
		TEXT("(a=b)c"), TEXT("a)b"), TEXT("(a=b))"), TEXT("((a=b)"), TEXT("a(b=c)") };
	struct attrs a;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (attrs_get(bad[i], false, &a))
			fail_msg("%s", bad[i].p);
	assert_true(attrs_get(TEXT("(portal-group=4),(alias=ab"), true, &a));
	assert_int_equal(a.tpgt, 4);
	assert_string_equal(a.alias, "");
}

static void
urls_of_targets_are_taken_apart(void **state)
{
	static const struct {
		struct slp_text url;
		const char *host, *name;
		unsigned port;
	} good[] = {
		{ TEXT("service:iscsi:target://192.0.2.3:3261/iqn.2001-04.com.example:sn.45678"),
		    "192.0.2.3", "iqn.2001-04.com.example:sn.45678", 3261 },
		{ TEXT("service:iscsi:target:192.0.2.3/eui.02004567a425678d"), "192.0.2.3",
		    "eui.02004567a425678d", 3260 },
		{ TEXT("SERVICE:iSCSI:Target://[2001:DB8:0::1]:9/iqn.2001-04.com.example:b/"
		       "identity1"),
		    "2001:db8::1", "iqn.2001-04.com.example:b", 9 },
		{ TEXT("service:iscsi:target://Disk.Example.COM/iqn.2001-04.com.example\\3ac;x=1"),
		    "disk.example.com", "iqn.2001-04.com.example:c", 3260 },
		{ TEXT("service:iscsi:target://h1.example/iqn.2001-04.com.example:%c3%a4"),
		    "h1.example", "iqn.2001-04.com.example:\xc3\xa4", 3260 },
	};
	struct surl s;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
		assert_int_equal(surl_get(good[i].url, &s, NULL), SURL_OK);
		assert_string_equal(s.portal.host, good[i].host);
		assert_string_equal(s.name, good[i].name);
		assert_int_equal(s.portal.port, good[i].port);
	}
}

#define T "service:iscsi:target:"

static void
urls_that_lie_are_refused_with_their_fault(void **state)
{
	static const struct {
		struct slp_text url;
		enum surl_result result;
	} bad[] = {
		{ TEXT(""), SURL_OTHER },
		{ TEXT("service:iscsi:target"), SURL_OTHER },
		{ TEXT("service:iscsi:sms://192.0.2.1/iqn.2001-04.com.example:a"), SURL_OTHER },
		{ TEXT("http://192.0.2.1/"), SURL_OTHER },
		{ TEXT(T), SURL_ADDRESS },
		{ TEXT(T "//"), SURL_ADDRESS },
		{ TEXT(T "///iqn.2001-04.com.example:a"), SURL_ADDRESS },
		{ TEXT(T "//192.0.2.256/iqn.2001-04.com.example:a"), SURL_ADDRESS },
		{ TEXT(T "//192.0.2.1:0/iqn.2001-04.com.example:a"), SURL_ADDRESS },
		{ TEXT(T "//192.0.2.1:65536/iqn.2001-04.com.example:a"), SURL_ADDRESS },
		{ TEXT(T "//192.0.2.1:3260,5/iqn.2001-04.com.example:a"), SURL_ADDRESS },
		{ TEXT(T "//u@192.0.2.1/iqn.2001-04.com.example:a"), SURL_ADDRESS },
		{ TEXT(T "//[2001:db8::1/iqn.2001-04.com.example:a"), SURL_ADDRESS },
		{ TEXT(T "//a\0b/iqn.2001-04.com.example:a"), SURL_ADDRESS },
		{ TEXT(T "//0.0.0.0/iqn.2001-04.com.example:a"), SURL_UNUSABLE },
		{ TEXT(T "//224.0.0.1/iqn.2001-04.com.example:a"), SURL_UNUSABLE },
		{ TEXT(T "//255.255.255.255/iqn.2001-04.com.example:a"), SURL_UNUSABLE },
		{ TEXT(T "//[::]/iqn.2001-04.com.example:a"), SURL_UNUSABLE },
		{ TEXT(T "//[ff02::1]/iqn.2001-04.com.example:a"), SURL_UNUSABLE },
		{ TEXT(T "//[fe80::1]/iqn.2001-04.com.example:a"), SURL_UNUSABLE },
		{ TEXT(T "//192.0.2.1"), SURL_NO_NAME },
		{ TEXT(T "//192.0.2.1/"), SURL_NO_NAME },
		{ TEXT(T "//192.0.2.1//x"), SURL_NO_NAME },
		{ TEXT(T "//192.0.2.1/iqn.2001-04.com.example:a b"), SURL_NAME },
		{ TEXT(T "//192.0.2.1/iqn.2001-04.com.example:A"), SURL_NAME },
		{ TEXT(T "//192.0.2.1/iqn.2001-04.com.example:a\\0"), SURL_NAME },
		{ TEXT(T "//192.0.2.1/iqn.2001-04.com.example:a\\00"), SURL_NAME },
		{ TEXT(T "//192.0.2.1/iqn.2001-04.com.example:a\0b"), SURL_NAME },
		{ TEXT(T "//192.0.2.1/iqn.2001-04.com.example:%0a"), SURL_NAME },
		{ TEXT(T "//192.0.2.1/disk1"), SURL_NAME },
	};
	char longest[400];
	struct surl s;
	enum iname_result name = INAME_OK;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		if (surl_get(bad[i].url, &s, NULL) != bad[i].result)
			fail_msg("%s", bad[i].url.p);
	memset(longest, 'a', sizeof longest);
	memcpy(longest, T "//192.0.2.1/iqn.2001-04.com.example:", strlen(T) + 36);
	assert_int_equal(
	    surl_get((struct slp_text){ longest, sizeof longest }, &s, &name), SURL_NAME);
	assert_int_not_equal(name, INAME_OK);
	assert_string_equal(surl_text(SURL_NO_NAME), "the URL has no iSCSI name");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reserved_characters_are_escaped_and_come_back),
		cmocka_unit_test(malformed_strings_are_refused),
		cmocka_unit_test(comparison_knows_no_case_and_one_white_space),
		cmocka_unit_test(scopes_are_sets_without_case),
		cmocka_unit_test(scopes_have_limits),
		cmocka_unit_test(attributes_of_a_target_are_read),
		cmocka_unit_test(values_that_are_none_are_passed_over),
		cmocka_unit_test(malformed_attribute_lists_are_refused),
		cmocka_unit_test(urls_of_targets_are_taken_apart),
		cmocka_unit_test(urls_that_lie_are_refused_with_their_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
