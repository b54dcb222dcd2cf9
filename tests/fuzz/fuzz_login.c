/*
 * A session that logs in, from each state of the login on; target.h says what is checked.
 *
 * Covers: src/core/login.c src/core/login_end.c src/core/login_pair.c src/core/deal.c
 * Covers: src/core/chap.c src/core/ctl_login.c src/core/login_status.c
 */
#include "target.h"

#define CHALLENGE "CHAP_A=7\nCHAP_I=1\nCHAP_C=0x00112233445566778899aabbccddeeff\n"
#define RESPONSE              \
	"CHAP_N=tgt\nCHAP_R=" \
	"0x5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\n"
#define METHOD(m) "AuthMethod=" m "\nTargetPortalGroupTag=1\n"
#define ANSWERS   3

/* How far the login has come when the input begins: what the target has answered by then. */
static const struct {
	uint8_t flags;
	const char *keys;
} answers[][ANSWERS] = {
	{ { 0, NULL } },
	{ { 0x81, METHOD("None") } },
	{ { 0x00, METHOD("CHAP") } },
	{ { 0x00, METHOD("CHAP") }, { 0x00, CHALLENGE } },
	{ { 0x00, METHOD("CHAP") }, { 0x00, CHALLENGE }, { 0x81, RESPONSE } },
	{ { 0x01, METHOD("None") }, { 0x81, "" } },
	{ { 0x81, METHOD("None") }, { 0x04, "HeaderDigest=CRC32C\nDataDigest=None\n" } },
	{ { 0x44, "HeaderDig" } },
};
#define STAGES (sizeof answers / sizeof answers[0])

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cursor in = cursor_over(data, size);
	uint16_t configuration = cursor_be16(&in);
	size_t stage = ((configuration & TARGET_STAGE) >> 12) % STAGES;
	struct target *t = target_new(configuration);
	struct pdus_unit unit;

	target_connect(t);
	for (size_t i = 0; i < ANSWERS && answers[stage][i].keys != NULL; i++)
		target_answer_login(t, answers[stage][i].flags, answers[stage][i].keys);
	while (pdus_next(&in, &unit))
		target_play(t, &unit);
	target_free(t);
	return 0;
}
