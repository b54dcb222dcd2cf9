/* The argument of --scsi: a command's bytes, or a word of scsi.def with its arguments. */
#ifndef ISCSIUTIL_SCSI_WORD_H
#define ISCSIUTIL_SCSI_WORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCSI_CDB_MAX  16
#define SCSI_LIST_MAX 24

struct scsi_word {
	uint8_t cdb[SCSI_CDB_MAX];
	size_t cdb_len;
	uint8_t list[SCSI_LIST_MAX]; /* data that it sends */
	size_t list_len;
	uint32_t in;  /* bytes that it may answer; 0: of bytes, the caller says */
	bool is_word; /* of scsi.def */
};

/* False, with a sentence. */
bool scsi_word_parse(const char *text, struct scsi_word *ret);

#endif
