/* What all commands have in common: usage, the root, settings that are taken away, errors as JSON.
 */
#include <sys/mman.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/ran.h"

static void
errors_are_json_where_answers_are(void **state)
{
	(void)state;
	assert_int_equal(
	    RUN("iscsiutil -d -S 3 --json",
		{ "session.logout", "{'instance':3}",
		    { "{'ok':false,'error':{'code':'BUSY','message':'A disk is in use.','next':"
		      "'Unmount it.','in_use':['c1t0d0 (/dev/none)']}}" } }),
	    8);
	assert_string_equal(ran_out, "");
	assert_string_equal(ran_err,
	    "{\"error\":{\"code\":\"BUSY\",\"message\":\"A disk is in use.\",\"next\":"
	    "\"Unmount it.\",\"in_use\":[\"c1t0d0 (/dev/none)\"],"
	    "\"used_by\":{\"c1t0d0 (/dev/none)\":[]}}}\n");
	assert_int_equal(ran_line("insf --nope --json"), 2);
	assert_memory_equal(ran_err, "{\"error\":{\"code\":\"INVALID\",", 27);
	assert_int_equal(ran_line("ioscan --json"), 3);
	assert_memory_equal(ran_err, "{\"error\":{\"code\":\"NOTRUNNING\",", 30);
	assert_int_equal(RUN("iscsiutil --json -pS9",
			     { "session.list", "{'instance':9}", { OK("{'sessions':[]}") } }),
	    6);
	assert_memory_equal(ran_err, "{\"error\":{\"code\":\"NOTFOUND\",", 28);
}

static void
one_word_takes_any_setting_away(void **state)
{
	(void)state;
	assert_int_equal(
	    RUN("iscsiutil -u -H default -N Default --target-name default -W default "
		"--algorithms default",
		{ "auth.set",
		    "{'method':'','name':'','target_name':'','algorithms':'','secret':''}",
		    { OK("{}") } }),
	    0);
	assert_int_equal(
	    RUN("iscsiutil -u -R default",
		{ "radius.set", "{'nas_hostname':'','nas_secret':'','server':''}", { OK("{}") } }),
	    0);
	assert_int_equal(RUN("iscsiutil -i -N iqn.2001-04.com.example:x -A default",
			     { "initiator.set", "{'name':'iqn.2001-04.com.example:x','alias':''}",
				 { OK("{}") } }),
	    0);
	assert_int_equal(
	    RUN("iscsiutil -b default", { "log.level", "{'level':3}", { OK("{}") } }), 0);
}

static void
levels_have_numbers_and_names(void **state)
{
	static const char *const rows[] = { "7", "debug", "LVL_DEBUG", "lvl_debug" };
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		(void)snprintf(text, sizeof(text), "iscsiutil -b %s", rows[i]);
		assert_int_equal(RUN(text, { "log.level", "{'level':7}", { OK("{}") } }), 0);
	}
	assert_int_equal(ran_line("iscsiutil -b 8"), 2);
	assert_string_equal(ran_err,
	    "iscsiutil: -b 8: not a valid <dbg_level>. Next: give 0 to 7, or "
	    "panic, alert, crit, err, warn, note, info or debug.\n");
}

#define EVENT                                                                                      \
	"{'progress':{'event':{'time':'2026-11-28T17:46:07.388Z','id':'X_LOG','level':4,'session'" \
	":3,"                                                                                      \
	"'target':'iqn.x','address':'h:1,1','unit':'c0t0d1','text':'It broke: a reason.',"         \
	"'held_back':2}}}"

static void
events_are_told_in_local_time(void **state)
{
	const struct fake_exchange x = { "events.get",
		"{'level':4,'since':'2026-01-31T12:00:00.000Z','session':3,'target':'iqn.x','unit':"
		"'c0t0d1'}",
		{ EVENT, OK("{}") } };

	(void)state;
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	assert_int_equal(ran_with("iscsiutil --events --level warn --since 2026-01-31T13:00 -S 3 "
				  "-T iqn.x --unit c0t0d1",
			     &x, 1),
	    0);
	unsetenv("TZ");
	assert_string_equal(ran_out,
	    "2026-11-28 18:46:07.388 +0100 warn X_LOG: It broke: a reason. [session 3] [c0t0d1] "
	    "[iqn.x at h:1,1] (2 more like it were held back)\n");
	assert_int_equal(RUN("iscsiutil --events", { "events.get", "", { OK("{}") } }), 0);
	assert_string_equal(ran_err, "iscsiutil: there is no such event.\n");
	assert_int_equal(ran_line("iscsiutil --events --since noon"), 2);
	assert_int_equal(ran_line("iscsiutil --events --level loud"), 2);
}

static void
output_that_is_lost_is_no_success(void **state)
{
	int full = open("/dev/full", O_WRONLY), err_fd = memfd_create("err", 0);

	(void)state;
	assert_int_equal(ran_spawn("iscsiutil --help", full, err_fd), 1);
	ran_read(err_fd, ran_err, sizeof(ran_err));
	assert_non_null(strstr(ran_err, "the output is not complete"));
	close(full);
	close(err_fd);
}

static void
without_options_the_usage_is_displayed(void **state)
{
	(void)state;
	assert_int_equal(ran_line("iscsiutil"), 0);
	assert_memory_equal(ran_out, "usage: iscsiutil\n", 17);
	assert_string_equal(ran_err, "");
}

static void
the_root_may_stand_on_the_line(void **state)
{
	char text[256];
	const struct fake_exchange x = { "initiator.get", "", { OK("{}") } };
	pid_t pid = fake_driver_start(ran_iscsi_path, &x, 1);

	(void)state;
	unsetenv("OPENISW_ROOT");
	snprintf(text, sizeof(text), "iscsiutil --root %s -l", ran_root);
	assert_int_equal(ran_line(text), 0);
	setenv("OPENISW_ROOT", ran_root, 1);
	fake_driver_end(pid);
	unlink(ran_iscsi_path);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_are_json_where_answers_are),
		cmocka_unit_test(one_word_takes_any_setting_away),
		cmocka_unit_test(levels_have_numbers_and_names),
		cmocka_unit_test(events_are_told_in_local_time),
		cmocka_unit_test(output_that_is_lost_is_no_success),
		cmocka_unit_test(without_options_the_usage_is_displayed),
		cmocka_unit_test(the_root_may_stand_on_the_line),
	};

	return ran_group(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
