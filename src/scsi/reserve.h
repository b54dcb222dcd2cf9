/*
 * Persistent reservations: the data of PERSISTENT RESERVE IN and OUT, SPC-4, sections 6.15 and
 * 6.16.  What comes from a target may be anything; what does not fit its own lengths is left out.
 */
#ifndef SCSI_RESERVE_H
#define SCSI_RESERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "scsi/cdb.h"

enum reserve_in {
#define RESERVE_IN(id, action, name) RESERVE_IN_##id = (action),
#include "scsi/reserve.def"
};
enum reserve_out {
#define RESERVE_OUT(id, action, name) RESERVE_OUT_##id = (action),
#include "scsi/reserve.def"
};
enum reserve_type {
#define RESERVE_TYPE(id, code, name, text) RESERVE_TYPE_##id = (code),
#include "scsi/reserve.def"
};
/* Static text; "unknown service action", "unknown type" where there is no row. */
const char *reserve_in_name(uint8_t action);
const char *reserve_out_name(uint8_t action);
const char *reserve_type_name(uint8_t type);

/* Parameter lists of PERSISTENT RESERVE OUT but REGISTER AND MOVE have so many bytes. */
#define RESERVE_LIST_BYTES 24
struct reserve_list {
	uint64_t key; /* RESERVATION KEY: the sender's own, as it is registered */
	uint64_t
	    service_key; /* SERVICE ACTION RESERVATION KEY: the new one, or the preempted one */
	bool spec_i_pt, all_tg_pt, aptpl;
};
/* False: too short. */
bool reserve_list_parse(const void *bytes, size_t n, struct reserve_list *ret);
void reserve_list_make(const struct reserve_list *l, uint8_t ret_bytes[RESERVE_LIST_BYTES]);

void reserve_in(uint8_t cdb[CDB_BYTES], enum reserve_in action, uint16_t alloc_bytes);
/* scope: logical unit; type: enum reserve_type, or 0 where the action has none. */
void reserve_out(uint8_t cdb[CDB_BYTES], enum reserve_out action, uint8_t type);

/* READ KEYS. */
struct reserve_keys {
	uint32_t generation; /* PRGENERATION: counts changes of registrations since power on */
	uint32_t n;          /* keys that are registered, by the target's count */
	uint32_t n_here;     /* of them in the data */
	const uint8_t *at;   /* n_here of 8 bytes, in the caller's data */
};
/* False: less than a header. */
bool reserve_keys_parse(const void *bytes, size_t n, struct reserve_keys *ret);
uint64_t reserve_key(const struct reserve_keys *k, uint32_t i);
/* How often: once for each nexus that has it. */
uint32_t reserve_keys_count(const struct reserve_keys *k, uint64_t key);

/* Who is registered, and whether he holds the reservation. */
#define RESERVE_WHO_BYTES 224
struct reserve_holder {
	uint64_t key;
	bool is_holder, is_all_ports;
	uint8_t type;  /* holder: enum reserve_type */
	uint16_t port; /* relative target port; not with is_all_ports */
	/* The iSCSI name of the initiator, printable ASCII; "": the target does not tell. */
	char name[RESERVE_WHO_BYTES];
	bool has_isid;
	uint8_t isid[6];
};
/* READ RESERVATION: *ret_is_held; then key and type of *ret.  False: no such data. */
bool reserve_reservation_parse(const void *bytes, size_t n, uint32_t *ret_generation,
    bool *ret_is_held, struct reserve_holder *ret);
/*
 * READ FULL STATUS, one after the other: *at begins with 0.  False: there is no more (whole) one.
 */
bool reserve_status_next(const void *bytes, size_t n, size_t *at, struct reserve_holder *ret);
bool reserve_status_generation(const void *bytes, size_t n, uint32_t *ret_generation);

/*
 * A nexus of ours came (again) to a unit at which we had a key registered: what READ KEYS says
 * now, beside what it said when the key was last known to be there.  Registering again what
 * somebody else took away would undo a fence.
 */
enum reserve_again {
	RESERVE_IS_THERE, /* the key is registered, for this nexus or for another one of ours */
	/*
	 * The target lost all registrations with its power: register again where nobody has the
	 * unit reserved, for then a registration gives no right that one would not have without.
	 */
	RESERVE_WAS_LOST,
	RESERVE_WAS_TAKEN, /* somebody took it away: never by ourselves again */
};
enum reserve_again reserve_again(
    const struct reserve_keys *now, uint64_t key, uint32_t last_generation);

#endif
