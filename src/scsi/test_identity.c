#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "scsi/identity.h"

/* "naa.6a,t10.b;serial" */
static struct identity
make(const char *text)
{
	struct identity id = {
		.vendor = "ACME", .product = "DISK", .block_bytes = 512, .size_bytes = 1 << 20
	};
	char copy[2048], *serial, *next, *d = copy;

	(void)snprintf(copy, sizeof copy, "%s", text);
	serial = strchr(copy, ';');
	if (serial != NULL) {
		*serial = '\0';
		(void)snprintf(id.serial, sizeof id.serial, "%s", serial + 1);
	}
	for (; d != NULL && *d != '\0'; d = next) {
		next = strchr(d, ',');
		if (next != NULL)
			*next++ = '\0';
		assert_true(identity_add(&id, d));
	}
	return id;
}

static const struct {
	const char *was, *now;
	enum identity_match match;
} rows[] = {
	{ "naa.6a", "naa.6a", IDENTITY_SAME },
	{ "naa.6a", "naa.6b", IDENTITY_OTHER },
	{ "naa.6a;1", "naa.6a;2", IDENTITY_SAME },
	/* A page that grew or shrank. */
	{ "t10.x", "naa.6a,t10.x", IDENTITY_SAME },
	{ "naa.6a,t10.x", "t10.x", IDENTITY_SAME },
	{ "naa.6a,t10.x", "naa.6a", IDENTITY_SAME },
	/* Equal kinds contradict, whatever else is shared. */
	{ "naa.6a,t10.x", "naa.6b,t10.x", IDENTITY_OTHER },
	{ "naa.6b,t10.x", "naa.6b,t10.y", IDENTITY_OTHER },
	{ "eui.0011223344556677,t10.x", "eui.0011223344556688,t10.x", IDENTITY_OTHER },
	/* Several of one kind: one that is shared is enough. */
	{ "naa.6a,naa.6b", "naa.6b,naa.6c", IDENTITY_SAME },
	{ "naa.6a,naa.5b", "naa.6a,naa.5c", IDENTITY_OTHER },
	/* Of different formats, they do not contradict. */
	{ "naa.5a,t10.x", "naa.6a,t10.x", IDENTITY_SAME },
	{ "naa.5a", "naa.6a", IDENTITY_UNCERTAIN },
	{ "eui.0011223344556677", "eui.0011223344556677aabbccdd", IDENTITY_UNCERTAIN },
	{ "eui.0011223344556677,t10.x", "eui.0011223344556677aabbccdd,t10.x", IDENTITY_SAME },
	/* 80h, where 83h says nothing that both know. */
	{ ";1", ";1", IDENTITY_SAME },
	{ ";1", ";2", IDENTITY_OTHER },
	{ "naa.5a;1", "naa.6a;1", IDENTITY_SAME },
	{ "naa.5a;1", "eui.0011223344556677;2", IDENTITY_OTHER },
	{ ";1", "naa.6a;1", IDENTITY_SAME },
	/* A T10 designator alone against the serial number. */
	{ "t10.x;1", "t10.x;2", IDENTITY_OTHER },
	{ "t10.x;1", "t10.x;1", IDENTITY_SAME },
	{ "t10.x;1", "t10.x", IDENTITY_SAME },
	/* It had names and tells none: no answer. */
	{ "naa.6a", "", IDENTITY_UNCERTAIN },
	{ ";1", "", IDENTITY_UNCERTAIN },
	{ "naa.6a;1", "eui.0011223344556677", IDENTITY_UNCERTAIN },
	/* It never had any. */
	{ "", "", IDENTITY_ALIKE },
	{ "", "naa.6a;1", IDENTITY_ALIKE },
};

static void
every_pair_of_answers_compares_as_its_row_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct identity was = make(rows[i].was), now = make(rows[i].now);

		if (identity_compare(&was, &now) != rows[i].match)
			fail_msg("\"%s\" then \"%s\": %d", rows[i].was, rows[i].now,
			    identity_compare(&was, &now));
	}
}

