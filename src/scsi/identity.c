#include "scsi/identity.h"

#include <stdlib.h>
#include <string.h>

#include "base/cut.h"

const char *
identity_first(const struct identity *id)
{
	return id->designators[0] != '\0' ? id->designators : NULL;
}

const char *
identity_next(const struct identity *id, const char *d)
{
	const char *next = d + strlen(d) + 1;

	return next < id->designators + IDENTITY_BYTES && *next != '\0' ? next : NULL;
}

static bool
has(const struct identity *id, const char *designator)
{
	for (const char *d = identity_first(id); d != NULL; d = identity_next(id, d))
		if (strcmp(d, designator) == 0)
			return true;
	return false;
}

static size_t
designators_bytes(const struct identity *id)
{
	size_t used = 0;

	for (const char *d = identity_first(id); d != NULL; d = identity_next(id, d))
		used += strlen(d) + 1;
	return used;
}

bool
identity_add(struct identity *id, const char *designator)
{
	size_t used = designators_bytes(id), n = strlen(designator) + 1;

	if (n == 1 || n > IDENTITY_BYTES - used || has(id, designator))
		return false;
	memcpy(id->designators + used, designator, n);
	return true;
}

enum vpd_result
identity_take_page(struct identity *id, const void *bytes, size_t n)
{
	char text[VPD_DESIGNATOR_BYTES];
	enum vpd_result r = vpd_designator(bytes, n, 0, text);

	if (r != VPD_OK)
		return r;
	for (unsigned at = 0; vpd_designator(bytes, n, at, text) == VPD_OK; at++)
		(void)identity_add(id, text); /* without room the rest is passed over */
	return VPD_OK;
}

bool
identity_has_name(const struct identity *id)
{
	return identity_first(id) != NULL || id->serial[0] != '\0';
}

const char *
identity_name(const struct identity *id)
{
	if (identity_first(id) != NULL)
		return identity_first(id);
	return id->serial[0] != '\0' ? id->serial : "a unit without a name";
}

static bool
is_kind(const char *designator, const char *kind)
{
	return strncmp(designator, kind, strlen(kind)) == 0;
}

static bool
is_same_kind(const char *a, const char *b)
{
	static const char *const kinds[] = { "naa.2", "naa.3", "naa.5", "naa.6", "name.", "t10." };

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (is_kind(a, kinds[i]))
			return is_kind(b, kinds[i]);
	return is_kind(a, "eui.") && is_kind(b, "eui.") && strlen(a) == strlen(b);
}

void
identity_keep(struct identity *id, const struct identity *known)
{
	for (const char *d = identity_first(known); d != NULL; d = identity_next(known, d))
		(void)identity_add(id, d); /* without room it is passed over */
	if (id->serial[0] == '\0')
		memcpy(id->serial, known->serial, sizeof id->serial);
}

bool
identity_is_strong(const struct identity *id)
{
	for (const char *d = identity_first(id); d != NULL; d = identity_next(id, d))
		if (!is_kind(d, "t10."))
			return true;
	return false;
}

/* Does `id` have designators of d's kind, and d is not among them? */
static bool
contradicts(const struct identity *id, const char *d)
{
	bool has_kind = false;

	for (const char *other = identity_first(id); other != NULL;
	     other = identity_next(id, other)) {
		if (strcmp(other, d) == 0)
			return false;
		has_kind = has_kind || is_same_kind(other, d);
	}
	return has_kind;
}

/* Is any designator of d's kind in both? */
static bool
shares_kind(const struct identity *a, const struct identity *b, const char *kind)
{
	for (const char *d = identity_first(a); d != NULL; d = identity_next(a, d))
		if (is_same_kind(d, kind) && has(b, d))
			return true;
	return false;
}

/* What an earlier release did not write down is not known, and contradicts nothing. */
static bool
is_alike(const struct identity *a, const struct identity *b)
{
	return (a->vendor[0] == '\0' || strcmp(a->vendor, b->vendor) == 0) &&
	       (a->product[0] == '\0' || strcmp(a->product, b->product) == 0) &&
	       (a->block_bytes == 0 || a->block_bytes == b->block_bytes) &&
	       a->size_bytes == b->size_bytes;
}

