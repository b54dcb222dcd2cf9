/* Logins as scripts: what stands in the tests of login, deal and chap. */
#ifndef CORE_TEST_SCRIPT_H
#define CORE_TEST_SCRIPT_H

#include "core/login.h"

/*
 * Logins as scripts.  In texts '|' stands for NUL.  A step is either what we
 * must send ('>') or what the target sends ('<'):
 *
 *   flags: "01T" CSG 0, NSG 1, T bit; "0" CSG 0, no T; a trailing 'C' is the C bit
 * A '?' step is the verdict after LOGIN_VERIFY: flags "Y" or "N".
 */
#define STEPS_MAX 16
struct step {
	char dir;
	const char *flags;
	const char *text; /* of '>': NULL: not looked at */
};
struct script {
	const char *name;
	void (*setup)(struct login_cfg *cfg);
	struct step step[STEPS_MAX];
	enum login_step end;
	enum login_violation violation;
	const char *culprit; /* NULL: not looked at */
};

#define I_NAME "iqn.2026-01.com.example:initiator"
#define T_NAME "iqn.2026-01.com.example:target"
#define FIRST  "InitiatorName=" I_NAME "|TargetName=" T_NAME "|SessionType=Normal|AuthMethod=None|"
#define OFFERS                                                                                \
	"HeaderDigest=None,CRC32C|DataDigest=None,CRC32C|MaxConnections=1|"                   \
	"InitialR2T=No|ImmediateData=Yes|MaxRecvDataSegmentLength=262144|"                    \
	"MaxBurstLength=1048576|FirstBurstLength=262144|DefaultTime2Wait=0|"                  \
	"DefaultTime2Retain=20|MaxOutstandingR2T=8|DataPDUInOrder=Yes|"                       \
	"DataSequenceInOrder=Yes|ErrorRecoveryLevel=0|TaskReporting=FastAbort,ResponseFence," \
	"RFC3720|"                                                                            \
	"iSCSIProtocolLevel=2|"
#define ANSWERS                                                                  \
	"HeaderDigest=None|DataDigest=None|MaxConnections=1|InitialR2T=Yes|"     \
	"ImmediateData=Yes|MaxRecvDataSegmentLength=8192|MaxBurstLength=262144|" \
	"FirstBurstLength=65536|DefaultTime2Wait=2|DefaultTime2Retain=20|"       \
	"MaxOutstandingR2T=1|DataPDUInOrder=Yes|DataSequenceInOrder=Yes|"        \
	"ErrorRecoveryLevel=0|TaskReporting=RFC3720|iSCSIProtocolLevel=1|"
/* The security stage as it usually goes. */
#define HELLO                                                         \
	{ '>', "01T", FIRST },                                        \
	{                                                             \
		'<', "01T", "TargetPortalGroupTag=1|AuthMethod=None|" \
	}

/* A login of an initiator and a target with these names, and our default offer. */
struct login_cfg script_cfg(void);
/* The target's answer: flags as above, or "!0203" for a status. */
enum login_step script_respond(
    struct login *l, const char *flags, const char *text, struct login_req *req);
/* The name of a violation's row, e.g. "BAD_NSG". */
const char *script_violation(enum login_violation v);
/* Plays a script; `check`, if any, looks at the login in the end. */
void script_run(
    const struct script *s, const struct login_cfg *cfg, void (*check)(struct login *l));
/* A cmocka test whose state is a script. */
void script_test(void **state);

#endif
