/* The guide's command lines, and what is wrong with others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tools/common/say.h"
#include "tools/iscsiutil/spec.h"

static struct cmdline line;
static char copy[512], *words[32];
static FILE *null;

static enum cmdline_result
parse(const char *text)
{
	char *save = copy;
	int n = 1;

	cmdline_fini(&line);
	assert_true(strlen(text) < sizeof(copy));
	memcpy(copy, text, strlen(text) + 1);
	words[0] = "iscsiutil";
	for (char *w; (w = strsep(&save, " ")) != NULL;)
		if (w[0] != '\0')
			words[n++] = w;
	words[n] = NULL;
	return cmdline_parse(&line, &iscsiutil_spec, n, words, null);
}

#define O(id) CMDLINE_BIT(OPT_##id)

static const struct {
	const char *text;
	enum form form;
	cmdline_set given;
} good_lines[] = {
	{ "", FORM_usage, 0 },
	{ "/dev/iscsi", FORM_driver, 0 },
	{ "/dev/isw", FORM_driver, 0 },
	{ "-i -N iqn.x", FORM_name, O(i) | O(N) },
	{ "/dev/iscsi -i -N iqn.x -A alias", FORM_name, O(i) | O(N) | O(A) },
	{ "-A alias -Niqn.x -i", FORM_name, O(i) | O(N) | O(A) },
	{ "-iN iqn.x", FORM_name, O(i) | O(N) },
	{ "-l", FORM_initiator, O(l) },
	{ "-lV", FORM_initiator, O(l) | O(V) },
	{ "/dev/iscsi -l", FORM_initiator, O(l) },
	{ "-l /dev/iscsi", FORM_initiator, O(l) },
	{ "-a -I 192.1.1.110", FORM_add, O(a) | O(I) },
	{ "-a -I 192.1.1.110 -P 5001", FORM_add, O(a) | O(I) | O(P) },
	{ "-a -I target.hp.com -M 3", FORM_add, O(a) | O(I) | O(M) },
	{ "-M 0 -P65535 -aI::1", FORM_add, O(a) | O(I) | O(P) | O(M) },
	{ "-a -I ::1 -I 192.1.1.1 -IHost -P 5", FORM_add, O(a) | O(I) | O(P) },
	{ "-d -I ::1 -I ::2", FORM_del, O(d) | O(I) },
	{ "-d -T iqn.x -I ::1 -I ::2 --force", FORM_del_addr, O(d) | O(T) | O(I) | O(force) },
	{ "-a -T iqn.x -I 192.1.1.1", FORM_add_addr, O(a) | O(T) | O(I) },
	{ "-a -T iqn.x -I ::1 -P 5 -M 2", FORM_add_addr, O(a) | O(T) | O(I) | O(P) | O(M) },
	{ "/dev/iscsi -d -I 192.1.1.110 -P 5001 -M 3", FORM_del, O(d) | O(I) | O(P) | O(M) },
	{ "-p", FORM_show, O(p) },
	{ "-p -D", FORM_show, O(p) | O(D) },
	{ "-pD", FORM_show, O(p) | O(D) },
	{ "-Dp", FORM_show, O(p) | O(D) },
	{ "-p -O", FORM_show, O(p) | O(O) },
	{ "-pO", FORM_show, O(p) | O(O) },
	{ "-p -T iqn.x", FORM_show, O(p) | O(T) },
	{ "-pTiqn.x", FORM_show, O(p) | O(T) },
	{ "-o", FORM_overview, O(o) },
	{ "-p -S", FORM_sessions, O(p) | O(S) },
	{ "-pS", FORM_sessions, O(p) | O(S) },
	{ "-p -S 3", FORM_sessions, O(p) | O(S) },
	{ "-pS3", FORM_sessions, O(p) | O(S) },
	{ "-pVS", FORM_sessions, O(p) | O(V) | O(S) },
	{ "-pSV", FORM_sessions, O(p) | O(V) | O(S) },
	{ "-pVS 3", FORM_sessions, O(p) | O(V) | O(S) },
	{ "-V -S 3 -p", FORM_sessions, O(p) | O(V) | O(S) },
	{ "-p -S 3 -C", FORM_conns, O(p) | O(S) | O(C) },
	{ "-p -S 3 -C 0 -V", FORM_conns, O(p) | O(S) | O(C) | O(V) },
	{ "-pVS3C0", FORM_conns, O(p) | O(S) | O(C) | O(V) },
	{ "-pC -S 3", FORM_conns, O(p) | O(S) | O(C) },
	{ "-n -S 0", FORM_nop, O(n) | O(S) },
	{ "/dev/iscsi -n -S 0 -C 0 -L 4096", FORM_nop, O(n) | O(S) | O(C) | O(L) },
	{ "-nS0L0", FORM_nop, O(n) | O(S) | O(L) },
	{ "-d -T iqn.x", FORM_del_name, O(d) | O(T) },
	{ "-d -T iqn.x --force", FORM_del_name, O(d) | O(T) | O(force) },
	{ "-d -T iqn.x -I 192.1.1.1 -P 5 -M 2", FORM_del_addr, O(d) | O(T) | O(I) | O(P) | O(M) },
	{ "-d -S 4", FORM_logout, O(d) | O(S) },
	{ "-t headerdigest None CRC32C", FORM_keys, O(t) },
	{ "-t datadigest CRC32C None -I 192.1.1.58 -M 2", FORM_keys, O(t) | O(I) | O(M) },
	{ "/dev/iscsi -t bothdigest CRC32C -I 1.1.1.1 -M 2 -T iqn.x", FORM_keys,
	    O(t) | O(I) | O(M) | O(T) },
	{ "-t bothdigest default /dev/iscsi", FORM_keys, O(t) },
	{ "-t bothdigest default --now", FORM_keys, O(t) | O(now) },
	{ "-i -N iqn.x --now", FORM_name, O(i) | O(N) | O(now) },
	{ "-u -W - -T iqn.x --now", FORM_auth, O(u) | O(W) | O(T) | O(now) },
	{ "-u -H CHAP_UNI", FORM_auth, O(u) | O(H) },
	{ "-u -H CHAP_UNI -I 192.1.1.10 -M 3", FORM_auth, O(u) | O(H) | O(I) | O(M) },
	{ "-u -N name -T iqn.x -I 1.1.1.1 -P 5000 -M 1", FORM_auth,
	    O(u) | O(N) | O(T) | O(I) | O(P) | O(M) },
	{ "-u -W -", FORM_auth, O(u) | O(W) },
	{ "-uW secret --target-secret - --target-name x --algorithms MD5", FORM_auth,
	    O(u) | O(W) | O(target_secret) | O(target_name) | O(algorithms) },
	{ "-u -R nas secret radius", FORM_radius, O(u) | O(R) },
	{ "-g -F a,b", FORM_slp, O(g) | O(F) },
	{ "-g -F iscsi-scope1, iscsi-scope2", FORM_slp, O(g) | O(F) },
	{ "-a -I 192.1.1.110 --if-absent", FORM_add, O(a) | O(I) | O(if_absent) },
	{ "-u -R default", FORM_radius, O(u) | O(R) },
	{ "/dev/iscsi -b 7", FORM_level, O(b) },
	{ "-b LVL_ERR", FORM_level, O(b) },
	{ "-s", FORM_stats, O(s) },
	{ "-szS", FORM_stats_ssn, O(s) | O(z) | O(S) },
	{ "-sGV", FORM_stats, O(s) | O(G) | O(V) },
	{ "/dev/isw -s -G", FORM_stats, O(s) | O(G) },
	{ "/dev/isw -c -G", FORM_clear, O(c) | O(G) },
	{ "-s -G -S", FORM_stats_ssn, O(s) | O(G) | O(S) },
	{ "-sS0", FORM_stats_ssn, O(s) | O(S) },
	{ "-s -S 0 -C", FORM_stats_con, O(s) | O(S) | O(C) },
	{ "-s -S 0 -C 0 --metrics", FORM_stats_con, O(s) | O(S) | O(C) | O(metrics) },
	{ "-s --metrics", FORM_stats, O(s) | O(metrics) },
	{ "-c", FORM_clear, O(c) },
	{ "-c -S 3", FORM_clear_ssn, O(c) | O(S) },
	{ "--events --follow", FORM_events, O(events) | O(follow) },
	{ "--ev --fol", FORM_events, O(events) | O(follow) },
	{ "--events --since 1h --level err --target iqn.x --session 3 --unit c0t0d1", FORM_events,
	    O(events) | O(since) | O(level) | O(T) | O(S) | O(unit) },
	{ "-p --target iqn.x", FORM_show, O(p) | O(T) },
	{ "--wait c0t0d1 --limit 5", FORM_wait, O(wait) | O(limit) },
	{ "--wait=255/0/0", FORM_wait, O(wait) },
	{ "--explain C12", FORM_explain, O(explain) },
	{ "-dS4 --force", FORM_logout, O(d) | O(S) | O(force) },
};

static void
every_line_of_the_guide_is_understood(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good_lines) / sizeof(good_lines[0]); i++) {
		if (parse(good_lines[i].text) != CMDLINE_GO)
			fail_msg("iscsiutil %s is refused", good_lines[i].text);
		if (line.form != &iscsiutil_spec.forms[good_lines[i].form] ||
		    line.given != good_lines[i].given)
			fail_msg("iscsiutil %s is misunderstood", good_lines[i].text);
	}
}

static void
values_arrive_where_they_belong(void **state)
{
	(void)state;
	assert_int_equal(parse("-M 0 -P65535 -aI::1"), CMDLINE_GO);
	assert_string_equal(line.values[OPT_I].text, "::1");
	assert_int_equal(line.values[OPT_P].number, 65535);
	assert_int_equal(line.values[OPT_M].number, 0);
	assert_int_equal(parse("-pVS3C7"), CMDLINE_GO);
	assert_int_equal(line.values[OPT_S].number, 3);
	assert_int_equal(line.values[OPT_C].number, 7);
	assert_int_equal(parse("/dev/iscsi -pS"), CMDLINE_GO);
	assert_false(line.values[OPT_S].has_arg);
	assert_string_equal(line.operands[0], "/dev/iscsi");
	assert_int_equal(parse("-t bothdigest default /dev/iscsi"), CMDLINE_GO);
	assert_int_equal(line.values[OPT_t].list_count, 2);
	assert_string_equal(line.operands[0], "/dev/iscsi");
	assert_int_equal(parse("-pS /dev/iscsi"), CMDLINE_GO);
	assert_false(line.values[OPT_S].has_arg);
}

static void
lines_that_make_no_sense_are_refused(void **state)
{
	static const char *const rows[] = { "-a", "-d", "-i", "-n", "-I x", "-D", "-V",
		"-a -d -I x", "-al", "-pDO", "-pD -T x", "-pDV", "-pDS", "-pC", "-pSC", "-p -C 0",
		"-nS", "-n -S 0 -C", "-lD", "-a -I x -P 0", "-a -I x -P 65536", "-a -I x -P http",
		"-a -I x -M 65536", "-a -I x -M -1", "-n -S 0 -L 4097", "-n -S 0 -L -1", "-p -S -1",
		"-p -S x", "-p -S 2147483648", "-p -S 0 -C 65536", "-a -I", "-a -I -P 5", "-i -N",
		"-p -T", "-t NOPTimeout 5 -I x -I y", "-u -H CHAP_BI -I x -I y", "-a -I x --force",
		"-d -S", "-d -T x -P 5", "-z", "-o -S", "-op", "-q", "-p -s", "-t", "-t -T x",
		"-u -R", "-u -V", "-H CHAP_UNI", "-u -R a b c -W x", "-g", "-F x", "-b",
		"-s --metrics --json", "-l --if-absent", "-s -z --json", "-o --watch --json",
		"-p --watch", "-s --watch 0", "-c -z", "-p -z", "-s -C 0", "-s -D", "-s -p",
		"-c -C 0", "--follow", "--events x y", "--wait", "--wait c0t0d0 --limit x",
		"--limit 5", "--now", "-b 3 --now", "-d -S 0 --now", "--events -S", "--events -I x",
		"-p --since 1h", "--explain", "--nope", "--events --f", "-u --t x", "-l extra -p",
		"/dev/iscsi /dev/isw", "-l --json=x" };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (parse(rows[i]) != CMDLINE_WRONG)
			fail_msg("iscsiutil %s is accepted", rows[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_line_of_the_guide_is_understood),
		cmocka_unit_test(values_arrive_where_they_belong),
		cmocka_unit_test(lines_that_make_no_sense_are_refused),
	};
	int failed;

	null = fopen("/dev/null", "w");
	say_init("iscsiutil", null);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	cmdline_fini(&line);
	fclose(null);
	return failed;
}
