#include "ini/login_advice.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static const struct {
	uint8_t status_class, status_detail;
	struct login_advice advice;
} rows[] = {
#define LOGIN_ADVICE(class, detail, permanent, next) { (class), (detail), { (next), (permanent) } },
#include "ini/login_advice.def"
};

/*
 * "Status-Class is sufficient for a simple initiator to use when handling
 * exceptions" (section 11.13.5), so an unknown detail is its class's detail 0.
 */
struct login_advice
login_advice_for(uint8_t status_class, uint8_t status_detail)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].status_class == status_class && rows[i].status_detail == status_detail)
			return rows[i].advice;
	if (status_detail != 0)
		return login_advice_for(status_class, 0);
	return (struct login_advice){ "look at the target's log", true };
}

static bool
is_of(const char *pair, const char *key)
{
	return strcspn(pair, "=") == strlen(key) && strncasecmp(pair, key, strlen(key)) == 0;
}

/* The target wants another digest than those that were offered, which as a rule is none. */
static const char *
digest_advice(const char *culprit)
{
	if (is_of(culprit, "HeaderDigest"))
		return "offer None, too: iscsiutil -t headerdigest CRC32C None; or let the target "
		       "use CRC32C";
	if (is_of(culprit, "DataDigest"))
		return "offer None, too: iscsiutil -t datadigest CRC32C None; or let the target "
		       "use CRC32C";
	return NULL;
}

const char *
login_advice_violation(enum login_violation v, const char *culprit)
{
	const char *next = NULL;

	switch ((int)v) {
	case VIOLATION_REJECTED:
	case VIOLATION_NOT_OFFERED:
		next = digest_advice(culprit);
		break;
	case VIOLATION_NO_CHAP_SECRET:
		return "set the secret: iscsiutil -u -W -";
	case VIOLATION_AUTH_REJECTED:
		return "offer what the target asks for: iscsiutil -t authmethod CHAP None, and a "
		       "secret with iscsiutil -u -W -; or let it do without authentication";
	case VIOLATION_CHAP_NR_MISSING:
		return "configure the target's own CHAP name and secret, or use CHAP_UNI";
	case VIOLATION_CHAP_OWN_RESPONSE:
		return "give target and initiator different secrets";
	case VIOLATION_CHAP_WRONG_NAME:
		return "compare the target's CHAP name with the one configured here";
	case VIOLATION_CHAP_WRONG:
		return "compare the target's secret with the one configured here or on the RADIUS "
		       "server; if they agree, somebody else answers at this address";
	}
	return next != NULL ? next
			    : "look for a newer release of the target's software, and report it";
}
