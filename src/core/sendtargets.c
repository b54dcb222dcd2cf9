#include "core/sendtargets.h"

#include <stdlib.h>
#include <string.h>

#include "core/neg.h"
#include "core/text.h"

#define CULPRIT_BYTES 200

/* To what a TargetAddress belongs. */
enum where {
	BEFORE_TARGETS, /* no TargetName has come */
	IN_TARGET,      /* to `name` */
	IN_NOTHING,     /* to a name that was refused or lost: it is skipped */
};

struct sendtargets {
	bool finished, is_too_long;
	enum where where;
	size_t targets, addresses; /* so far; addresses of this target, good or bad */
	bool has_queued;
	struct sendtargets_record queued; /* comes next */
	char name[LIMIT_ISCSI_NAME_BYTES + 1], shown[LIMIT_ISCSI_NAME_BYTES + 1];
	char culprit[CULPRIT_BYTES + 1];
	struct text_reader reader;
};

struct sendtargets *
sendtargets_new(void)
{
	struct sendtargets *s = calloc(1, sizeof *s);

	if (s != NULL)
		text_reader_init(&s->reader, LIMIT_SENDTARGETS_BYTES);
	return s;
}

void
sendtargets_free(struct sendtargets *s)
{
	free(s);
}

void
sendtargets_feed(struct sendtargets *s, const uint8_t *bytes, size_t n)
{
	text_reader_feed(&s->reader, bytes, n);
}

void
sendtargets_finish(struct sendtargets *s)
{
	s->finished = true;
}

static void
set_culprit(struct sendtargets *s, const char *key, const char *value)
{
	struct put w = put_over(s->culprit, sizeof s->culprit);

	text_put_printable(&w, key);
	if (value != NULL && put_len(&w) < CULPRIT_BYTES) {
		put_u8(&w, '=');
		text_put_printable(&w, value);
	}
	put_u8(&w, 0);
}

static enum sendtargets_kind
bad(struct sendtargets *s, enum sendtargets_kind kind, const char *reason,
    struct sendtargets_record *ret_record)
{
	*ret_record = (struct sendtargets_record){ .kind = kind,
		.name = s->where == IN_TARGET ? s->name : NULL,
		.culprit = s->culprit,
		.reason = reason };
	return kind;
}

/* A record ends: did its target come without any address? */
static bool
lacks_address(const struct sendtargets *s)
{
	return s->where == IN_TARGET && s->addresses == 0;
}

static enum sendtargets_kind
without_address(struct sendtargets *s, struct sendtargets_record *ret_record)
{
	memcpy(s->shown, s->name, sizeof s->shown);
	*ret_record =
	    (struct sendtargets_record){ .kind = SENDTARGETS_NO_ADDRESS, .name = s->shown };
	return SENDTARGETS_NO_ADDRESS;
}

/* A TargetName: the record before it is complete.  SENDTARGETS_END: nothing to report. */
static enum sendtargets_kind
begin_target(
    struct sendtargets *s, const struct text_pair *pair, struct sendtargets_record *ret_record)
{
	enum sendtargets_kind kind = SENDTARGETS_END;
	enum iname_result r = iname_check(pair->value, pair->value_len);
	bool is_fine = r == INAME_OK || r == INAME_UPPER_CASE || r == INAME_NOT_NORMAL;

	if (lacks_address(s))
		kind = without_address(s, ret_record);
	s->addresses = 0;
	s->where = IN_NOTHING;
	if (is_fine && s->targets < LIMIT_SENDTARGETS_TARGETS) {
		/* Another spelling is against RFC 3722, but the name works if it is used as it is.
		 */
		s->where = IN_TARGET;
		s->targets++;
		memcpy(s->name, pair->value, pair->value_len + 1);
		return kind;
	}
	set_culprit(s, pair->key, pair->value);
	s->has_queued = true;
	if (is_fine)
		bad(s, SENDTARGETS_TOO_MANY,
		    "the target names more targets than a discovery may have", &s->queued);
	else
		bad(s, SENDTARGETS_BAD_NAME, iname_text(r), &s->queued);
	return kind;
}

static enum sendtargets_kind
take_address(
    struct sendtargets *s, const struct text_pair *pair, struct sendtargets_record *ret_record)
{
	struct addr addr;
	enum addr_result r;

