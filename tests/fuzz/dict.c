/* Prints libFuzzer dictionaries that are made from the product's own tables: dict TABLE... */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* clang-format off */
static const char *const keys[] = {
#define KEY_NUM(id, wire, ...)  wire,
#define KEY_BOOL(id, wire, ...) wire,
#define KEY_LIST(id, wire, ...) wire,
#define KEY_DECL(id, wire, ...) wire,
#define KEY_SEC(id, wire, ...)  wire,
#define KEY_GONE(id, wire, ...) wire,
#include "core/keys.def"
};
static const char *const values[] = {
#define VALUE_AUTH(id, wire, ...)   wire,
#define VALUE_DIGEST(id, wire, ...) wire,
#define VALUE_TASK(id, wire, ...)   wire,
#include "core/keys.def"
	"Yes", "No", "Reject", "Irrelevant", "NotUnderstood", "Discovery", "Normal", "=", ",", "0x", "0b",
};
static const char *const names[] = {
	"iqn.", "eui.", "naa.", "iqn.2026-11.org.openisw:", ":", "[", "]", "%lo", "fe80::", "127.0.0.1", ":3260", ",1",
	"\xc3\x9f", "\xef\xac\x80", "\xe2\x84\xaa",
};
static const char *const ops[] = {
#define OP(id, name, ...)           name,
#define ARG(op, name, ...)          name,
#define HIDE(member)                member,
#define SECRET(name)                name,
#include "ipc/messages.def"
};
static const char *const faults[] = {
#define FAULT(id, text) #id,
#include "base/fault.def"
	"UNKNOWN_OP",
};
static const char *const json[] = {
	"{\"id\":1,", "\"op\":\"", "\"args\":{", "\"ok\":true", "\"ok\":false", "\"result\":{", "\"error\":{", "\"code\":\"",
	"\"message\":\"", "\"next\":\"", "\"progress\":{", "\"part\":{", "\"continued\":true", "null", "true", "false",
	"[[[[", "]]]]", "}}}}", "\\u0000", "\\ud800", "1e999", "9223372036854775807", "-9223372036854775809", "\n",
};
/* ARCHITECTURE.md, section "Daemon protocol": it has no table. */
static const char *const daemons[] = {
	"daemon", "version", "pid", "connect", "cancel", "resolve", "discover", "verify", "follow", "refresh", "seen", "serial", "from", "next", "is_known", "is_cut", "tpgt", "error", "statistics", "address", "port",
	"timeout_ms", "source", "interface", "congestion_control", "of", "name", "scopes", "server", "servers", "nas", "nas_secret", "identifier",
	"challenge", "response", "verdict", "targets", "agents", "addresses", "ECONNREFUSED", "ETIMEDOUT", "EINVAL",
};
static const char *const slp[] = {
#define ATTR(id, tag, use, text) tag,
#include "islpd/attr.def"
	"service:iscsi:target", "service:directory-agent", "service:service-agent", "://", "/iqn.", "default", "(", ")", "=",
	"\\2c", "tcp", "en",
};
static const char *const config[] = {
#define CONFIG(id, word, value, text) word,
#include "islpd/config.def"
#define RADDCONF(id, word, ...) word,
#include "iradd/raddconf.def"
#define IISNSDCONF(id, word, ...) word,
#include "iisnsd/iisnsdconf.def"
	"yes", "no", "#", "\n", " ", ":427", "[::1]",
};
static const char *const settings[] = {
#define KEY(id, name, ...) name,
#include "registry/keys.def"
};
static const char *const options[] = {
#define OPT(id, letter, name, ...) name,
#include "tools/iscsiutil/opts.def"
#define OPT(id, letter, name, ...) name,
#include "tools/ioscan/opts.def"
#define OPT(id, letter, name, ...) name,
#include "tools/insf/opts.def"
#define OPT(id, letter, name, ...) name,
#include "tools/rmsf/opts.def"
#define OPT(id, letter, name, ...) name,
#include "tools/iscsidiag/opts.def"
#define OPT(id, letter, name, ...) name,
#include "tools/iscsi_replay/opts.def"
	"-", "--", "=", "/dev/iscsi", "/dev/isw",
};
static const char letters[] = {
#define OPT(id, letter, ...) letter,
#include "tools/iscsiutil/opts.def"
};
/* clang-format on */

