#include "tools/completion/completion.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#define EACH         "printf \"%s\\n\""
#define WORDS(words) EACH " " words
#define DEVICES      "ls \"${OPENISW_ROOT:-}/dev/dsk\" 2>/dev/null"

/* clang-format off */
/* What is configured with iscsiutil -t. */
static const char login_keys[] = EACH " bothdigest"
#define KEY_LIST(id, name, ...) " " name
#define KEY_NUM(id, name, ...)  " " name
#define KEY_BOOL(id, name, ...) " " name
#include "core/keys.def"
#define TIMER(id, name, ...) " " name
#include "ini/timers.def"
#define CHOICE(id, name, ...) " " name
#include "ini/choices.def"
#define ROUTE(id, name, ...) " " name
#define SHARE(id, name, ...) " " name
#include "ini/routes.def"
    ;

/* Its values where it has a few; each may also be "default". */
static const struct {
	const char *key, *values;
} values[] = {
	{ "AuthMethod", "None CHAP" },
	{ "HeaderDigest", "None CRC32C" },
	{ "DataDigest", "None CRC32C" },
	{ "bothdigest", "None CRC32C"
#define KEY_BOOL(id, name, ...) }, { name, "Yes No"
#include "core/keys.def"
#define CHOICE(id, name, ...) }, { name, ""
#define WAY(id, number, way, word) " " word
#include "ini/choices.def"
	},
	{ "Filters", "none"
#define FILTER(id, word, ...) " " word
#include "export/filter.def"
	}
};

static const char levels[] = EACH
#define LEVEL(id, number, word, ...) " " word
#include "sys/log.def"
    ;
static const char levels_or_default[] = EACH " default"
#define LEVEL(id, number, word, ...) " " word
#include "sys/log.def"
    ;
static const char messages[] = EACH " all"
#define MSG(appendix, number, id, ...) " " #id
#include "driver/diag/messages.def"
    ;
/* clang-format on */

/* What an argument may be, by its name in opts.def or in the usage. */
static const struct {
	const char *arg, *list;
} lists[] = {
	{ "target-name", "iscsiutil -p -O 2>/dev/null | sed -n \"s/^Target iSCSI Name *: //p\"" },
	{ "ssn_inst", "iscsiutil -p -S 2>/dev/null | sed -n \"s/^Session Instance *: //p\"" },
	{ "device", DEVICES },
	{ "hw_path", "ioscan -k 2>/dev/null | sed -n \"s/^\\(255[^ ]*\\).*/\\1/p\"" },
	{ "class", WORDS("disk ctl tape autoch ext_bus target iscsi") },
	{ "driver", WORDS("sdisk sctl stape schgr iscsial tgt iscsi") },
	{ "dbg_level", levels_or_default }, { "level", levels }, { "LEVEL", levels },
	{ "chap-authentication-type", WORDS("CHAP_UNI CHAP_BI default") },
	{ "chap-initiator-secret", WORDS("- default") },
	{ "chap-target-secret", WORDS("- default") }, { "chap-target-name", "echo default" },
	{ "initiator-alias", "echo default" }, { "iscsi_slp_scope_string_list", "echo default" },
	{ "nas-hostname nas-secret radius-server-hostname", "echo default" },
	{ "login-key login-val ...", login_keys },
	{ "list", WORDS("MD5 SHA-1 SHA-256 SHA3-256 default") }, { "message-id", messages },
	{ "KIND", WORDS("fuse null") }, { "1", WORDS("1 2") }, /* iscsi --phase */
};

const char *
completion_list(const struct cmdline_option *o)
{
	for (size_t i = 0; o->arg_name != NULL && i < sizeof(lists) / sizeof(lists[0]); i++)
		if (strcmp(lists[i].arg, o->arg_name) == 0)
			return lists[i].list;
	return NULL;
}

bool
completion_is_file(const struct cmdline_option *o)
{
	return o->arg_name != NULL && strcmp(o->arg_name, "file") == 0;
}

bool
completion_is_dir(const struct cmdline_option *o)
{
	return o->arg_name != NULL &&
	       (strcmp(o->arg_name, "dir") == 0 || strcmp(o->arg_name, "DIR") == 0 ||
		   strcmp(o->arg_name, "directory_name") == 0);
}

const char *
completion_operands(const struct cmdline_tool *t)
{
	for (size_t i = 0; i < t->n_forms; i++) {
		const char *operand = t->forms[i].operand;

		if (strncmp(operand, "device_file", strlen("device_file")) == 0)
			return DEVICES;
		if (strstr(operand, "/dev/isw") != NULL)
			return WORDS("/dev/iscsi /dev/isw");
		if (strncmp(operand, "printf ", strlen("printf ")) == 0)
			return operand; /* of iscsi, as it is */
	}
	return NULL;
}

size_t
completion_keys(const struct cmdline_tool *t)
{
	size_t i = 0;

	while (i < t->n_options && completion_list(&t->options[i]) != login_keys)
		i++;
	return i;
}

const char *
completion_values(void)
{
	static char text[4096];
	size_t n = 0;

	n += (size_t)snprintf(text, sizeof text, "case $(echo \"$K\" | tr A-Z a-z) in ");
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		for (const char *c = values[i].key; *c != '\0'; c++)
			text[n++] = (char)tolower((unsigned char)*c);
		n += (size_t)snprintf(text + n, sizeof text - n,
		    ") "
		    "printf \"%%s\\n\" %s default ;; ",
		    values[i].values);
		assert(n < sizeof text - 100); /* room for one more */
	}
	(void)snprintf(text + n, sizeof text - n, "*) echo default ;; esac");
	return text;
}

cmdline_set
completion_fits(const struct cmdline_tool *t, size_t verb)
{
	cmdline_set set = 0;

	for (size_t f = 0; f < t->n_forms; f++)
		if ((t->forms[f].must & CMDLINE_BIT(verb)) != 0)
			set |= t->forms[f].must | t->forms[f].may;
	return set & ~cmdline_verbs(t);
}

cmdline_set
completion_common(const struct cmdline_tool *t)
{
	cmdline_set set = 0;

	for (size_t i = 0; i < t->n_options; i++)
		if (i + CMDLINE_COMMON_COUNT >= t->n_options)
			set |= CMDLINE_BIT(i);
	return set;
}

void
completion_put_quoted(const char *text, const char *special)
{
	for (; *text != '\0'; text++) {
		if (*text == '\'') {
			fputs("'\\''", stdout);
			continue;
		}
		if (strchr(special, *text) != NULL)
			putchar('\\');
		putchar(*text);
	}
}

int
completion_write(const struct cmdline_tool *t, const char *shell)
{
	static const struct {
		const char *name;
		void (*put)(const struct cmdline_tool *t);
	} shells[] = { { "bash", completion_bash }, { "zsh", completion_zsh },
		{ "fish", completion_fish } };

	for (size_t i = 0; i < sizeof(shells) / sizeof(shells[0]); i++)
		if (strcmp(shell, shells[i].name) == 0) {
			shells[i].put(t);
			return fflush(stdout) != 0 || ferror(stdout);
		}
	fprintf(stderr, "completion: there is no shell %s here: bash, zsh, fish\n", shell);
	return 2;
}
