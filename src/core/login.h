/*
 * The login phase of one connection, RFC 7143, chapters 6, 12 and 13: which
 * text to send, what to make of the answer.  It knows no PDU framing: conn
 * puts `struct login_req` into Login Requests and gives back the fields and
 * the text of each Login Response.
 */
#ifndef CORE_LOGIN_H
#define CORE_LOGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/chap.h"
#include "core/login_status.h"
#include "core/neg.h"
#include "core/violation.h"

/* Stages as CSG and NSG carry them, section 11.12.3. */
enum login_stage { LOGIN_SECURITY = 0, LOGIN_OPERATIONAL = 1, LOGIN_FULL_FEATURE = 3 };

struct login_cfg {
	/* Borrowed, NUL-terminated, valid for the whole login. */
	const char *initiator_name;
	const char *initiator_alias; /* NULL or "": not sent */
	const char *target_name;     /* NULL: a discovery session */
	int32_t expected_tpgt;  /* -1: any; else a different TargetPortalGroupTag is a failure */
	struct neg_offer offer; /* what to propose, key by key; AuthMethod is among them */
	/*
	 * NULL: CHAP is not configured.  Its challenge and identifier must be fresh
	 * random bytes for every login, so whoever logs in again sets them again.
	 */
	const struct chap_cfg *chap;
	/*
	 * Do without the security stage: allowed where AuthMethod offers only None
	 * (section 6.3.1), for targets that want it so.  Otherwise it is ignored.
	 */
	bool skip_security;
};

enum login_step {
	LOGIN_SEND,       /* send *ret_req */
	LOGIN_DONE,       /* full feature phase; the result is in params */
	LOGIN_REDIRECTED, /* status class 1; login_redirect() names the address */
	LOGIN_REFUSED,    /* status class 2 or 3 (or one unknown), section 11.13.5 */
	LOGIN_VIOLATION,  /* the target broke the rules; login_reason() says how */
	LOGIN_VERIFY,     /* ask somebody (login_query()), then call login_verified() */
};

struct login_req {
	bool transit, cont; /* T and C bits */
	enum login_stage csg, nsg;
	const uint8_t
	    *text; /* text_len bytes, at most 8192, owned by the login until the next call */
	uint32_t text_len;
};

/* The fields of a Login Response that the login itself looks at. */
struct login_rsp {
	bool transit, cont;
	uint8_t csg, nsg, status_class, status_detail;
	uint16_t tsih;
	bool has_our_isid;     /* ISID is the request's */
	bool has_next_stat_sn; /* StatSN is the first, or one more than the response's before */
	const uint8_t *text;   /* borrowed for the call */
	uint32_t text_len;
};

struct login;

/* What login_new() allocates, for whoever reports that it could not. */
size_t login_bytes(void);
/* Heap; NULL when memory is short.  `cfg` is borrowed for the login's life. */
struct login *login_new(const struct login_cfg *cfg);
/* Wipes what is secret.  NULL is fine. */
void login_free(struct login *l);
/* The first request. */
enum login_step login_start(struct login *l, struct login_req *ret_req);
/* A response came; *ret_req is written only with LOGIN_SEND.  Not after LOGIN_VERIFY, nor after the
 * end. */
enum login_step login_rx(struct login *l, const struct login_rsp *rsp, struct login_req *ret_req);
/* Valid after LOGIN_VERIFY; its pointers until login_verified(). */
void login_query(const struct login *l, struct chap_query *ret_query);
/* The verdict on login_query(); continues like login_rx(). */
enum login_step login_verified(
    struct login *l, enum chap_verdict verdict, struct login_req *ret_req);

/* What was negotiated; complete after LOGIN_DONE. */
const struct neg_params *login_params(const struct login *l);
/* TargetPortalGroupTag of the target, or -1 when it sent none. */
int32_t login_tpgt(const struct login *l);
/* TargetAlias as it is shown (base/visible.h), or "". */
const char *login_target_alias(const struct login *l);
/* Names of the keys answered NotUnderstood (the guide's message 13), "a,b", shortened, or "". */
const char *login_unknown_keys(const struct login *l);
/* Likewise of the keys that the target rejected and whose default holds (message 11). */
const char *login_rejected_keys(const struct login *l);
/* The CHAP algorithm that the target chose, or 0. */
unsigned login_chap_algorithm(const struct login *l);
/* TargetAddress of a redirection, or NULL. */
const char *login_redirect(const struct login *l);
/*
 * Why the login ended without LOGIN_DONE: a sentence, owned by the login, with
 * the culprit where there is one.
 */
const char *login_reason(const struct login *l);
/* VIOLATION_NONE unless LOGIN_VIOLATION. */
enum login_violation login_violation(const struct login *l);
/*
 * The key, or key=value, at fault, shortened, unprintable bytes as '?', or "";
 * and what we had proposed for that key, or "".  Never a secret.  After
 * LOGIN_REDIRECTED the first key that has no place in a redirection.
 */
const char *login_culprit(const struct login *l);
const char *login_proposed(const struct login *l);

#endif
