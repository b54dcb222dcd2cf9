/* The commands as a user runs them, with a fake driver behind the socket. */
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <pty.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tools/fake_driver.h"

static char **tools; /* iscsiutil, ioscan, insf, rmsf: the test's arguments */
static char root[] = "/tmp/openisw-tools-XXXXXX";
static char iscsi_path[128], isw_path[128];
static char out[65536], err[65536];

static void
read_all(int fd, char *buf, size_t cap)
{
	ssize_t n = pread(fd, buf, cap - 1, 0);

	assert_true(n >= 0);
	buf[n] = '\0';
}

/* Run with these descriptors as standard output and error; the exit status. */
static int
spawn_with(const char *text, int out_fd, int err_fd)
{
	static const char *const names[] = { "iscsiutil", "ioscan", "insf", "rmsf" };
	char *copy = strdup(text), *save = copy, *argv[32];
	posix_spawn_file_actions_t actions;
	const char *program = NULL;
	int n = 0, status;
	pid_t pid;

	for (char *w; (w = strsep(&save, " ")) != NULL;)
		if (w[0] != '\0')
			argv[n++] = w;
	argv[n] = NULL;
	for (int i = 0; i < 4; i++)
		if (strcmp(argv[0], names[i]) == 0)
			program = tools[i];
	assert_non_null(program);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, err_fd, STDERR_FILENO);
	assert_int_equal(posix_spawn(&pid, program, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	free(copy);
	return WEXITSTATUS(status);
}

/* Run a command without a driver; fills out and err. */
static int
run(const char *text)
{
	int out_fd = memfd_create("out", 0), err_fd = memfd_create("err", 0), status;

	status = spawn_with(text, out_fd, err_fd);
	read_all(out_fd, out, sizeof(out));
	read_all(err_fd, err, sizeof(err));
	close(out_fd);
	close(err_fd);
	return status;
}

/* Run one that makes exactly these requests. */
static int
run_with(const char *text, const struct fake_exchange *exchanges, size_t n)
{
	pid_t pid = fake_driver_start(iscsi_path, exchanges, n);
	int status = run(text);

	fake_driver_end(pid);
	unlink(iscsi_path);
	return status;
}

#define RUN(text, ...)                                                \
	run_with(text, (const struct fake_exchange[]){ __VA_ARGS__ }, \
	    sizeof((const struct fake_exchange[]){ __VA_ARGS__ }) / sizeof(struct fake_exchange))

#define OK(result) "{'ok':true,'result':" result "}"
#define ERROR(code, message) \
	"{'ok':false,'error':{'code':'" code "','message':'" message "','next':'do that'}}"

static void
a_driver_that_is_not_running_is_told_in_the_guides_words(void **state)
{
	static const char *const lines[] = { "iscsiutil -l", "iscsiutil /dev/isw", "ioscan",
		"ioscan -k", "insf -H 255", "rmsf -a" };

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(run(lines[i]), 3);
		assert_string_equal(out, "");
		assert_non_null(
		    strstr(err, ": iSCSI stack is not loaded: no driver answers at /tmp/"));
		assert_non_null(strstr(err, " Next: start the driver with 'iscsi start'"));
	}
}

static void
a_file_in_the_sockets_place_is_a_wrong_device_file(void **state)
{
	int fd = open(iscsi_path, O_CREAT | O_WRONLY, 0600);

	(void)state;
	close(fd);
	assert_int_equal(run("iscsiutil -l"), 1);
	assert_non_null(strstr(err, "iscsiutil: (/dev/iscsi) Wrong device file: "));
	unlink(iscsi_path);
	assert_int_equal(run("iscsiutil /dev/null"), 2);
	assert_non_null(strstr(err, "iscsiutil: (/dev/null) Wrong device file: "));
	assert_int_equal(run("iscsiutil /dev/isw -l"), 2);
}

static void
without_options_the_usage_is_displayed(void **state)
{
	(void)state;
	assert_int_equal(run("iscsiutil"), 0);
	assert_memory_equal(out, "usage: iscsiutil\n", 17);
	assert_string_equal(err, "");
}

