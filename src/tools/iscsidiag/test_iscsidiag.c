/* iscsidiag as a user runs it, with a fake driver and secrets wherever one could be. */
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ipc/ops.h"
#include "tools/common/say.h"
#include "tools/fake_driver.h"
#include "tools/iscsidiag/slurp.h"

#define PLANTED "hunter2-hunter2"

static const char *program;
static char root[] = "/tmp/openisw-diag-XXXXXX";

static char *
under(const char *path)
{
	return say_format("%s/%s", root, path);
}

static void
make_dirs(void)
{
	static const char *const dirs[] = { "dev", "etc", "etc/iscsi", "etc/openisw", "var",
		"var/log", "var/log/openisw", "run", "run/openisw" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++) {
		char *path = under(dirs[i]);

		(void)mkdir(path, 0755); /* also from the test before */
		free(path);
	}
}

static void
plant(const char *path, const char *text)
{
	char *full = under(path);
	FILE *f = fopen(full, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	free(full);
}

/* Run it; the exit status. */
static int
run(const char *option)
{
	char *argv[] = { (char *)program, (char *)option, NULL };
	posix_spawn_file_actions_t actions;
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	assert_int_equal(posix_spawn(&pid, program, &actions, NULL, argv, environ), 0);
	posix_spawn_file_actions_destroy(&actions);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* The only file that was made; it is removed. */
static char *
take_file(void)
{
	char *dir_path = under("tmp/iscsidiag"), *text = NULL;
	DIR *dir = opendir(dir_path);
	struct dirent *e;

	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		char *path = say_format("%s/%s", dir_path, e->d_name);

		if (strncmp(e->d_name, "iscsidiag.", 10) == 0) {
			assert_null(text);
			text = slurp(path);
			unlink(path);
		}
		free(path);
	}
	closedir(dir);
	free(dir_path);
	assert_non_null(text);
	return text;
}

static void
without_a_driver_it_says_what_is_missing(void **state)
{
	char *text;

	(void)state;
	assert_int_equal(run(NULL), 4);
	text = take_file();
	assert_non_null(strstr(text, "MISSING: iscsi_driverd is not running"));
	assert_non_null(strstr(text, "\n 1. System\n"));
	assert_non_null(strstr(text, "\nMemTotal") ?: strstr(text, "  MemTotal"));
	assert_non_null(strstr(text, "\nlo:") ?: strstr(text, "  lo:"));
#define STEP(id, title, ...) assert_non_null(strstr(text, ". " title "\n"));
#define ASK(id, title, ...)  assert_non_null(strstr(text, ". " title "\n"));
#include "tools/iscsidiag/steps.def"
	free(text);
}

/* Answers of a driver that forgot itself: every one has secrets in many forms. */
#define LEAK                                                                                      \
	"{'ok':true,'result':{'marker':'here','chap_secret':'" PLANTED "','nas_secret':'" PLANTED \
	"','targets':[{'secret':{'a':'" PLANTED "'},'last_error':'sent CHAP_R=" PLANTED           \
	" to it'}],'sessions':[{'instance':0,'connections':[{'negotiated':{'CHAP_R':'" PLANTED    \
	"','CHAP_C':'" PLANTED "','MaxBurstLength':'262144'}}]}],'nodes':[{'class':'disk',"       \
	"'description':'password: " PLANTED "'}]}}"

/* A connection for each section that asks the driver; the trace begins with the targets. */
static const enum ipc_op ops[] = {
#define STEP(id, ...)           OPS_##id
#define ASK(id, title, op, ...) IPC_OP_##op,
#define OPS_trace               IPC_OP_target_list,
#define OPS_statistics          IPC_OP_stats_get,
#define OPS_system
#define OPS_programs
#define OPS_processes
#define OPS_files
#define OPS_events
#define OPS_syslog
#define OPS_disks
#define OPS_limits
#define OPS_network
#include "tools/iscsidiag/steps.def"
};
#define LEAKS (sizeof(ops) / sizeof(ops[0]))

static void
no_planted_secret_is_in_the_file(void **state)
{
	struct fake_exchange x[LEAKS];
	static const char *const options[] = { NULL, "--json" };
	char *socket = under("dev/iscsi");

	(void)state;
	for (size_t i = 0; i < LEAKS; i++) {
		/* Statistics: an answer that ends them, so that one request is all. */
		x[i] = ops[i] == IPC_OP_stats_get ? (struct fake_exchange){ "stats.get",
			"{'device':'iscsi','global':true,'sessions':true,'connections':true}",
			{ "{'ok':false,'error':{'code':'INTERNAL','message':'nas_secret=" PLANTED
			  "','next':''}}" } }
						  : (struct fake_exchange){
							    ipc_op_row(ops[i])->name, "", { LEAK }
						    };
	}
	plant("etc/iscsi/initiatorname.iscsi", "InitiatorName=iqn.planted\nsecret=" PLANTED "\n");
	plant("etc/openisw/islpd.conf", "da 192.0.2.1\npassword " PLANTED " " PLANTED "\n");
	plant("var/log/openisw/events.jsonl",
	    "{\"time\":\"2026\",\"id\":\"X\",\"level\":3,\"text\":\"the event; chap_secret=" PLANTED
	    "\"}\nnot JSON: nas_secret: " PLANTED "\n");
	plant("var/log/openisw/events.jsonl.1",
	    "{\"id\":\"OLDER\",\"level\":3,\"text\":\"x\",\"password\":\"" PLANTED "\"}\n");
	setenv("CHAP_SECRET", PLANTED, 1);
	for (size_t i = 0; i < 2; i++) {
		pid_t pid = fake_driver_start_each(socket, x, LEAKS);
		char *text;

		(void)run(options[i]);
		fake_driver_end(pid);
		unlink(socket);
		text = take_file();
		assert_null(strstr(text, PLANTED));
		/* What is no secret has arrived, so there was something to take out. */
		assert_non_null(strstr(text, "(removed)"));
		assert_non_null(strstr(text, "iqn.planted"));
		assert_non_null(strstr(text, "192.0.2.1"));
		assert_non_null(strstr(text, "the event; "));
		assert_non_null(strstr(text, "OLDER"));
		assert_non_null(strstr(text, "262144"));
		free(text);
	}
	unsetenv("CHAP_SECRET");
	free(socket);
}

static void
a_driver_that_does_not_answer_costs_its_section_only(void **state)
{
	static const struct fake_exchange silent[] = { { "driver.status", "", { NULL } } };
	char *socket = under("dev/iscsi"), *text;
	pid_t pid = fake_driver_start(socket, silent, 1);

	(void)state;
	assert_int_equal(run(NULL), 4);
	fake_driver_end(pid);
	unlink(socket);
	text = take_file();
	assert_non_null(
	    strstr(text, "MISSING: iscsi_driverd hung up before it answered driver.status"));
	assert_non_null(strstr(text, "routes, IPv4"));
	free(text);
	free(socket);
}

static void
a_place_that_is_not_safe_is_refused(void **state)
{
	char *dir = under("tmp/iscsidiag"), *etc = under("etc");

	(void)state;
	rmdir(dir);
	assert_int_equal(symlink(etc, dir), 0);
	assert_int_equal(run(NULL), 1);
	unlink(dir);
	free(dir);
	free(etc);
}

static int
remove_root(void **state)
{
	static const char *const files[] = { "etc/iscsi/initiatorname.iscsi",
		"etc/openisw/islpd.conf", "var/log/openisw/events.jsonl",
		"var/log/openisw/events.jsonl.1", "tmp/iscsidiag", "tmp", "dev", "etc/iscsi",
		"etc/openisw", "etc", "var/log/openisw", "var/log", "var", "run/openisw", "run",
		"" };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char *path = under(files[i]);

		(void)remove(path); /* what is left over shows in the last one */
		free(path);
	}
	return access(root, F_OK) == 0;
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_driver_it_says_what_is_missing),
		cmocka_unit_test(no_planted_secret_is_in_the_file),
		cmocka_unit_test(a_driver_that_does_not_answer_costs_its_section_only),
		cmocka_unit_test(a_place_that_is_not_safe_is_refused),
	};

	if (argc != 2 || mkdtemp(root) == NULL)
		return 1;
	program = argv[1];
	setenv("OPENISW_ROOT", root, 1);
	make_dirs();
	return cmocka_run_group_tests(tests, NULL, remove_root);
}
