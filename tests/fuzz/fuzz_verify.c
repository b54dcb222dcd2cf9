/*
 * What iradd is asked: the JSON, and the request that is made of it.
 *
 * Covers: src/iradd/verify_args.c src/iradd/servers.c src/ipc/helper_args.c
 */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "ipc/codec.h"
#include "iradd/verify_args.h"

static void
check_packet(const struct radius_query *q)
{
	uint8_t packet[RADIUS_PACKET_MAX];
	struct put w = put_over(packet, sizeof packet);
	size_t n;

	if (radius_build(q, &w) != 0)
		return;
	n = put_len(&w);
	FUZZ_CHECK(!w.overflow && n >= RADIUS_PACKET_MIN);
	FUZZ_CHECK((size_t)(packet[2] << 8 | packet[3]) == n);
	/* The Message-Authenticator is the first. */
	FUZZ_CHECK(packet[RADIUS_PACKET_MIN] == RADIUS_ATTR_MESSAGE_AUTHENTICATOR);
	for (size_t at = RADIUS_PACKET_MIN; at < n; at += packet[at + 1])
		FUZZ_CHECK(at + 2 <= n && packet[at + 1] >= 2 && at + packet[at + 1] <= n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct verify_args args;
	char why[512] = "";
	json_t *object;
	int err = ipc_parse((const char *)data, size, &object, why, sizeof why);

	FUZZ_CHECK(err == 0 || (err == -EBADMSG && why[0] != '\0'));
	if (err != 0)
		return 0;
	memset(&args, 0, sizeof args);
	err = verify_args_parse(&args, object, why, sizeof why);
	FUZZ_CHECK(err == 0 || (err == -EINVAL && why[0] != '\0'));
	if (err == 0) {
		FUZZ_CHECK(args.servers.n >= 1 && args.servers.n <= LIMIT_RADIUS_SERVERS);
		for (unsigned i = 0; i < args.servers.n; i++)
			FUZZ_CHECK(args.servers.list[i].port != 0);
		FUZZ_CHECK(args.timeout_us > 0 && args.timeout_us <= LIMIT_VERIFY_MS * 1000ull);
		FUZZ_CHECK(args.query.challenge_len <= sizeof args.challenge);
		check_packet(&args.query);
	}
	json_decref(object);
	return 0;
}
