/* The configuration, and the collection of what was found. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "islpd/config.h"
#include "islpd/found.h"

static char why[512];

static int
read_text(struct config *c, const char *text)
{
	char path[] = "/tmp/test-islpd-XXXXXX";
	int fd = mkstemp(path), err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	err = config_read(c, path, why, sizeof why);
	unlink(path);
	return err;
}

static void
file_sets_what_it_names_and_nothing_else(void **state)
{
	struct config c;

	(void)state;
	config_init(&c);
	assert_int_equal(c.port, 427);
	assert_true(c.multicast);
	assert_int_equal(config_read(&c, "/nonexistent/islpd.conf", why, sizeof why), 0);
	assert_int_equal(
	    read_text(&c,
		"# agents\n\n \tda 192.0.2.1\nda 192.0.2.1 # twice\nda [2001:DB8::1]:5427\n"
		"da 2001:db8::2\nda slp.Example.com:99\nport 4270\nmulticast no"),
	    0);
	assert_int_equal(c.n_agents, 4);
	assert_string_equal(c.agents[0].host, "192.0.2.1");
	assert_int_equal(c.agents[0].port, 0);
	assert_string_equal(c.agents[1].host, "2001:db8::1");
	assert_int_equal(c.agents[1].port, 5427);
	assert_string_equal(c.agents[2].host, "2001:db8::2");
	assert_string_equal(c.agents[3].host, "slp.example.com");
	assert_false(c.agents[3].is_literal);
	assert_int_equal(c.port, 4270);
	assert_false(c.multicast);
}

static void
wrong_lines_are_named_by_their_number(void **state)
{
	static const char *const bad[] = { "da", "da a b", "da 256.1.1.1", "da 192.0.2.1:0",
		"da 192.0.2.1,1", "port 65536", "port x", "port", "multicast", "multicast 1",
		"DA 192.0.2.1", "frob 1" };
	struct config c;
	char text[1200];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		config_init(&c);
		snprintf(text, sizeof text, "# first\n%s\n", bad[i]);
		assert_int_equal(read_text(&c, text), -EINVAL);
		assert_non_null(strstr(why, ", line 2: "));
	}
	memset(text, 'a', sizeof text - 1);
	text[sizeof text - 1] = '\0';
	assert_int_equal(read_text(&c, text), -EINVAL);
	assert_int_equal(config_read(&c, "/proc/self/fd/1/x", why, sizeof why), -ENOTDIR);
}

static void
agents_have_a_limit(void **state)
{
	struct config c;
	char text[32];

	(void)state;
	config_init(&c);
	for (int i = 0; i < CONFIG_AGENTS_MAX; i++) {
		snprintf(text, sizeof text, "192.0.2.%d", i);
		assert_int_equal(config_add_agent(&c, text, why, sizeof why), 0);
	}
	assert_int_equal(config_add_agent(&c, text, why, sizeof why), 0); /* again, the last */
	assert_int_equal(config_add_agent(&c, "192.0.2.99", why, sizeof why), -ENOSPC);
}

static int
add(struct found *f, const char *url, size_t agent)
{
	struct slp_text t = { url, strlen(url) };
	struct surl s;

	assert_int_equal(surl_get(t, &s, NULL), SURL_OK);
	return found_add(f, &s, t, agent);
}

static void
an_address_of_a_target_is_kept_once(void **state)
{
	struct found f;

	(void)state;
	found_init(&f);
	assert_int_equal(add(&f, "service:iscsi:target://192.0.2.1/eui.0123456789abcdef", 0), 1);
	assert_int_equal(
	    add(&f, "service:iscsi:target:192.0.2.1:3260/eui.0123456789abcdef/me", 1), 0);
	assert_int_equal(
	    add(&f, "service:iscsi:target://192.0.2.1:3261/eui.0123456789abcdef", 1), 1);
	assert_int_equal(add(&f, "service:iscsi:target://192.0.2.2/eui.0123456789abcdef", 1), 1);
	assert_int_equal(add(&f, "service:iscsi:target://192.0.2.1/eui.0123456789abcde0", 1), 1);
	assert_int_equal(f.n, 4);
	assert_int_equal(f.list[0].agent, 0);
	found_fini(&f);
}

static void
targets_have_a_limit_and_all_are_found_again(void **state)
{
	struct found f;
	char url[100];

	(void)state;
	found_init(&f);
	for (unsigned i = 0; i < LIMIT_SLP_TARGETS; i++) {
		snprintf(url, sizeof url, "service:iscsi:target://192.0.2.1/eui.%016x", i);
		assert_int_equal(add(&f, url, 0), 1);
	}
	assert_int_equal(
	    add(&f, "service:iscsi:target://192.0.2.1/eui.ffffffffffffffff", 0), -ENOSPC);
	for (unsigned i = 0; i < LIMIT_SLP_TARGETS; i++) {
		snprintf(url, sizeof url, "service:iscsi:target://192.0.2.1/eui.%016x", i);
		assert_int_equal(add(&f, url, 0), 0);
	}
	found_fini(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(file_sets_what_it_names_and_nothing_else),
		cmocka_unit_test(wrong_lines_are_named_by_their_number),
		cmocka_unit_test(agents_have_a_limit),
		cmocka_unit_test(an_address_of_a_target_is_kept_once),
		cmocka_unit_test(targets_have_a_limit_and_all_are_found_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
