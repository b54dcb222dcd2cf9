/*
 * Negotiation of text keys: what each key is, what we offer, what came out.
 * RFC 7143, section 6.2 and chapter 13.  One row per key in keys.def.
 */
#ifndef CORE_NEG_H
#define CORE_NEG_H

#include <stdbool.h>
#include <stdint.h>

/* A digest, section 13.1. */
enum neg_digest { NEG_DIGEST_NONE, NEG_DIGEST_CRC32C };
/* An authentication method, section 13.  The others are never offered. */
enum neg_auth { NEG_AUTH_NONE, NEG_AUTH_CHAP };

/* The negotiated value of every operational key; the defaults before a login. */
struct neg_params {
#define KEY_NUM(id, ...)  uint32_t id;
#define KEY_BOOL(id, ...) bool id;
#define KEY_LIST(id, ...) uint8_t id;
#include "core/keys.def"
	uint32_t peer_max_recv_dsl; /* MaxRecvDataSegmentLength the target declared (ours is max_recv_dsl) */
};

/* What to propose.  Lists are in order of preference. */
#define NEG_LIST_MAX 4
struct neg_list {
	uint8_t n;
	uint8_t value[NEG_LIST_MAX];
};
struct neg_offer {
#define KEY_NUM(id, ...)  uint32_t id;
#define KEY_BOOL(id, ...) bool id;
#define KEY_LIST(id, ...) struct neg_list id;
#include "core/keys.def"
};

/* The offer we make unless told otherwise (keys.def, column "offer"). */
void neg_offer_default(struct neg_offer *ret_offer);

#endif
