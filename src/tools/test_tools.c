/* The commands as a user runs them, with a fake driver behind the socket. */
#include <sys/mman.h>

#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/ran.h"

static void
a_driver_that_is_not_running_is_told_in_the_guides_words(void **state)
{
	static const char *const lines[] = { "iscsiutil -l", "iscsiutil /dev/isw", "ioscan",
		"ioscan -k", "insf -H 255", "rmsf -a" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(ran_line(lines[i]), 3);
		assert_string_equal(ran_out, "");
		assert_non_null(
		    strstr(ran_err, ": iSCSI stack is not loaded: no driver answers at /tmp/"));
		assert_non_null(strstr(ran_err, " Next: start the driver with 'iscsi start'"));
	}
}

static void
a_file_in_the_sockets_place_is_a_wrong_device_file(void **state)
{
	int fd = open(ran_iscsi_path, O_CREAT | O_WRONLY, 0600);

	(void)state;
	close(fd);
	assert_int_equal(ran_line("iscsiutil -l"), 1);
	assert_non_null(strstr(ran_err, "iscsiutil: (/dev/iscsi) Wrong device file: "));
	unlink(ran_iscsi_path);
	assert_int_equal(ran_line("iscsiutil /dev/null"), 2);
	assert_non_null(strstr(ran_err, "iscsiutil: (/dev/null) Wrong device file: "));
	assert_int_equal(ran_line("iscsiutil /dev/isw -l"), 2);
}

static void
the_initiator_is_displayed_and_as_json(void **state)
{
	const struct fake_exchange x = { "initiator.get", "",
		{ OK("{'name':'iqn.x','data_digest':['None','CRC32C'],'data_digest_is_default':"
		     "true}") } };

	(void)state;
	assert_int_equal(ran_with("iscsiutil -l", &x, 1), 0);
	assert_memory_equal(
	    ran_out, "Initiator Name             : iqn.x\nInitiator Alias            : \n\n", 66);
	assert_non_null(strstr(ran_out, "\nData Digest                : None,CRC32C (default)\n"));
	assert_string_equal(ran_err, "");
	assert_int_equal(ran_with("iscsiutil -l --json", &x, 1), 0);
	assert_string_equal(ran_out,
	    "{\n  \"name\": \"iqn.x\",\n  \"data_digest\": [\n    \"None\",\n    \"CRC32C\"\n  ],\n"
	    "  \"data_digest_is_default\": true\n}\n");
}

static void
both_drivers_tell_their_name_and_version(void **state)
{
	const struct fake_exchange iscsi = { "driver.version", "{'device':'iscsi'}",
		{ OK("{'name':'iscsi','version':'1.2','description':'iSCSI Transport Driver'}") } };
	const struct fake_exchange isw = { "driver.version", "{'device':'isw'}",
		{ OK("{'name':'isw','version':'1.2','description':'x'}") } };
	pid_t pid;

	(void)state;
	assert_int_equal(ran_with("iscsiutil /dev/iscsi", &iscsi, 1), 0);
	assert_non_null(strstr(ran_out, "Driver Version             : 1.2\n"));
	pid = fake_driver_start(ran_isw_path, &isw, 1);
	assert_int_equal(ran_line("iscsiutil /dev/isw"), 0);
	assert_non_null(strstr(ran_out, "Driver Name                : isw\n"));
	fake_driver_end(pid);
	unlink(ran_isw_path);
}

static void
arguments_arrive_as_they_were_given(void **state)
{
	(void)state;
	assert_int_equal(RUN("iscsiutil -a -I 192.0.2.1",
			     { "discovery.add", "{'address':'192.0.2.1'}", { OK("{}") } }),
	    0);
	assert_string_equal(ran_out, "");
	assert_string_equal(ran_err, "");
	assert_int_equal(
	    RUN("iscsiutil /dev/iscsi -d -I ::1 -P 5001 -M 0",
		{ "discovery.remove", "{'address':'::1','port':5001,'tpgt':0}", { OK("{}") } }),
	    0);
	assert_int_equal(
	    RUN("iscsiutil -i -N iqn.y -A me", { "initiator.set", "{'name':'iqn.y','alias':'me'}",
						   { OK("{'active_sessions':2}") } }),
	    0);
	assert_string_equal(ran_err,
	    "iscsiutil: this counts from the next login: 2 sessions are logged in with what was "
	    "configured before; 'iscsiutil --relogin' has it count now.\n");
	assert_int_equal(
	    RUN("iscsiutil -d -T iqn.t -I ::1 --force",
		{ "target.remove", "{'name':'iqn.t','address':'::1','force':true}",
		    { OK(
			"{'removed':[{'name':'iqn.t','address':'::1','port':3260,'tpgt':1}]}") } }),
	    0);
	assert_string_equal(ran_err, "iscsiutil: iqn.t at [::1]:3260,1 is deleted.\n");
	assert_int_equal(RUN("iscsiutil -d -S 3",
			     { "session.logout", "{'instance':3}", { OK("{'instance':3}") } }),
	    0);
	assert_string_equal(ran_err, "iscsiutil: session 3 is logged out.\n");
}