static void
units_without_a_name_are_told_apart_by_what_they_are(void **state)
{
	struct identity was = make(""), now = was;

	(void)state;
	now.size_bytes *= 2;
	assert_int_equal(identity_compare(&was, &now), IDENTITY_OTHER);
	now = was;
	now.block_bytes = 4096;
	assert_int_equal(identity_compare(&was, &now), IDENTITY_OTHER);
	now = was;
	now.product[0] = 'X';
	assert_int_equal(identity_compare(&was, &now), IDENTITY_OTHER);
	now = was;
	now.vendor[0] = 'X';
	assert_int_equal(identity_compare(&was, &now), IDENTITY_OTHER);
}

static void
what_an_earlier_release_did_not_keep_contradicts_nothing(void **state)
{
	struct identity was = make(""), now = was;

	(void)state;
	was.vendor[0] = was.product[0] = '\0';
	was.block_bytes = 0;
	assert_int_equal(identity_compare(&was, &now), IDENTITY_ALIKE);
	now.size_bytes *= 2;
	assert_int_equal(identity_compare(&was, &now), IDENTITY_OTHER);
}

/* Whatever else they say: an equal pair is one unit, and disjoint ones of equal kinds never are. */
static void
random_identities_are_never_confused(void **state)
{
	static const char *const kinds[] = { "naa.6", "naa.5", "eui.", "name.", "t10." };

	(void)state;
	srand(1);
	for (unsigned world = 0; world < 20000; world++) {
		struct identity a = make(""), b = make(""), both = make("");
		unsigned n = 0;

		for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
			char one[32], other[32];

			if (rand() % 2 == 0)
				continue;
			(void)snprintf(one, sizeof one, "%s%04x", kinds[k], rand() % 0x8000);
			(void)snprintf(other, sizeof other, "%s%04x", kinds[k], 0x8000);
			assert_true(identity_add(&a, one) && identity_add(&b, other));
			if (rand() % 2 == 0)
				assert_true(identity_add(&both, one));
			n++;
		}
		if (n == 0)
			continue;
		assert_int_equal(identity_compare(&a, &a), IDENTITY_SAME);
		assert_int_equal(identity_compare(&a, &b), IDENTITY_OTHER);
		assert_int_equal(identity_compare(&a, &both),
		    identity_first(&both) != NULL ? IDENTITY_SAME : IDENTITY_UNCERTAIN);
	}
}

