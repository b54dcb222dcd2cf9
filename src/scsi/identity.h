/*
 * What a logical unit calls itself, and whether two of such answers can be one
 * unit's.  Plain data: copied, stored, compared; no pointer in it.  Whoever
 * makes one begins with zeros, so that equal identities are equal bytes.
 */
#ifndef SCSI_IDENTITY_H
#define SCSI_IDENTITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scsi/inquiry.h"
#include "scsi/vpd.h"

/* Room for designators: one of the longest always fits, and all that a target usually has. */
#define IDENTITY_BYTES 1024

struct identity {
	/*
	 * The designators of VPD page 83h with association 0, as vpd.h writes
	 * them ("naa.…", "eui.…", "name.…", "t10.…"), best first, one behind
	 * another, each with its NUL; the rest is zeros.  Those for which there is
	 * no room are passed over.
	 */
	char designators[IDENTITY_BYTES];
	char serial[VPD_SERIAL_BYTES]; /* VPD page 80h, or "" */
	char vendor[8 + 1], product[16 + 1];
	uint32_t block_bytes; /* 0: not known */
	uint64_t size_bytes;  /* 0: not known */
};

/* False: it is there already, or there is no room.  The best ones are added first. */
bool identity_add(struct identity *id, const char *designator);
/* The first designator, or NULL; the one behind `d`, or NULL. */
const char *identity_first(const struct identity *id);
const char *identity_next(const struct identity *id, const char *d);
/* All designators of a whole page 83h; VPD_OK: there was at least one. */
enum vpd_result identity_take_page(struct identity *id, const void *bytes, size_t n);

/* How two identities compare. */
enum identity_match {
	IDENTITY_SAME,  /* a name of the unit's own is shared, and none of equal kind contradicts */
	IDENTITY_ALIKE, /* neither has a name: vendor, product, block size and capacity are equal */
	IDENTITY_OTHER, /* they are two units */
	IDENTITY_UNCERTAIN /* one has names, the other none that can be compared */
};

enum identity_match identity_compare(const struct identity *was, const struct identity *now);
/*
 * Is it one unit behind two paths?  Of two targets only where both give it a designator that is
 * unique in the world (NAA 2, 5, 6, EUI-64, a SCSI name): serial numbers, T10 vendor
 * identifications and names assigned locally (NAA 3) are a target's own affair.
 */
bool identity_joins(const struct identity *a, const struct identity *b, bool is_same_target);
/*
 * The names of an identity, each as a bit, so that whether one of thousands of
 * units may be the same is told by a few instructions.
 */
struct identity_sketch {
	uint64_t bits[4];
};
void identity_sketch(const struct identity *id, struct identity_sketch *ret);

/* False: they are not IDENTITY_SAME.  True says nothing. */
static inline bool
identity_sketch_meets(const struct identity_sketch *a, const struct identity_sketch *b)
{
	return ((a->bits[0] & b->bits[0]) | (a->bits[1] & b->bits[1]) | (a->bits[2] & b->bits[2]) |
		   (a->bits[3] & b->bits[3])) != 0;
}

/* An identity that is kept for long: in as many bytes as it has. */
struct identity_kept {
	uint64_t size_bytes;
	uint32_t block_bytes, designators_bytes;
	char text[]; /* the designators; serial number, vendor, product, each with its NUL */
};
/* Heap: free() it.  NULL: no memory. */
struct identity_kept *identity_pack(const struct identity *id);
void identity_unpack(const struct identity_kept *k, struct identity *ret);

/*
 * `id` is what a unit says of itself now, `known` what it has said before: where it
 * leaves out names today, they stay known, so that it cannot become another unit in two steps.
 */
void identity_keep(struct identity *id, const struct identity *known);
/* Has it a name in page 83h that no other unit may have, whatever vendor made it? */
bool identity_is_strong(const struct identity *id);
/* Does it have any name of its own, 83h or 80h? */
bool identity_has_name(const struct identity *id);
/* For sentences: the best designator, else the serial number, else "a unit without a name". */
const char *identity_name(const struct identity *id);

#endif
