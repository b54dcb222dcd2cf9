#include "tools/insf/told.h"

#include <limits.h>
#include <unistd.h>

#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/common/size.h"

static void put_file(FILE *out, const char *file, const char *block);
static void put_size(FILE *out, const json_t *bytes);

void
told_made(FILE *out, const json_t *result, bool files)
{
	const json_t *d;
	size_t i;

	json_array_foreach(json_object_get(result, "devices"), i, d)
	{
		if (!result_is_true(d, "made"))
			continue;
		fputs("insf: Installing special files for ", out);
		say_text(out, result_text(d, "driver"));
		fprintf(out, " instance %lld address ", (long long)result_number(d, "instance"));
		say_text(out, result_text(d, "hw_path"));
		fputc('\n', out);
		if (!files)
			continue;
		put_file(out, result_text(d, "dsk"), result_text(d, "block"));
		put_file(out, result_text(d, "rdsk"), "");
		put_file(out, result_text(d, "nbd"), "");
		put_size(out, json_object_get(d, "size_bytes"));
	}
}

void
told_notes(const json_t *result)
{
	const json_t *note;
	size_t i;

	json_array_foreach(json_object_get(result, "notes"), i, note) if (json_is_string(note))
	    say_note("%s", json_string_value(note));
}

static void
put_file(FILE *out, const char *file, const char *block)
{
	char to[PATH_MAX];
	ssize_t n = block[0] == '\0' ? readlink(file, to, sizeof to - 1) : -1;

	if (file[0] == '\0')
		return;
	fputs("      making ", out);
	say_text(out, file);
	/* The raw device is a link to the disk's file. */
	if (n > 0) {
		to[n] = '\0';
		block = to;
	}
	if (block[0] != '\0') {
		fputs(" -> ", out);
		say_text(out, block);
	}
	fputc('\n', out);
}

static void
put_size(FILE *out, const json_t *bytes)
{
	char text[SIZE_TEXT_BYTES];

	if (!json_is_integer(bytes) || json_integer_value(bytes) < 0)
		return;
	size_text((uint64_t)json_integer_value(bytes), text);
	fprintf(out, "      size %s\n", text);
}
