#include "scsi/inquiry.h"
#include "scsi/test_bytes.h"

static const uint8_t disk[] = { 0x00, 0x00, 0x05, 0x02, 0x1f, 0x10, 0x00, 0x02, 'I', 'E', 'T', ' ',
	' ', ' ', ' ', ' ', 'V', 'I', 'R', 'T', 'U', 'A', 'L', '-', 'D', 'I', 'S', 'K', ' ', ' ',
	' ', ' ', '0', '0', '0', '1' };

static void
a_disk_is_read(void **state)
{
	struct inquiry inq;
	char text[INQUIRY_DESCRIPTION_BYTES];

	(void)state;
	assert_true(inquiry_parse(disk, sizeof disk, &inq));
	assert_string_equal(inq.vendor, "IET");
	assert_string_equal(inq.product, "VIRTUAL-DISK");
	assert_string_equal(inq.revision, "0001");
	assert_int_equal(inq.version, 5);
	assert_int_equal(inq.tpgs, 1);
	assert_true(inq.has_queue && !inq.is_removable && inquiry_is_present(&inq));
	inquiry_describe(&inq, text);
	assert_string_equal(text, "IET     VIRTUAL-DISK");
	assert_string_equal(inquiry_class(inq.type), "disk");
	assert_string_equal(inquiry_driver(inq.type), "sdisk");
}

static void
foreign_characters_never_reach_a_terminal(void **state)
{
	uint8_t b[sizeof disk];
	struct inquiry inq;

	(void)state;
	memcpy(b, disk, sizeof b);
	memcpy(b + 8, "\x1b[2J\n\xff\0\0", 8);
	memcpy(b + 16, "    lead\x7f mid\0\0\0", 16);
	assert_true(inquiry_parse(b, sizeof b, &inq));
	assert_string_equal(inq.vendor, "?[2J??");
	assert_string_equal(inq.product, "lead? mid");
}

static void
full_fields_fill_the_description(void **state)
{
	uint8_t b[sizeof disk];
	struct inquiry inq;
	char text[INQUIRY_DESCRIPTION_BYTES];

	(void)state;
	memcpy(b, disk, sizeof b);
	memset(b + 8, 'V', 8);
	memset(b + 16, 'P', 16);
	assert_true(inquiry_parse(b, sizeof b, &inq));
	inquiry_describe(&inq, text);
	assert_string_equal(text, "VVVVVVVVPPPPPPPPPPPPPPPP");
	inq.product[0] = '\0';
	inq.vendor[3] = '\0';
	inquiry_describe(&inq, text);
	assert_string_equal(text, "VVV");
}

static void
qualifier_tells_a_place_without_a_device(void **state)
{
	uint8_t b[sizeof disk];
	struct inquiry inq;

	(void)state;
	memcpy(b, disk, sizeof b);
	b[0] = 0x20;
	assert_true(inquiry_parse(b, sizeof b, &inq));
	assert_false(inquiry_is_present(&inq));
	b[0] = 0x7f;
	assert_true(inquiry_parse(b, sizeof b, &inq));
	assert_false(inquiry_is_present(&inq));
	assert_int_equal(inq.qualifier, 3);
}

static void
types_have_the_guides_classes(void **state)
{
	(void)state;
	assert_string_equal(inquiry_class(0x01), "tape");
	assert_string_equal(inquiry_driver(0x01), "stape");
	assert_string_equal(inquiry_class(0x08), "autoch");
	assert_string_equal(inquiry_driver(0x08), "schgr");
	assert_string_equal(inquiry_class(0x0c), "ctl");
	assert_string_equal(inquiry_driver(0x03), "sctl");
	assert_string_equal(inquiry_class(0x02), "unknown");
	assert_string_equal(inquiry_driver(0x02), "");
	for (unsigned type = 0; type < 256; type++) {
		bool unknown = strcmp(inquiry_class((uint8_t)type), "unknown") == 0;

		assert_int_equal(unknown, inquiry_driver((uint8_t)type)[0] == '\0');
		assert_true(inquiry_type_name((uint8_t)type)[0] != '\0');
	}
}

static void
parse(const uint8_t *p, size_t n)
{
	struct inquiry inq;
	char text[INQUIRY_DESCRIPTION_BYTES];

	assert_int_equal(inquiry_parse(p, n, &inq), n >= 5);
	if (n < 5)
		return;
	inquiry_describe(&inq, text);
	for (const char *c = text; *c != '\0'; c++)
		assert_true(*c >= 0x20 && *c < 0x7f);
}

static void
hostile_inquiry_data_do_no_harm(void **state)
{
	struct inquiry inq;

	(void)state;
	test_hostile(disk, sizeof disk, parse);
	/* What is cut off is missing, not half there. */
	assert_true(inquiry_parse(disk, 31, &inq));
	assert_string_equal(inq.vendor, "IET");
	assert_string_equal(inq.product, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_disk_is_read),
		cmocka_unit_test(foreign_characters_never_reach_a_terminal),
		cmocka_unit_test(full_fields_fill_the_description),
		cmocka_unit_test(qualifier_tells_a_place_without_a_device),
		cmocka_unit_test(types_have_the_guides_classes),
		cmocka_unit_test(hostile_inquiry_data_do_no_harm),
	};

	return cmocka_run_group_tests_name("inquiry", tests, NULL, NULL);
}