static void
the_initiator_is_displayed_and_as_json(void **state)
{
	const struct fake_exchange x = { "initiator.get", "",
		{ OK("{'name':'iqn.x','data_digest':['None','CRC32C'],'data_digest_is_default':"
		     "true}") } };

	(void)state;
	assert_int_equal(run_with("iscsiutil -l", &x, 1), 0);
	assert_memory_equal(
	    out, "Initiator Name             : iqn.x\nInitiator Alias            : \n\n", 66);
	assert_non_null(strstr(out, "\nData Digest                : None,CRC32C (default)\n"));
	assert_string_equal(err, "");
	assert_int_equal(run_with("iscsiutil -l --json", &x, 1), 0);
	assert_string_equal(out,
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
	assert_int_equal(run_with("iscsiutil /dev/iscsi", &iscsi, 1), 0);
	assert_non_null(strstr(out, "Driver Version             : 1.2\n"));
	pid = fake_driver_start(isw_path, &isw, 1);
	assert_int_equal(run("iscsiutil /dev/isw"), 0);
	assert_non_null(strstr(out, "Driver Name                : isw\n"));
	fake_driver_end(pid);
	unlink(isw_path);
}

static void
arguments_arrive_as_they_were_given(void **state)
{
	(void)state;
	assert_int_equal(RUN("iscsiutil -a -I 192.0.2.1",
			     { "discovery.add", "{'address':'192.0.2.1'}", { OK("{}") } }),
	    0);
	assert_string_equal(out, "");
	assert_string_equal(err, "");
	assert_int_equal(
	    RUN("iscsiutil /dev/iscsi -d -I ::1 -P 5001 -M 0",
		{ "discovery.remove", "{'address':'::1','port':5001,'tpgt':0}", { OK("{}") } }),
	    0);
	assert_int_equal(
	    RUN("iscsiutil -i -N iqn.y -A me", { "initiator.set", "{'name':'iqn.y','alias':'me'}",
						   { OK("{'active_sessions':2}") } }),
	    0);
	assert_string_equal(err,
	    "iscsiutil: the new name counts from the next login: 2 sessions keep the old one.\n");
	assert_int_equal(
	    RUN("iscsiutil -d -T iqn.t -I ::1 --force",
		{ "target.remove", "{'name':'iqn.t','address':'::1','force':true}",
		    { OK(
			"{'removed':[{'name':'iqn.t','address':'::1','port':3260,'tpgt':1}]}") } }),
	    0);
	assert_string_equal(err, "iscsiutil: iqn.t at [::1]:3260,1 is deleted.\n");
	assert_int_equal(RUN("iscsiutil -d -S 3",
			     { "session.logout", "{'instance':3}", { OK("{'instance':3}") } }),
	    0);
	assert_string_equal(err, "iscsiutil: session 3 is logged out.\n");
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
		assert_string_equal(err, "iscsiutil: It is wrong. Next: do that.\n");
		assert_string_equal(out, "");
	}
	assert_int_equal(
	    RUN("iscsiutil -d -S 3",
		{ "session.logout", "{'instance':3}",
		    { "{'ok':false,'error':{'code':'BUSY','message':'A disk is in use.','next':"
		      "'Unmount it.','in_use':['c1t0d0 (/dev/loop0)']}}" } }),
	    8);
	assert_string_equal(err, "iscsiutil: A disk is in use. Next: Unmount it.\niscsiutil: in "
				 "use: c1t0d0 (/dev/loop0).\n");
}

static void
a_driver_that_ends_or_talks_nonsense_is_told(void **state)
{
	(void)state;
	assert_int_equal(RUN("iscsiutil -l", { "initiator.get", "", { NULL } }), 3);
	assert_memory_equal(err, "iscsiutil: ", 11);
	assert_non_null(strstr(err, " Next: "));
	assert_int_equal(RUN("iscsiutil -l", { "initiator.get", "", { "!this is no JSON" } }), 1);
	assert_memory_equal(err, "iscsiutil: ", 11);
	assert_string_equal(out, "");
}