/* What the designators say; IDENTITY_UNCERTAIN: nothing. */
static enum identity_match
compare_designators(const struct identity *was, const struct identity *now, bool *ret_is_weak)
{
	enum identity_match match = IDENTITY_UNCERTAIN;

	*ret_is_weak = true;
	for (const char *d = identity_first(was); d != NULL; d = identity_next(was, d)) {
		if (has(now, d)) {
			match = IDENTITY_SAME;
			*ret_is_weak = *ret_is_weak && is_kind(d, "t10.");
		} else if (contradicts(now, d) && !shares_kind(was, now, d)) {
			return IDENTITY_OTHER;
		}
	}
	return match;
}

enum identity_match
identity_compare(const struct identity *was, const struct identity *now)
{
	bool is_weak;
	enum identity_match match = compare_designators(was, now, &is_weak);
	bool has_serials = was->serial[0] != '\0' && now->serial[0] != '\0';
	bool is_serial_same = strcmp(was->serial, now->serial) == 0;

	if (match == IDENTITY_OTHER)
		return match;
	if (match == IDENTITY_SAME)
		return is_weak && has_serials && !is_serial_same ? IDENTITY_OTHER : match;
	if (has_serials)
		return is_serial_same ? IDENTITY_SAME : IDENTITY_OTHER;
	if (identity_has_name(was))
		return IDENTITY_UNCERTAIN;
	return is_alike(was, now) ? IDENTITY_ALIKE : IDENTITY_OTHER;
}

bool
identity_joins(const struct identity *a, const struct identity *b, bool is_same_target)
{
	if (identity_compare(a, b) != IDENTITY_SAME)
		return false;
	for (const char *d = identity_first(a); d != NULL; d = identity_next(a, d))
		if (!is_kind(d, "t10.") && !is_kind(d, "naa.3") && has(b, d))
			return true;
	return is_same_target;
}

static void
sketch_name(struct identity_sketch *to, const char *name)
{
	uint64_t h = 0xcbf29ce484222325u;

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3u; /* FNV-1a */
	h ^= h >> 29;
	to->bits[h >> 6 & 3] |= UINT64_C(1) << (h & 63);
}

void
identity_sketch(const struct identity *id, struct identity_sketch *ret)
{
	*ret = (struct identity_sketch){ 0 };
	for (const char *d = identity_first(id); d != NULL; d = identity_next(id, d))
		sketch_name(ret, d);
	if (id->serial[0] != '\0')
		sketch_name(ret, id->serial);
}

struct identity_kept *
identity_pack(const struct identity *id)
{
	const char *const rest[] = { id->serial, id->vendor, id->product };
	size_t used = designators_bytes(id), n = used;
	struct identity_kept *k;

	for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
		n += strlen(rest[i]) + 1;
	k = malloc(sizeof *k + n);
	if (k == NULL)
		return NULL;
	k->size_bytes = id->size_bytes;
	k->block_bytes = id->block_bytes;
	k->designators_bytes = (uint32_t)used;
	memcpy(k->text, id->designators, used);
	for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
		n = strlen(rest[i]) + 1;
		memcpy(k->text + used, rest[i], n);
		used += n;
	}
	return k;
}

void
identity_unpack(const struct identity_kept *k, struct identity *ret)
{
	const char *serial = k->text + k->designators_bytes;
	const char *vendor = serial + strlen(serial) + 1;

	memset(ret, 0, sizeof *ret);
	ret->size_bytes = k->size_bytes;
	ret->block_bytes = k->block_bytes;
	memcpy(ret->designators, k->text, k->designators_bytes);
	cut_copy(ret->serial, sizeof ret->serial, serial);
	cut_copy(ret->vendor, sizeof ret->vendor, vendor);
	cut_copy(ret->product, sizeof ret->product, vendor + strlen(vendor) + 1);
}
