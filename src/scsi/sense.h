/*
 * How a SCSI command ended: status, sense data, and what an initiator makes of
 * them.  SAM-5, section 5.3 (status); SPC-4, section 4.5 (sense data).  The
 * facts are rows: status.def, sense.def (keys), asc.def (additional codes),
 * action.def.
 */
#ifndef SCSI_SENSE_H
#define SCSI_SENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sense_status {
#define STATUS(id, code, action, error, name, text) SENSE_STATUS_##id = (code),
#include "scsi/status.def"
};

enum sense_key {
#define SENSE_KEY(id, code, action, error, name, text) SENSE_KEY_##id = (code),
#include "scsi/sense.def"
};

/* What to do about a command's end; action.def says what each means. */
enum sense_action {
#define SENSE_ACTION(id, text) SENSE_##id,
#include "scsi/action.def"
};

struct sense {
	uint8_t key, asc, ascq;
	bool is_deferred; /* the error of an earlier command that had been answered GOOD */
	bool is_descriptor_format;
	bool is_filemark, is_end_of_medium, is_bad_length;
	bool has_info, has_command_info, has_progress, has_field;
	bool is_field_in_cdb; /* else in the data sent */
	uint64_t info;        /* for block commands: the LBA of the first bad block */
	uint64_t command_info;
	uint16_t progress; /* of 65536 */
	uint16_t field;    /* ILLEGAL REQUEST: the byte the target objects to */
};

/*
 * What is decided.  `error`: a positive errno for whoever waits for the block when
 * the command is given up, at once or after the retries; 0 with SENSE_OK only
 * (and with SENSE_TAPE_POSITION where the position is no error).
 */
struct sense_verdict {
	enum sense_action action;
	int error;
};

/*
 * Sense data, without the SenseLength field of RFC 7143, section 11.4.7.2.  Any
 * bytes may come; false: too short or no sense format (70h to 73h).
 */
bool sense_parse(const void *bytes, size_t n, struct sense *ret_sense);

/*
 * The decision for a command that ended with `status`; `sense` may be NULL
 * when there was none (or none that could be read).  A deferred error is one of
 * an earlier command: the one at hand was not executed (SPC-4, section 4.5.5) and
 * is to be sent again.
 */
struct sense_verdict sense_judge(uint8_t status, const struct sense *sense);
/* What it says of the data of commands that had been answered GOOD; the more, the worse. */
enum sense_loss {
	SENSE_LOSS_NONE,  /* nothing */
	SENSE_LOSS_RESET, /* 29/00: a reset, or the power is back */
	SENSE_LOSS_POWER, /* what lay in a volatile cache is lost */
	SENSE_LOSS_DATA,  /* a deferred error: some of it is lost */
};
enum sense_loss sense_loss(const struct sense *sense);

/* Names for people, static text, never NULL. */
const char *sense_status_name(uint8_t status);
const char *sense_key_name(uint8_t key);
/* NULL when asc.def has no row and the code is no family with one text (40h/nn, 4Dh/nn, 70h/nn). */
const char *sense_asc_text(uint8_t asc, uint8_t ascq);

/* Room for any sentence of sense_describe(). */
#define SENSE_TEXT_BYTES 320
/*
 * One sentence without a full stop: "CHECK CONDITION, MEDIUM ERROR (3/11/00):
 * unrecovered read error, at block 4711".  NUL-terminated, cut off at n bytes;
 * returns the length.  sense may be NULL; n must not be 0.
 */
size_t sense_describe(char *buf, size_t n, uint8_t status, const struct sense *sense);

#endif