static void
what_is_not_there_is_told(void **state)
{
	(void)state;
	assert_int_equal(
	    RUN("iscsiutil -pD", { "discovery.list", "", { OK("{'targets':[]}") } }), 0);
	assert_string_equal(out, "");
	assert_non_null(strstr(err, "no discovery target is configured"));
	assert_int_equal(
	    RUN("iscsiutil -pT x", { "target.list", "{'name':'x'}", { OK("{'targets':[]}") } }), 6);
	assert_int_equal(
	    RUN("iscsiutil -pS9", { "session.list", "{'instance':9}", { OK("{'sessions':[]}") } }),
	    6);
	assert_int_equal(
	    RUN("iscsiutil -pS9C4", { "session.list", "{'instance':9}",
					{ OK("{'sessions':[{'connections':[{'cid':0}]}]}") } }),
	    6);
	assert_non_null(strstr(err, "session 9 has no connection 4"));
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
	assert_string_equal(out, "{\n  \"discovery\": {\n    \"targets\": []\n  },\n  "
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
	assert_non_null(strstr(out, "Round Trip (us)            : 77\n"));
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
	assert_string_equal(out, table);
	assert_string_equal(err,
	    "ioscan: discovery at 192.0.2.9:3260,1: Connection refused. Next: Start the target.\n");
	assert_int_equal(
	    RUN("ioscan -f",
		{ "scan", "",
		    { OK("{'discovery':{'ok':0,'failed':1},'sessions':{'online':0}," FAILURE
			 "}") } },
		{ "io.tree", "", { TREE } }),
	    1);
	assert_string_equal(out, table);
	assert_int_equal(
	    RUN("ioscan -f", { "scan", "", { OK("{'discovery':{'ok':1},'failures':[]}") } },
		{ "io.tree", "", { TREE } }),
	    0);
	assert_string_equal(out, table);
	assert_string_equal(err, "");
}

static void
a_scan_that_is_not_allowed_lists_nothing(void **state)
{
	(void)state;
	assert_int_equal(RUN("ioscan -f", { "scan", "", { ERROR("DENIED", "You may not") } }), 5);
	assert_string_equal(out, "");
}

static void
known_nodes_are_listed_without_a_scan(void **state)
{
	(void)state;
	assert_int_equal(RUN("ioscan -kfnC iscsi", { "io.tree", "", { TREE } }), 0);
	assert_string_equal(out, table);
	assert_int_equal(RUN("ioscan -ufH255/0", { "io.tree", "", { TREE } }), 0);
	assert_string_equal(out, table);
	assert_int_equal(RUN("ioscan -k -C tape", { "io.tree", "", { TREE } }), 0);
	assert_string_equal(out, "");
	assert_string_equal(err, "ioscan: there is no such device in the system.\n");
	assert_int_equal(run("ioscan -H 255/x"), 2);
}

static void
a_scans_json_has_the_nodes_and_what_failed(void **state)
{
	(void)state;
	assert_int_equal(RUN("ioscan --json -C none", { "scan", "", { OK("{'failures':[]}") } },
			     { "io.tree", "", { TREE } }),
	    0);
	assert_string_equal(
	    out, "{\n  \"nodes\": [],\n  \"scan\": {\n    \"failures\": []\n  }\n}\n");
}

static void
a_terminal_sees_the_scans_progress(void **state)
{
	const struct fake_exchange x[] = {
		{ "scan", "", { PROGRESS("discovery", "1"), OK("{'failures':[]}") } },
		{ "io.tree", "", { TREE } },
	};
	int main_fd, terminal, out_fd = memfd_create("out", 0);
	pid_t pid = fake_driver_start(iscsi_path, x, 2);
	size_t len = 0;
	ssize_t n;

	(void)state;
	assert_int_equal(openpty(&main_fd, &terminal, NULL, NULL, NULL), 0);
	assert_int_equal(spawn_with("ioscan -f", out_fd, terminal), 0);
	close(terminal);
	/* What was written may come in parts; then it fails, for nobody has the terminal any more.
	 */
	while (len < sizeof(err) - 1 && (n = read(main_fd, err + len, sizeof(err) - 1 - len)) > 0)
		len += (size_t)n;
	err[len] = '\0';
	assert_string_equal(err, "\r\033[Kioscan: discovery 1/2  192.0.2.1:3260,1\r\033[K");
	read_all(out_fd, out, sizeof(out));
	assert_string_equal(out, table);
	close(main_fd);
	close(out_fd);
	fake_driver_end(pid);
	unlink(iscsi_path);
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
	    out, "insf: Installing special files for sdisk instance 0 address 255/0/0.0.0.0\n");
	assert_string_equal(err, "insf: no loop devices here.\n");
	assert_int_equal(
	    RUN("insf -q", { "device.install", "", { OK("{'devices':[],'notes':['x']}") } }), 0);
	assert_string_equal(out, "");
	assert_string_equal(err, "");
	assert_int_equal(run("insf -H x"), 2);
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
	assert_string_equal(out, "rmsf: Removing special files for c1t0d1 address 255/0/0.0.0.1\n");
	assert_string_equal(err, "rmsf: It is mounted. Next: do that.\n");
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
	pid_t pid = fake_driver_start(iscsi_path, NULL, 0);

	(void)state;
	assert_int_equal(run("rmsf c1t0d0 /dev/sda"), 2);
	assert_string_equal(out, "");
	fake_driver_end(pid);
	unlink(iscsi_path);
	assert_int_equal(run("rmsf"), 2);
	assert_int_equal(run("rmsf -a c1t0d0"), 2);
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
	assert_int_equal(run("iscsiutil -b 8"), 2);
	assert_string_equal(err, "iscsiutil: -b 8: not a valid <dbg_level>. Next: give 0 to 7, or "
				 "panic, alert, crit, err, warn, note, info or debug.\n");
}

