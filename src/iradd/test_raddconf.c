#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "iradd/raddconf.h"

static char why[512];

static int
read_text(struct raddconf *c, const char *text)
{
	char path[] = "/tmp/test-iradd-XXXXXX";
	int fd = mkstemp(path), err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	err = raddconf_read(c, path, why, sizeof why);
	unlink(path);
	return err;
}

static void
what_the_file_does_not_say_is_the_guides_default(void **state)
{
	struct raddconf c;

	(void)state;
	raddconf_init(&c);
	assert_int_equal(raddconf_read(&c, "/nowhere/iradd.conf", why, sizeof why), 0);
	assert_int_equal(read_text(&c, "# nothing\n\n"), 0);
	assert_int_equal(c.value[RADDCONF_RETRIES], 10);
	assert_int_equal(c.value[RADDCONF_TIMEOUT], 3);
	assert_int_equal(c.value[RADDCONF_ID], -1);
	assert_int_equal(c.value[RADDCONF_MAY_LACK_MAC], 0);
	assert_int_equal(
	    read_text(
		&c, "retries 2 # two\ntimeout 1\nid 77\nallow-no-message-authenticator yes\n"),
	    0);
	assert_int_equal(c.value[RADDCONF_RETRIES], 2);
	assert_int_equal(c.value[RADDCONF_TIMEOUT], 1);
	assert_int_equal(c.value[RADDCONF_ID], 77);
	assert_int_equal(c.value[RADDCONF_MAY_LACK_MAC], 1);
}

static void
wrong_lines_are_named_by_their_number(void **state)
{
	static const char *const bad[] = { "retries", "retries 101", "retries -1", "retries 1x",
		"timeout 0", "timeout 61", "id x", "allow-no-message-authenticator 1",
		"retries 1 2", "frob 1", "Retries 1" };
	struct raddconf c;
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		raddconf_init(&c);
		snprintf(text, sizeof text, "# first\n%s\n", bad[i]);
		assert_int_equal(read_text(&c, text), -EINVAL);
		assert_non_null(strstr(why, ", line 2: "));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_file_does_not_say_is_the_guides_default),
		cmocka_unit_test(wrong_lines_are_named_by_their_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
