/*
 * A command's talk with the driver.  What goes wrong is told here, once, in a
 * sentence with its cause and the next step (say.h).
 */
#ifndef TOOLS_CALL_H
#define TOOLS_CALL_H

#include <jansson.h>

#include "ipc/client.h"
#include "sys/paths.h"
#include "tools/common/cmdline.h"
#include "tools/common/status.h"

enum call_device {
	CALL_ISCSI, /* /dev/iscsi, the transport driver */
	CALL_ISW,   /* /dev/isw, the interface driver */
};

struct call {
	struct paths paths;
	struct ipc_client *client;
};

/* Find the root that the line names.  call_close() in every case. */
enum status call_root(struct call *ret, const struct cmdline *line);
/* And connect.  call_close() in every case. */
enum status call_open(struct call *ret, const struct cmdline *line, enum call_device device);
void call_close(struct call *c);

/*
 * One request; takes the reference of `args` (NULL: none).  STATUS_OK with
 * *ret_result, to be json_decref()ed.
 */
enum status call_request(struct call *c, enum ipc_op op, json_t *args, json_t **ret_result);
/* The same, with progress. */
enum status call_watch(struct call *c, enum ipc_op op, json_t *args, ipc_progress *progress,
    void *user, json_t **ret_result);

/*
 * Several at once (ipc_request_many()).  What came of each is told by call_told(): STATUS_OK with
 * q->result, or a sentence and its status.
 */
void call_request_many(struct call *c, struct ipc_many *q, size_t n);
enum status call_told(const struct call *c, struct ipc_many *q);

/* The name under which the guide knows a device: "/dev/iscsi". */
const char *call_device_name(enum call_device device);

#endif