static void
output_that_is_lost_is_no_success(void **state)
{
	int full = open("/dev/full", O_WRONLY), err_fd = memfd_create("err", 0);

	(void)state;
	assert_int_equal(spawn_with("iscsiutil --help", full, err_fd), 1);
	read_all(err_fd, err, sizeof(err));
	assert_non_null(strstr(err, "the output is not complete"));
	close(full);
	close(err_fd);
}

static void
the_root_may_stand_on_the_line(void **state)
{
	char text[256];
	const struct fake_exchange x = { "initiator.get", "", { OK("{}") } };
	pid_t pid = fake_driver_start(iscsi_path, &x, 1);

	(void)state;
	unsetenv("OPENISW_ROOT");
	snprintf(text, sizeof(text), "iscsiutil --root %s -l", root);
	assert_int_equal(run(text), 0);
	setenv("OPENISW_ROOT", root, 1);
	fake_driver_end(pid);
	unlink(iscsi_path);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_driver_that_is_not_running_is_told_in_the_guides_words),
		cmocka_unit_test(a_file_in_the_sockets_place_is_a_wrong_device_file),
		cmocka_unit_test(without_options_the_usage_is_displayed),
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
		cmocka_unit_test(one_word_takes_any_setting_away),
		cmocka_unit_test(levels_have_numbers_and_names),
		cmocka_unit_test(output_that_is_lost_is_no_success),
		cmocka_unit_test(the_root_may_stand_on_the_line),
	};
	char dev[64];
	int failed;

	if (argc != 5 || mkdtemp(root) == NULL)
		return 1;
	tools = argv + 1;
	setenv("OPENISW_ROOT", root, 1);
	snprintf(dev, sizeof(dev), "%s/dev", root);
	snprintf(iscsi_path, sizeof(iscsi_path), "%s/iscsi", dev);
	snprintf(isw_path, sizeof(isw_path), "%s/isw", dev);
	if (mkdir(dev, 0700) != 0)
		return 1;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(iscsi_path);
	unlink(isw_path);
	rmdir(dev);
	rmdir(root);
	return failed;
}
