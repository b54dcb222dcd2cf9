/*
 * CHAP as iSCSI uses it, RFC 7143, section 12.1.3 and 9.2.1, and RFC 1994:
 * the initiator's side of the exchange as a machine of its own inside the
 * login.  The core has neither hashes nor randomness: both come from the
 * caller.
 */
#ifndef CORE_CHAP_H
#define CORE_CHAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/put.h"
#include "core/neg.h"
#include "core/violation.h"

/* Rows of chap.def: algorithm numbers as IANA assigned them. */
enum chap_algorithm {
#define CHAP_ALGORITHM(id, number, name, bytes) CHAP_##id = number,
#include "core/chap.def"
#undef CHAP_ALGORITHM
};
#define CHAP_ALGORITHMS_MAX 4
/* 12.1.3: a challenge or response has at most 1024 bytes. */
#define CHAP_BINARY_MAX 1024
#define CHAP_DIGEST_MAX 32
/* The longest name we take from a target. */
#define CHAP_NAME_MAX 255

/* "MD5", ... or NULL for a number that is not in the table. */
const char *chap_algorithm_name(unsigned algorithm);
/* Bytes of its response; 0 for a number that is not in the table. */
size_t chap_algorithm_bytes(unsigned algorithm);

struct chap_part {
	const void *bytes;
	size_t n;
	bool is_secret; /* a chap_cfg's: the bytes are as seal() left them */
};
/* seal() may need so many bytes behind a secret. */
#define CHAP_SEAL_BYTES 16
struct chap_ops {
	/*
	 * The hash of all parts in a row into `out` (CHAP_DIGEST_MAX bytes).
	 * Returns its length, or 0 when this algorithm is not available.
	 */
	size_t (*hash)(
	    void *ctx, unsigned algorithm, const struct chap_part *parts, size_t n, uint8_t *out);
	/*
	 * Make n bytes, in place, what may stay in memory; NULL: they may stay as they are.
	 * False: not now, and they are wiped.
	 */
	bool (*seal)(void *ctx, uint8_t *secret, size_t n);
	void *ctx;
};

enum chap_mutual {
	CHAP_UNI,       /* the target is not asked to authenticate itself */
	CHAP_BI_SECRET, /* it is; its response is checked with target_secret */
	CHAP_BI_ASK,    /* it is; somebody else checks its response (LOGIN_VERIFY) */
};

/* All pointers are borrowed for the login's life. */
struct chap_cfg {
	const struct chap_ops *ops;
	uint8_t algorithm[CHAP_ALGORITHMS_MAX]; /* in order of preference */
	uint8_t n_algorithms;
	const char *name;      /* CHAP_N; NULL or "": CHAP is not configured */
	const uint8_t *secret; /* sealed, as is target_secret; the length is that of the secret */
	size_t secret_len;
	enum chap_mutual mutual;
	const char *target_chap_name; /* NULL: any name the target gives is fine */
	const uint8_t *target_secret; /* CHAP_BI_SECRET */
	size_t target_secret_len;
	/* Fresh random bytes for every login (CHAP_BI_*); 16 to 64 are sensible. */
	uint8_t identifier;
	const uint8_t *challenge;
	size_t challenge_len;
};

/* What somebody else has to check: RADIUS and the like. */
struct chap_query {
	unsigned algorithm;
	uint8_t identifier;
	const uint8_t *challenge, *response;
	size_t challenge_len, response_len;
	const char *name; /* the target's CHAP_N */
};

/* What somebody else says of the target's response. */
enum chap_verdict {
	CHAP_VERDICT_WRONG,
	CHAP_VERDICT_RIGHT,
	CHAP_VERDICT_NONE, /* nobody could be asked, or nobody answered */
};

enum chap_state {
	CHAP_IDLE,     /* CHAP was not chosen (yet) */
	CHAP_WAIT_AIC, /* CHAP_A was sent */
	CHAP_WAIT_NR,  /* CHAP_N, CHAP_R, CHAP_I, CHAP_C were sent; the target's response is due */
	CHAP_VERIFY,   /* somebody else is asked */
	CHAP_FINISHED, /* our part is done, and so is the target's if it had one */
};

struct chap {
	const struct chap_cfg *cfg;
	enum chap_state state;
	uint8_t got; /* bits of the CHAP_ keys in this response */
	unsigned algorithm;
	uint8_t identifier;
	size_t challenge_len, response_len;
	uint8_t challenge[CHAP_BINARY_MAX], response[CHAP_BINARY_MAX];
	char name[CHAP_NAME_MAX + 1];
};

/* cfg may be NULL: CHAP is not configured. */
void chap_init(struct chap *c, const struct chap_cfg *cfg);
/* Wipes challenge and response. */
void chap_fini(struct chap *c);
/* The target chose CHAP: writes CHAP_A. */
enum login_violation chap_start(struct chap *c, struct put *w);
/* The target sent a security key. */
enum login_violation chap_receive(struct chap *c, enum key_id key, const char *value);
/*
 * A response is complete: checks what it brought, writes what comes next and
 * moves on.  `is_final`: the target ended the stage with it.  May leave the
 * state CHAP_VERIFY.
 */
enum login_violation chap_step(struct chap *c, bool is_final, struct put *w);
/* Valid in CHAP_VERIFY. */
void chap_query(const struct chap *c, struct chap_query *ret_query);
/* The verdict; requires CHAP_VERIFY. */
enum login_violation chap_verified(struct chap *c, enum chap_verdict verdict);

#endif
