#include "iradd/verify_args.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ipc/helper_args.h"

/* RFC 2865, section 5.40: "Length >= 7". */
#define CHALLENGE_MIN 5

static int
refuse(char *why, size_t why_bytes, const char *reason)
{
	snprintf(why, why_bytes, "%s", reason);
	return -EINVAL;
}

static int
take_servers(struct servers *s, const json_t *args, char *why, size_t why_bytes)
{
	const json_t *list = json_object_get(args, "servers");
	const char *one = helper_args_string(args, "server", "", why, why_bytes);
	int err = one != NULL ? servers_add(s, one, why, why_bytes) : -EINVAL;

	if (list != NULL && !json_is_array(list))
		return refuse(why, why_bytes, "the servers must be a list");
	for (size_t i = 0; i < json_array_size(list) && err == 0; i++) {
		const char *word = json_string_value(json_array_get(list, i));

		err = word != NULL ? servers_add(s, word, why, why_bytes)
				   : refuse(why, why_bytes, "a server must be a string");
	}
	if (err == 0 && s->n == 0)
		return refuse(why, why_bytes, "no RADIUS server is configured (iscsiutil -u -R)");
	return err;
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* The bytes that `hex` stands for, at most max; 0 where it is none or too long. */
static size_t
unhex(const char *hex, uint8_t *out, size_t max)
{
	size_t n = strlen(hex) / 2;

	if (strlen(hex) % 2 != 0 || n > max)
		return 0;
	for (size_t i = 0; i < n; i++) {
		int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);

		if (high < 0 || low < 0)
			return 0;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return n;
}

static int
take_chap(struct verify_args *a, const json_t *args, char *why, size_t why_bytes)
{
	struct radius_query *q = &a->query;
	const char *challenge = helper_args_string(args, "challenge", NULL, why, why_bytes);
	const char *response =
	    challenge != NULL ? helper_args_string(args, "response", NULL, why, why_bytes) : NULL;
	int identifier, err;

	if (response == NULL)
		return -EINVAL;
	err = helper_args_int(args, "identifier", 0, UINT8_MAX, &identifier, why, why_bytes);
	if (err < 0)
		return err;
	q->chap_identifier = (uint8_t)identifier;
	q->challenge = a->challenge;
	q->challenge_len = unhex(challenge, a->challenge, sizeof a->challenge);
	if (q->challenge_len < CHALLENGE_MIN)
		return refuse(
		    why, why_bytes, "the challenge must be 5 to 253 bytes in hexadecimal digits");
	if (unhex(response, q->response, sizeof q->response) != sizeof q->response)
		return refuse(why, why_bytes,
		    "the response must be 16 bytes in hexadecimal digits: RADIUS knows CHAP with "
		    "MD5 only");
	return 0;
}

/* A literal address is sent as one, anything else as a name. */
static void
take_nas(struct radius_query *q, const char *nas)
{
	if (inet_pton(AF_INET, nas, q->nas_address) == 1)
		q->nas = RADIUS_NAS_IPV4;
	else if (inet_pton(AF_INET6, nas, q->nas_address) == 1)
		q->nas = RADIUS_NAS_IPV6;
	else
		q->nas = RADIUS_NAS_NAME;
	q->nas_name = nas;
}

int
verify_args_parse(struct verify_args *ret, const json_t *args, char *why, size_t why_bytes)
{
	struct radius_query *q = &ret->query;
	const char *nas;
	int timeout_ms, err;

	memset(ret, 0, sizeof *ret);
	err = take_servers(&ret->servers, args, why, why_bytes);
	if (err < 0)
		return err;
	nas = helper_args_string(args, "nas", NULL, why, why_bytes);
	if (nas == NULL)
		return -EINVAL;
	q->secret = helper_args_string(args, "nas_secret", NULL, why, why_bytes);
	if (q->secret == NULL)
		return -EINVAL;
	q->name = helper_args_string(args, "name", NULL, why, why_bytes);
	if (q->name == NULL)
		return -EINVAL;
	/* RFC 2865, section 3: "The secret MUST NOT be empty". */
	if (q->secret[0] == '\0')
		return refuse(why, why_bytes, "the NAS secret is empty");
	if (nas[0] == '\0' || strlen(nas) > RADIUS_VALUE_MAX)
		return refuse(why, why_bytes, "the NAS hostname must have 1 to 253 bytes");
	if (q->name[0] == '\0' || strlen(q->name) > RADIUS_VALUE_MAX)
		return refuse(why, why_bytes, "the target's CHAP name must have 1 to 253 bytes");
	take_nas(q, nas);
	err = take_chap(ret, args, why, why_bytes);
	if (err == 0)
		err = helper_args_int(
		    args, "timeout_ms", 1, LIMIT_VERIFY_MS, &timeout_ms, why, why_bytes);
	if (err == 0)
		ret->timeout_us = (uint64_t)timeout_ms * 1000;
	return err;
}
