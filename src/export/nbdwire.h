/*
 * The bytes of the NBD protocol once a client has its disk: requests that are read, answers
 * that are written, and what a request may say.  Pure: no socket, no device.  What comes
 * before that is nbdneg.h.
 */
#ifndef EXPORT_NBDWIRE_H
#define EXPORT_NBDWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum nbd_option {
#define OPTION(id, number, ...) NBD_OPTION_##id = (number),
#include "export/nbd.def"
};
enum nbd_reply {
#define REPLY(id, number, ...) NBD_REPLY_##id = (int)(number),
#include "export/nbd.def"
};
enum nbd_info {
#define INFO(id, number, ...) NBD_INFO_##id = (number),
#include "export/nbd.def"
};
enum nbd_flag {
#define FLAG(id, bit, ...) NBD_FLAG_##id = 1 << (bit),
#include "export/nbd.def"
};
enum nbd_command_flag {
#define COMMAND_FLAG(id, bit, ...) NBD_COMMAND_FLAG_##id = 1 << (bit),
#include "export/nbd.def"
};
enum nbd_command {
#define COMMAND(id, number, ...) NBD_COMMAND_##id = (number),
#include "export/nbd.def"
};
enum nbd_chunk {
#define CHUNK(id, number, ...) NBD_CHUNK_##id = (number),
#include "export/nbd.def"
};
enum nbd_error {
	NBD_OK,
#define ERROR(id, number, ...) NBD_##id = (number),
#include "export/nbd.def"
};

/* A disk as clients see it. */
struct nbd_view {
	const char *name;
	uint64_t size_bytes;  /* whole blocks */
	uint32_t block_bytes; /* less is read, changed and written */
	uint32_t max_bytes;   /* the most that a READ or WRITE may have */
	bool is_read_only, can_trim, can_zero;
	bool is_sealed; /* nobody gets it any more */
};

#define NBD_REQUEST_BYTES 28u
struct nbd_request {
	uint16_t flags, command;
	uint64_t cookie, offset;
	uint32_t length;
};

/* The flags that a client is told; `is_structured`: what it asked for before. */
uint16_t nbd_flags(const struct nbd_view *v, bool is_structured);
/* NBD_REQUEST_BYTES.  False: it is none. */
bool nbd_get_request(const uint8_t *p, struct nbd_request *ret);
/* Does such data follow it, whether it will be done or not? */
bool nbd_has_data(const struct nbd_request *r);
/* NBD_OK, or what it must be answered with, for the device would be asked for nonsense. */
enum nbd_error nbd_check(const struct nbd_request *r, const struct nbd_view *v);
/* What a client is told of a device's result. */
enum nbd_error nbd_error_of(int result);
/*
 * The answer, but for the data of a READ that went well, which follows.  How many of
 * NBD_ANSWER_BYTES it has.
 */
#define NBD_ANSWER_BYTES 28u
size_t nbd_put_answer(
    uint8_t *p, const struct nbd_request *r, enum nbd_error error, bool is_structured);

#endif
