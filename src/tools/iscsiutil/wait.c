/* iscsiutil --wait: until a device is there. */
#include <string.h>

#include "tools/common/args.h"
#include "tools/common/await.h"
#include "tools/common/devname.h"
#include "tools/common/hwpath.h"
#include "tools/common/result.h"
#include "tools/common/say.h"
#include "tools/iscsiutil/ask.h"
#include "tools/iscsiutil/run.h"

/* What the word names; false, with a sentence: it cannot be sent. */
static bool
put_what(json_t *args, const char *word, const char *root)
{
	const char *name = devname_find(word, root);

	if (name != NULL)
		return args_put_text(args, "name", name);
	return args_put_text(args, hwpath_is_valid(word) ? "hw_path" : "target", word);
}

enum status
run_wait(const struct cmdline *line)
{
	const struct cmdline_value *limit = &line->values[OPT_limit];
	json_t *result, *args = say_need(json_object());
	struct call c;
	enum status status = call_open(&c, line, CALL_ISCSI);

	if (status == STATUS_OK && !put_what(args, line->values[OPT_wait].text, c.paths.root))
		status = STATUS_USAGE;
	if (status == STATUS_OK)
		status = await_device(&c, json_incref(args),
		    limit->given ? limit->number : AWAIT_SECONDS_DEFAULT, &result);
	call_close(&c);
	json_decref(args);
	if (status != STATUS_OK)
		return status;
	if (ask_wants_json(line))
		result_print(stdout, result);
	json_decref(result);
	return STATUS_OK;
}
