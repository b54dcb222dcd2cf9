/* Why a login failed or a connection ended, in sentences; login_run.c's.  Pure. */
#ifndef INI_LOGIN_RUN_WORDS_H
#define INI_LOGIN_RUN_WORDS_H

#include "ini/login_run.h"

/*
 * The login was refused or spoilt: fills d->end, is_permanent and the fault.
 * Nothing is filled for a connection that merely ended.  `unasked`: nobody
 * could say whether the target's CHAP response is right, and why (is_set).
 */
void login_run_refused(
    struct login_run_down *d, const struct sess_event *ev, const struct fault *unasked);
/* The connection ended, and nobody explained it yet: fills d->end and the fault. */
void login_run_explain(
    struct login_run_down *d, int err, enum conn_result why, uint32_t login_timeout_ms);
/* What an asynchronous message says (11.9.1), as in "the target said: …"; static text. */
const char *login_run_async_text(uint8_t event);
/* A Logout Response other than 0 (11.15.1); static text. */
const char *login_run_logout_text(uint8_t response);
/* A negative errno of a connection, in words; static text. */
const char *login_run_errno_text(int err);

#endif
