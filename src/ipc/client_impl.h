/* What client.c knows; only its test includes it, too: it has not the time that messages.def gives.
 */
#ifndef IPC_CLIENT_IMPL_H
#define IPC_CLIENT_IMPL_H

#include "ipc/client.h"
#include "ipc/codec.h"

struct ipc_client {
	int fd;
	int passed; /* that came, and was not taken; -1: none */
	char *path;
	struct ipc_lines lines;
	json_int_t last_id;
	uint32_t deadline_ms; /* 0: messages.def's */
};

#endif
