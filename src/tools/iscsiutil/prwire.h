/*
 * The socket protocol of qemu's persistent reservation helper, the helper's side of it (QEMU,
 * "Persistent reservation helper protocol"): all numbers big-endian.  The helper sends four bytes
 * of features, the client four with those it wants; then commands, one at a time: a CDB of 16
 * bytes, with which a descriptor comes, and for PERSISTENT RESERVE OUT its parameter list; and
 * their answers. Whoever breaks it is hung up on.  Pure: bytes go in.
 */
#ifndef ISCSIUTIL_PRWIRE_H
#define ISCSIUTIL_PRWIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PRWIRE_FEATURES_BYTES 4
#define PRWIRE_CDB_BYTES      16
#define PRWIRE_DATA_MAX       8192
#define PRWIRE_SENSE_BYTES    96
/* An answer without its data: status, size of the data, sense data. */
#define PRWIRE_ANSWER_BYTES (4 + 4 + PRWIRE_SENSE_BYTES)

enum prwire_end {
	PRWIRE_MORE,    /* bytes are missing */
	PRWIRE_COMMAND, /* a command is complete: cdb, is_out, len, and data of is_out */
	PRWIRE_BROKEN   /* it is no such protocol */
};

/* Embedded; begins with zeros. */
struct prwire {
	uint8_t cdb[PRWIRE_CDB_BYTES];
	bool is_out;
	uint32_t len; /* of the parameter list; else of what may be answered */
	uint8_t data[PRWIRE_DATA_MAX];
	/* Its own. */
	bool is_greeted;
	uint8_t features[PRWIRE_FEATURES_BYTES];
	size_t got; /* bytes of the part that is being read */
	bool has_cdb;
};

/*
 * So many bytes the protocol has next, at the most: whoever reads no more of them finds the
 * descriptor that came with a command.
 */
size_t prwire_want(const struct prwire *p);
/* Does a command begin with the next byte?  Then a descriptor comes with it. */
bool prwire_at_command(const struct prwire *p);
/* n bytes came, at most prwire_want() of them.  After PRWIRE_COMMAND: prwire_next(). */
enum prwire_end prwire_take(struct prwire *p, const void *bytes, size_t n);
void prwire_next(struct prwire *p);
/* All but the data; sense_len may be more than there is room for. */
void prwire_answer(uint8_t ret_bytes[PRWIRE_ANSWER_BYTES], uint8_t status, uint32_t data_len,
    const uint8_t *sense, size_t sense_len);
/* Sense data of the helper's own, fixed format: 18 bytes. */
#define PRWIRE_OWN_SENSE_BYTES 18
void prwire_sense(
    uint8_t ret_bytes[PRWIRE_OWN_SENSE_BYTES], uint8_t key, uint8_t asc, uint8_t ascq);

#endif
