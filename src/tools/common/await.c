#include "tools/common/await.h"

#include "tools/common/progress.h"
#include "tools/common/result.h"
#include "tools/common/say.h"

enum status
await_device(struct call *c, json_t *args, long seconds, json_t **ret_result)
{
	struct progress p;
	enum status status;
	json_t *result;

	say_need(json_object_set_new(args, "seconds", json_integer(seconds)) == 0 ? args : NULL);
	progress_init_stderr(&p);
	status = call_watch(c, IPC_OP_device_wait, args, progress_wait, &p, &result);
	progress_end(&p);
	if (status != STATUS_OK)
		return status;
	if (result_is_true(result, "is_there")) {
		*ret_result = result;
		return STATUS_OK;
	}
	say_failure(IPC_ERR_TIMEOUT, result,
	    "see what 'iscsiutil -o' and 'iscsiutil --events' tell of it",
	    "%s is not there after %lld s: %s", result_text(result, "what"),
	    (long long)result_number(result, "waited_ms") / 1000, result_text(result, "why"));
	json_decref(result);
	return STATUS_LATE;
}