/* Left out once and then replaced: the second step must not forget what the first left out. */
static void
a_unit_does_not_become_another_one_in_two_steps(void **state)
{
	static const struct {
		const char *was, *between, *then;
	} steps[] = {
		{ "naa.6a,t10.x;1", "t10.x;1", "naa.6b,t10.x;1" },
		{ "naa.6a;1", ";1", "naa.6b;1" },
		{ "naa.6a;1", ";1", "naa.6b" },
		{ "t10.x;1", "t10.x", "t10.x;2" },
		{ "naa.6a,eui.0011223344556677", "eui.0011223344556677",
		    "naa.6b,eui.0011223344556677" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		struct identity was = make(steps[i].was), now = make(steps[i].between),
				then = make(steps[i].then), first = now;

		assert_int_equal(identity_compare(&was, &now), IDENTITY_SAME);
		identity_keep(&now, &was);
		assert_int_equal(identity_compare(&now, &was), IDENTITY_SAME);
		assert_int_equal(identity_compare(&now, &first), IDENTITY_SAME);
		assert_int_equal(identity_compare(&now, &then), IDENTITY_OTHER);
		/* And what was kept once does not change any more. */
		identity_keep(&first, &now);
		assert_memory_equal(&first, &now, sizeof now);
	}
}

static void
designators_are_kept_once_and_as_long_as_there_is_room(void **state)
{
	struct identity id = { 0 };
	char text[IDENTITY_BYTES];
	unsigned n = 0;

	(void)state;
	assert_null(identity_first(&id));
	assert_false(identity_add(&id, ""));
	memset(text, 'a', sizeof text);
	text[500] = '\0';
	assert_true(identity_add(&id, text));
	assert_false(identity_add(&id, text));
	text[0] = 'b';
	assert_true(identity_add(&id, text));
	text[0] = 'c';
	assert_false(identity_add(&id, text));
	assert_true(identity_add(&id, "123456789012345678901"));
	assert_false(identity_add(&id, "x"));
	for (const char *d = identity_first(&id); d != NULL; d = identity_next(&id, d))
		n++;
	assert_int_equal(n, 3);
}

/* Names that only count within one target join nothing beyond it. */
static void
only_names_that_are_unique_join_two_targets(void **state)
{
	static const struct {
		const char *a, *b;
		bool within, beyond;
	} joins[] = {
		{ "naa.6a", "naa.6a", true, true },
		{ "naa.5a;1", "naa.5a;1", true, true },
		{ "naa.2a", "naa.2a", true, true },
		{ "eui.0011223344556677", "eui.0011223344556677", true, true },
		{ "name.iqn.x", "name.iqn.x", true, true },
		{ "naa.6a,t10.x", "t10.x", true, false },
		{ "naa.3a", "naa.3a", true, false },
		{ "t10.x", "t10.x", true, false },
		{ ";1", ";1", true, false },
		{ "naa.6a;1", ";1", true, false },
		{ "naa.5a;1", "eui.0011223344556677;1", true, false },
		{ "naa.6a", "naa.6b", false, false },
		{ "naa.6a;1", "naa.6b;1", false, false },
		{ "", "", false, false },
		{ "naa.6a", "", false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof joins / sizeof *joins; i++) {
		struct identity a = make(joins[i].a), b = make(joins[i].b);

		assert_int_equal(identity_joins(&a, &b, true), joins[i].within);
		assert_int_equal(identity_joins(&b, &a, true), joins[i].within);
		assert_int_equal(identity_joins(&a, &b, false), joins[i].beyond);
		assert_int_equal(identity_joins(&b, &a, false), joins[i].beyond);
	}
}

static void
what_is_kept_is_what_it_was(void **state)
{
	struct identity full = { .vendor = "12345678", .product = "1234567890123456" };
	char name[IDENTITY_BYTES];

	(void)state;
	for (size_t i = 0; i <= 2 * (sizeof rows / sizeof *rows); i++) {
		struct identity id = full, back;
		struct identity_kept *kept;

		memset(name, 'a', sizeof name - 1);
		name[sizeof name - 1] = '\0';
		if (i < 2 * (sizeof rows / sizeof *rows))
			id = make(i % 2 ? rows[i / 2].now : rows[i / 2].was);
		else
			assert_true(identity_add(&id, name)); /* there is room for no more */
		kept = identity_pack(&id);
		assert_non_null(kept);
		memset(&back, 0xff, sizeof back);
		identity_unpack(kept, &back);
		assert_memory_equal(back.designators, id.designators, sizeof id.designators);
		assert_memory_equal(back.serial, id.serial, sizeof id.serial);
		assert_memory_equal(back.vendor, id.vendor, sizeof id.vendor);
		assert_memory_equal(back.product, id.product, sizeof id.product);
		assert_int_equal(back.block_bytes, id.block_bytes);
		assert_int_equal(back.size_bytes, id.size_bytes);
		free(kept);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_of_answers_compares_as_its_row_says),
		cmocka_unit_test(units_without_a_name_are_told_apart_by_what_they_are),
		cmocka_unit_test(what_an_earlier_release_did_not_keep_contradicts_nothing),
		cmocka_unit_test(random_identities_are_never_confused),
		cmocka_unit_test(a_unit_does_not_become_another_one_in_two_steps),
		cmocka_unit_test(only_names_that_are_unique_join_two_targets),
		cmocka_unit_test(what_is_kept_is_what_it_was),
		cmocka_unit_test(designators_are_kept_once_and_as_long_as_there_is_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