static void
print_bytes(const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	putchar('"');
	for (size_t i = 0; i < n; i++) {
		if (isprint(p[i]) && p[i] != '"' && p[i] != '\\')
			putchar(p[i]);
		else
			printf("\\x%02x", p[i]);
	}
	puts("\"");
}

static void
print_words(const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (words[i] != NULL && words[i][0] != '\0')
			print_bytes(words[i], strlen(words[i]));
}

static void
print_letters(void)
{
	for (size_t i = 0; i < sizeof letters; i++)
		if (letters[i] != '\0')
			print_bytes((const char[]){ '\n', '-', letters[i], '\n' }, 4);
}

/* Additional sense codes, as they stand in fixed format. */
static void
print_sense(void)
{
#define ASC(code, qualifier, ...)        print_bytes((const unsigned char[]){ code, qualifier }, 2);
#define ASC_BY_KEY(code, qualifier, ...) print_bytes((const unsigned char[]){ code, qualifier }, 2);
#define ASC_FAMILY(code, ...)            print_bytes((const unsigned char[]){ code }, 1);
#define ASC_REST(code, ...)              print_bytes((const unsigned char[]){ code }, 1);
#include "scsi/asc.def"
	print_bytes("\x70", 1);
	print_bytes("\x72", 1);
	print_bytes("\x73", 1);
}

/* Attributes with their shortest length. */
static void
print_radius(void)
{
#define ATTRIBUTE(id, number, name, min, max) \
	print_bytes((const unsigned char[]){ number, (min) + 2 }, 2);
#include "iradd/radius.def"
}

/* Attributes with their longest length; functions and flags that end a message. */
static void
print_isns(void)
{
#define ISNSP_ATTR(id, tag, min, max) \
	print_bytes((const unsigned char[]){ 0, 0, 0, tag, 0, 0, (max) >> 8, (max)&0xff }, 8);
#include "iisnsd/attr.def"
#define ISNSP_FUNCTION(id, number, name)                            \
	print_bytes((const unsigned char[]){ 0, 1, 0, number }, 4); \
	print_bytes((const unsigned char[]){ 0, 1, 0x80, number }, 4);
#include "iisnsd/function.def"
	print_bytes("\x8c\0", 2);
	print_bytes("\x4c\0", 2);
}

static void
print_number(uint64_t n, size_t bytes)
{
	unsigned char b[8];

	for (size_t i = 0; i < bytes; i++)
		b[i] = (unsigned char)(n >> 8 * (bytes - 1 - i));
	print_bytes(b, bytes);
}

/* What a client may say, as it stands in a message. */
static void
print_nbd(void)
{
#define OPTION(id, number, ...)    print_number(number, 4);
#define INFO(id, number, ...)      print_number(number, 2);
#define COMMAND(id, number, ...)   print_number(number, 2);
#define COMMAND_FLAG(id, bit, ...) print_number(1u << (bit), 2);
#include "export/nbd.def"
	print_bytes("IHAVEOPT", 8);
	print_number(0x25609513, 4);
	print_bytes("c0t0d0", 6);
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *name;
		const char *const *words;
		size_t n;
	} tables[] = {
#define TABLE(id) { #id, id, sizeof id / sizeof id[0] }
		TABLE(keys),
		TABLE(values),
		TABLE(names),
		TABLE(ops),
		TABLE(faults),
		TABLE(json),
		TABLE(daemons),
		TABLE(slp),
		TABLE(config),
		TABLE(settings),
		TABLE(options),
	};

	for (int i = 1; i < argc; i++) {
		for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
			if (strcmp(argv[i], tables[t].name) == 0)
				print_words(tables[t].words, tables[t].n);
		if (strcmp(argv[i], "options") == 0)
			print_letters();
		if (strcmp(argv[i], "sense") == 0)
			print_sense();
		if (strcmp(argv[i], "radius") == 0)
			print_radius();
		if (strcmp(argv[i], "isns") == 0)
			print_isns();
		if (strcmp(argv[i], "nbd") == 0)
			print_nbd();
	}
	return 0;
}
