/*
 * Command lines: of the commands (iscsiutil and its like) and of the daemons, with their own
 * tables.
 *
 * Input: which program, then its arguments, a line each.  The daemons' main() is theirs; it stops
 * behind opt_parse(), which is wrapped.
 *
 * A line that is taken fits the form it is said to have; every other one is refused.
 *
 * Covers: src/tools/common/cmdline.c src/tools/common/match.c src/sys/opt.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "sys/instance.h"
#include "sys/opt.h"
#include "tools/common/cmdline.h"
#include "tools/common/say.h"

#define ARGS_MAX 40

extern const struct cmdline_tool insf_spec, ioscan_spec, iscsidiag_spec, iscsi_replay_spec,
    iscsiutil_spec, rmsf_spec;

int iisnsd_main(int argc, char **argv);
int iradd_main(int argc, char **argv);
int iscsi_resolvd_main(int argc, char **argv);
int islpd_main(int argc, char **argv);
int iswd_main(int argc, char **argv);
enum opt_result __real_opt_parse(
    const struct opt_program *program, int argc, char **argv, int *ret_operand);
enum opt_result __wrap_opt_parse(
    const struct opt_program *program, int argc, char **argv, int *ret_operand);

static FILE *nowhere;

/* The daemon goes no further. */
enum opt_result
__wrap_opt_parse(const struct opt_program *program, int argc, char **argv, int *ret_operand)
{
	enum opt_result result = __real_opt_parse(program, argc, argv, ret_operand);

	if (result != OPT_GO)
		return result;
	FUZZ_CHECK(*ret_operand >= 1 && *ret_operand <= argc);
	FUZZ_CHECK(program->operands != NULL || *ret_operand == argc);
	return OPT_WRONG;
}

static bool
is_of(const char *text, int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (text >= argv[i] && text <= argv[i] + strlen(argv[i]))
			return true;
	return false;
}

static void
check_value(const struct cmdline_option *o, const struct cmdline_value *v, int argc, char **argv)
{
	FUZZ_CHECK(v->given);
	switch (o->arg) {
	case CMDLINE_NONE:
		return;
	case CMDLINE_NUMBER_MAYBE:
	case CMDLINE_NUMBER:
		FUZZ_CHECK(v->has_arg || o->arg == CMDLINE_NUMBER_MAYBE);
		FUZZ_CHECK(!v->has_arg || (v->number >= o->min && v->number <= o->max));
		return;
	case CMDLINE_TEXTS:
		FUZZ_CHECK(v->list_count > 0 && v->list[0] == v->text);
		for (int i = 0; i < v->list_count; i++)
			FUZZ_CHECK(v->list[i][0] != '\0' && is_of(v->list[i], argc, argv));
		return;
	case CMDLINE_TEXT:
	case CMDLINE_WORDS:
		FUZZ_CHECK(v->text != NULL && is_of(v->text, argc, argv));
		FUZZ_CHECK(o->arg == CMDLINE_WORDS || v->text[0] != '\0');
		return;
	case CMDLINE_LIST:
		FUZZ_CHECK(v->list_count >= 1 && v->list_count < argc);
		for (int i = 0; i < v->list_count; i++)
			FUZZ_CHECK(is_of(v->list[i], argc, argv));
		return;
	}
}

static void
check_line(const struct cmdline *c, int argc, char **argv)
{
	const struct cmdline_tool *tool = c->tool;
	const struct cmdline_form *f = c->form;
	cmdline_set common = 0;

	for (unsigned i = 0; i < CMDLINE_COMMON_COUNT; i++)
		common |= CMDLINE_BIT(cmdline_common_index(tool, i));
	FUZZ_CHECK(f >= tool->forms && f < tool->forms + tool->n_forms);
	FUZZ_CHECK((c->given & f->must) == f->must);
	FUZZ_CHECK((c->given & ~(f->must | f->may | common)) == 0);
	FUZZ_CHECK(c->n_operands >= f->operands_min && c->n_operands <= f->operands_max);
	for (size_t i = 0; i < tool->n_one_of; i++)
		FUZZ_CHECK(cmdline_count(c->given & tool->one_of[i]) <= 1);
	for (size_t i = 0; i < tool->n_options; i++) {
		if ((c->given & CMDLINE_BIT(i)) == 0)
			continue;
		check_value(&tool->options[i], &c->values[i], argc, argv);
		FUZZ_CHECK((f->with_arg & CMDLINE_BIT(i)) == 0 || c->values[i].has_arg);
	}
	for (int i = 0; i < c->n_operands; i++)
		FUZZ_CHECK(is_of(c->operands[i], argc, argv));
}

static void
run(uint8_t which, int argc, char **argv)
{
	/* At the end what comes new: the inputs that are kept mean what they meant. */
	static const struct {
		const struct cmdline_tool *tool;
		int (*daemon)(int argc, char **argv);
	} programs[] = { { &insf_spec, NULL }, { &ioscan_spec, NULL }, { &iscsidiag_spec, NULL },
		{ &iscsiutil_spec, NULL }, { &rmsf_spec, NULL }, { NULL, iradd_main },
		{ NULL, iscsi_resolvd_main }, { NULL, islpd_main }, { NULL, iswd_main },
		{ NULL, iisnsd_main }, { &iscsi_replay_spec, NULL } };
	const struct cmdline_tool *tool;
	struct cmdline c;

	which %= sizeof programs / sizeof programs[0];
	tool = programs[which].tool;
	if (tool == NULL) {
		FUZZ_CHECK(programs[which].daemon(argc, argv) <= INSTANCE_EXIT_USAGE);
		return;
	}
	say_init(tool->name, nowhere);
	if (cmdline_parse(&c, tool, argc, argv, nowhere) == CMDLINE_GO)
		check_line(&c, argc, argv);
	cmdline_fini(&c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	uint8_t which = cursor_u8(&in);
	char *argv[ARGS_MAX + 1], *words[ARGS_MAX];
	int argc = 0;

	fuzz_quiet();
	if (nowhere == NULL && (nowhere = fopen("/dev/null", "we")) == NULL)
		abort();
	do {
		argv[argc] = words[argc] = fuzz_string(&in, '\n');
		argc++;
	} while (argc < ARGS_MAX && cursor_left(&in) > 0);
	argv[argc] = NULL;
	run(which, argc, argv);
	for (int i = 0; i < argc; i++) /* argv was reordered */
		free(words[i]);
	return 0;
}
