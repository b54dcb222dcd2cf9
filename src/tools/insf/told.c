#include "tools/insf/told.h"

#include "tools/common/result.h"
#include "tools/common/say.h"

static void put_file(FILE *out, const char *file, const char *block);

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
	if (file[0] == '\0')
		return;
	fputs("      making ", out);
	say_text(out, file);
	if (block[0] != '\0') {
		fputs(" -> ", out);
		say_text(out, block);
	}
	fputc('\n', out);
}