static void
each_error_is_a_sentence_and_an_exit_status(void **state)
{
	static const struct {
		const char *answer;
		int status;
	} rows[] = {
		{ ERROR("INVALID", "It is wrong"), 2 },
		{ ERROR("EXISTS", "It is wrong"), 7 },
		{ ERROR("NOTFOUND", "It is wrong"), 6 },
		{ ERROR("DENIED", "It is wrong"), 5 },
		{ ERROR("TIMEOUT", "It is wrong"), 9 },
		{ ERROR("OFFLINE", "It is wrong"), 1 },
		{ ERROR("INTERNAL", "It is wrong"), 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(RUN("iscsiutil -a -I h",
				     { "discovery.add", "{'address':'h'}", { rows[i].answer } }),
		    rows[i].status);
		assert_string_equal(ran_err, "iscsiutil: It is wrong. Next: do that.\n");
		assert_string_equal(ran_out, "");
	}
	assert_int_equal(
	    RUN("iscsiutil -d -S 3",
		{ "session.logout", "{'instance':3}",
		    { "{'ok':false,'error':{'code':'BUSY','message':'A disk is in use.','next':"
		      "'Unmount it.','in_use':['c1t0d0 (/dev/loop0)']}}" } }),
	    8);
	assert_string_equal(ran_err,
	    "iscsiutil: A disk is in use. Next: Unmount it.\niscsiutil: in "
	    "use: c1t0d0 (/dev/loop0).\n");
}

static void
a_driver_that_ends_or_talks_nonsense_is_told(void **state)
{
	(void)state;
	assert_int_equal(RUN("iscsiutil -l", { "initiator.get", "", { NULL } }), 3);
	assert_memory_equal(ran_err, "iscsiutil: ", 11);
	assert_non_null(strstr(ran_err, " Next: "));
	assert_int_equal(RUN("iscsiutil -l", { "initiator.get", "", { "!this is no JSON" } }), 1);
	assert_memory_equal(ran_err, "iscsiutil: ", 11);
	assert_string_equal(ran_out, "");
}

static void
what_is_not_there_is_told(void **state)
{
	(void)state;
	assert_int_equal(
	    RUN("iscsiutil -pD", { "discovery.list", "", { OK("{'targets':[]}") } }), 0);
	assert_string_equal(ran_out, "");
	assert_non_null(strstr(ran_err, "no discovery target is configured"));
	assert_int_equal(
	    RUN("iscsiutil -pT x", { "target.list", "{'name':'x'}", { OK("{'targets':[]}") } }), 6);
	assert_int_equal(
	    RUN("iscsiutil -pS9", { "session.list", "{'instance':9}", { OK("{'sessions':[]}") } }),
	    6);
	assert_int_equal(
	    RUN("iscsiutil -pS9C4", { "session.list", "{'instance':9}",
					{ OK("{'sessions':[{'connections':[{'cid':0}]}]}") } }),
	    6);
	assert_non_null(strstr(ran_err, "session 9 has no connection 4"));
}

static void
everything_is_shown_by_three_requests_on_one_connection(void **state)
{
	(void)state;
	assert_int_equal(
	    RUN("iscsiutil -p --json", { "discovery.list", "", { OK("{'targets':[]}") } },
		{ "target.list", "", { OK("{'targets':[]}") } },
		{ "session.list", "", { OK("{'sessions':[]}") } }),
	    0);
	assert_string_equal(ran_out, "{\n  \"discovery\": {\n    \"targets\": []\n  },\n  "
				     "\"operational\": {\n    \"targets\": "
				     "[]\n  },\n  \"session\": {\n    \"sessions\": []\n  }\n}\n");
}

static void
a_ping_whose_data_came_back_changed_is_a_failure(void **state)
{
	const char *args = "{'instance':0,'cid':1,'size':4096}";

	(void)state;
	assert_int_equal(RUN("iscsiutil -n -S 0 -C 1 -L 4096",
			     { "session.nop", args,
				 { OK("{'instance':0,'cid':1,'bytes':4096,'bytes_returned':4096,"
				      "'data_matches':true,'rtt_us':77}") } }),
	    0);
	assert_non_null(strstr(ran_out, "Round Trip (us)            : 77\n"));
	assert_int_equal(RUN("iscsiutil -n -S 0 -C 1 -L 4096",
			     { "session.nop", args, { OK("{'data_matches':false}") } }),
	    1);
}

#define PROGRESS(stage, done)                           \
	"{'progress':{'stage':'" stage "','done':" done \
	",'total':2,'what':'192.0.2.1:3260,1','ok':true}}"
#define FAILURE                                                                                    \
	"'failures':[{'stage':'discovery','what':'192.0.2.9:3260,1','error':'Connection refused'," \
	"'next':'Start the target.'}]"
#define TREE                                                         \
	OK("{'nodes':[{'class':'iscsi','instance':0,'hw_path':'255/" \
	   "0','driver':'iscsi','sw_state':"                         \
	   "'CLAIMED','hw_type':'VIRTBUS','description':'iSCSI Virtual Node'}]}")

static const char table[] =
    "Class     I  H/W Path  Driver   S/W State   H/W Type     Description\n"
    "=====================================================================\n"
    "iscsi     0  255/0     iscsi    CLAIMED     VIRTBUS      iSCSI Virtual Node\n";

static void
a_scan_lists_what_it_found_also_where_a_portal_failed(void **state)
{
	(void)state;
	assert_int_equal(
	    RUN("ioscan -fH 255",
		{ "scan", "{'hw_path':'255'}",
		    { PROGRESS("discovery", "1"), PROGRESS("discovery", "2"),
			OK("{'discovery':{'ok':1,'failed':1},'sessions':{'online':1}," FAILURE
			   "}") } },
		{ "io.tree", "", { TREE } }),
	    4);
	assert_string_equal(ran_out, table);
	assert_string_equal(ran_err,
	    "ioscan: discovery at 192.0.2.9:3260,1: Connection refused. Next: Start the target.\n");
	assert_int_equal(
	    RUN("ioscan -f",
		{ "scan", "",
		    { OK("{'discovery':{'ok':0,'failed':1},'sessions':{'online':0}," FAILURE
			 "}") } },
		{ "io.tree", "", { TREE } }),
	    1);
	assert_string_equal(ran_out, table);
	assert_int_equal(
	    RUN("ioscan -f", { "scan", "", { OK("{'discovery':{'ok':1},'failures':[]}") } },
		{ "io.tree", "", { TREE } }),
	    0);
	assert_string_equal(ran_out, table);
	assert_string_equal(ran_err, "");
}

static void
a_scan_that_is_not_allowed_lists_nothing(void **state)
{
	(void)state;
	assert_int_equal(RUN("ioscan -f", { "scan", "", { ERROR("DENIED", "You may not") } }), 5);
	assert_string_equal(ran_out, "");
}

static void
known_nodes_are_listed_without_a_scan(void **state)
{
	(void)state;
	assert_int_equal(RUN("ioscan -kfnC iscsi", { "io.tree", "", { TREE } }), 0);
	assert_string_equal(ran_out, table);
	assert_int_equal(RUN("ioscan -ufH255/0", { "io.tree", "", { TREE } }), 0);
	assert_string_equal(ran_out, table);
	assert_int_equal(RUN("ioscan -k -C tape", { "io.tree", "", { TREE } }), 0);
	assert_string_equal(ran_out, "");
	assert_string_equal(ran_err, "ioscan: there is no such device in the system.\n");
	assert_int_equal(ran_line("ioscan -H 255/x"), 2);
}

static void
a_scans_json_has_the_nodes_and_what_failed(void **state)
{
	(void)state;
	assert_int_equal(RUN("ioscan --json -C none", { "scan", "", { OK("{'failures':[]}") } },
			     { "io.tree", "", { TREE } }),
	    0);
	assert_string_equal(
	    ran_out, "{\n  \"nodes\": [],\n  \"scan\": {\n    \"failures\": []\n  }\n}\n");
}

static void
a_terminal_sees_the_scans_progress(void **state)
{
	const struct fake_exchange x[] = {
		{ "scan", "", { PROGRESS("discovery", "1"), OK("{'failures':[]}") } },
		{ "io.tree", "", { TREE } },
	};
	int main_fd, terminal, out_fd = memfd_create("out", 0);
	pid_t pid = fake_driver_start(ran_iscsi_path, x, 2);
	size_t len = 0;
	ssize_t n;

	(void)state;
	assert_int_equal(openpty(&main_fd, &terminal, NULL, NULL, NULL), 0);
	assert_int_equal(ran_spawn("ioscan -f", out_fd, terminal), 0);
	close(terminal);
	/* What was written may come in parts; then it fails, for nobody has the terminal any more.
	 */
	while (len < sizeof(ran_err) - 1 &&
	       (n = read(main_fd, ran_err + len, sizeof(ran_err) - 1 - len)) > 0)
		len += (size_t)n;
	ran_err[len] = '\0';
	assert_string_equal(ran_err, "\r\033[Kioscan: discovery 1/2  192.0.2.1:3260,1\r\033[K");
	ran_read(out_fd, ran_out, sizeof(ran_out));
	assert_string_equal(ran_out, table);
	close(main_fd);
	close(out_fd);
	fake_driver_end(pid);
	unlink(ran_iscsi_path);
}

static void
device_files_are_made_and_told(void **state)
{
	(void)state;
	assert_int_equal(
	    RUN("insf -eH 255 -C disk",
		{ "device.install", "{'hw_path':'255','class':'disk','existing':true}",
		    { OK("{'devices':[{'class':'disk','instance':0,'hw_path':'255/0/"
			 "0.0.0.0','driver':"
			 "'sdisk','made':true}],'notes':['no loop devices here']}") } }),
	    0);
	assert_string_equal(
	    ran_out, "insf: Installing special files for sdisk instance 0 address 255/0/0.0.0.0\n");
	assert_string_equal(ran_err, "insf: no loop devices here.\n");
	assert_int_equal(
	    RUN("insf -q", { "device.install", "", { OK("{'devices':[],'notes':['x']}") } }), 0);
	assert_string_equal(ran_out, "");
	assert_string_equal(ran_err, "");
	assert_int_equal(ran_line("insf -H x"), 2);
}

static void
one_device_in_use_keeps_no_other_back(void **state)
{
	(void)state;
	assert_int_equal(
	    RUN("rmsf c1t0d0 /dev/dsk/c1t0d1",
		{ "device.remove", "{'name':'c1t0d0'}", { ERROR("BUSY", "It is mounted") } },
		{ "device.remove", "{'name':'c1t0d1'}",
		    { OK("{'devices':[{'name':'c1t0d1','hw_path':'255/0/"
			 "0.0.0.1','removed':true}]}") } }),
	    4);
	assert_string_equal(
	    ran_out, "rmsf: Removing special files for c1t0d1 address 255/0/0.0.0.1\n");
	assert_string_equal(ran_err, "rmsf: It is mounted. Next: do that.\n");
	assert_int_equal(RUN("rmsf --force -a", { "device.remove", "{'all':true,'force':true}",
						    { OK("{'devices':[]}") } }),
	    0);
	assert_int_equal(RUN("rmsf -H 255/0/1", { "device.remove", "{'hw_path':'255/0/1'}",
						    { ERROR("BUSY", "It is mounted") } }),
	    8);
}

static void
a_wrong_name_removes_nothing(void **state)
{
	pid_t pid = fake_driver_start(ran_iscsi_path, NULL, 0);

	(void)state;
	assert_int_equal(ran_line("rmsf c1t0d0 /dev/sda"), 2);
	assert_string_equal(ran_out, "");
	fake_driver_end(pid);
	unlink(ran_iscsi_path);
	assert_int_equal(ran_line("rmsf"), 2);
	assert_int_equal(ran_line("rmsf -a c1t0d0"), 2);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_driver_that_is_not_running_is_told_in_the_guides_words),
		cmocka_unit_test(a_file_in_the_sockets_place_is_a_wrong_device_file),
		cmocka_unit_test(the_initiator_is_displayed_and_as_json),
		cmocka_unit_test(both_drivers_tell_their_name_and_version),
		cmocka_unit_test(arguments_arrive_as_they_were_given),
		cmocka_unit_test(each_error_is_a_sentence_and_an_exit_status),
		cmocka_unit_test(a_driver_that_ends_or_talks_nonsense_is_told),
		cmocka_unit_test(what_is_not_there_is_told),
		cmocka_unit_test(everything_is_shown_by_three_requests_on_one_connection),
		cmocka_unit_test(a_ping_whose_data_came_back_changed_is_a_failure),
		cmocka_unit_test(a_scan_lists_what_it_found_also_where_a_portal_failed),
		cmocka_unit_test(a_scan_that_is_not_allowed_lists_nothing),
		cmocka_unit_test(known_nodes_are_listed_without_a_scan),
		cmocka_unit_test(a_scans_json_has_the_nodes_and_what_failed),
		cmocka_unit_test(a_terminal_sees_the_scans_progress),
		cmocka_unit_test(device_files_are_made_and_told),
		cmocka_unit_test(one_device_in_use_keeps_no_other_back),
		cmocka_unit_test(a_wrong_name_removes_nothing),
	};

	return ran_group(argc, argv, tests, sizeof(tests) / sizeof(tests[0]));
}