	/* What was wrong with its name was reported. */
	if (s->where == IN_NOTHING)
		return SENDTARGETS_END;
	if (s->where == BEFORE_TARGETS) {
		s->where = IN_NOTHING;
		set_culprit(s, pair->key, pair->value);
		return bad(s, SENDTARGETS_STRAY_ADDRESS,
		    "the target sent an address before it named a target", ret_record);
	}
	s->addresses++;
	set_culprit(s, pair->key, pair->value);
	if (s->addresses > LIMIT_SENDTARGETS_ADDRESSES) {
		if (s->addresses > LIMIT_SENDTARGETS_ADDRESSES + 1)
			return SENDTARGETS_END;
		return bad(s, SENDTARGETS_TOO_MANY, "a target has more addresses than it may have",
		    ret_record);
	}
	r = addr_parse(pair->value, &addr);
	if (r != ADDR_OK)
		return bad(s, SENDTARGETS_BAD_ADDRESS, addr_text(r), ret_record);
	*ret_record = (struct sendtargets_record){
		.kind = SENDTARGETS_ADDRESS, .name = s->name, .addr = addr
	};
	return SENDTARGETS_ADDRESS;
}

static enum sendtargets_kind
take_pair(
    struct sendtargets *s, const struct text_pair *pair, struct sendtargets_record *ret_record)
{
	enum key_id key;

	if (neg_key_find(pair->key, &key)) {
		if (key == KEY_target_name)
			return begin_target(s, pair, ret_record);
		if (key == KEY_target_address)
			return take_address(s, pair, ret_record);
	}
	/* Appendix C: "No text keys other than TargetName and TargetAddress are permitted" */
	set_culprit(s, pair->key, pair->value);
	return bad(s, SENDTARGETS_BAD_KEY,
	    "the target sent a key that has no place in an answer to SendTargets", ret_record);
}

static const char *
text_reason(enum text_result r)
{
	switch (r) {
	case TEXT_PAIR:
	case TEXT_END:
		break;
	case TEXT_NO_EQUAL:
		return "an equal sign is missing after a key";
	case TEXT_BAD_KEY:
		return "a key name has characters that a key may not have";
	case TEXT_KEY_TOO_LONG:
		return "a key name is longer than 63 bytes";
	case TEXT_PAIR_TOO_LONG:
		return "a value is longer than 8192 bytes";
	case TEXT_TOO_LONG:
		return "the answer is longer than a discovery may have; the rest was dropped";
	case TEXT_NO_NUL:
		return "the NUL after the last key=value pair is missing";
	case TEXT_INCOMPLETE:
		return "the last key=value pair is incomplete";
	}
	return "";
}

static enum sendtargets_kind
bad_text(struct sendtargets *s, enum text_result r, struct sendtargets_record *ret_record)
{
	set_culprit(s, text_reader_rest(&s->reader), NULL);
	/*
	 * The lost pair may have been a TargetName: addresses behind it must not be
	 * taken for the target before.
	 */
	s->where = IN_NOTHING;
	text_reader_skip(&s->reader);
	return bad(s, SENDTARGETS_BAD_TEXT, text_reason(r), ret_record);
}

/* The reader has nothing more. */
static enum sendtargets_kind
end(struct sendtargets *s, struct sendtargets_record *ret_record)
{
	enum text_result r;

	if (!s->finished)
		return SENDTARGETS_END;
	r = text_reader_finish(&s->reader);
	if (r != TEXT_END && r != TEXT_TOO_LONG)
		return bad_text(s, r, ret_record);
	if (lacks_address(s)) {
		s->addresses++;
		return without_address(s, ret_record);
	}
	return SENDTARGETS_END;
}

enum sendtargets_kind
sendtargets_next(struct sendtargets *s, struct sendtargets_record *ret_record)
{
	enum sendtargets_kind kind = SENDTARGETS_END;
	struct text_pair pair;
	enum text_result r;

	while (kind == SENDTARGETS_END) {
		if (s->has_queued) {
			s->has_queued = false;
			*ret_record = s->queued;
			return ret_record->kind;
		}
		r = text_reader_next(&s->reader, &pair);
		if (r == TEXT_END || (r == TEXT_TOO_LONG && s->is_too_long))
			return end(s, ret_record);
		s->is_too_long = r == TEXT_TOO_LONG;
		kind =
		    r == TEXT_PAIR ? take_pair(s, &pair, ret_record) : bad_text(s, r, ret_record);
	}
	return kind;
}
