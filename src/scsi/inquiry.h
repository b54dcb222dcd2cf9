/* Standard INQUIRY data, SPC-4, section 6.6.2, and what the device types are called. */
#ifndef SCSI_INQUIRY_H
#define SCSI_INQUIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What to ask for: every target has the first 36 bytes, most have 96. */
#define INQUIRY_ALLOC_BYTES 96

/* Peripheral device types; one row a type in device.def. */
enum inquiry_type {
#define DEVICE(id, code, class_name, driver, text) INQUIRY_TYPE_##id = (code),
#include "scsi/device.def"
};

struct inquiry {
	uint8_t qualifier; /* 0: a device is there; 1: none connected; 3: no such logical unit */
	uint8_t type;      /* enum inquiry_type, or a code without a row */
	uint8_t version;   /* 5: SPC-3, 6: SPC-4, … */
	bool is_removable, has_queue, has_enclosure_services, has_protection;
	uint8_t tpgs; /* asymmetric access: 0 none, 1 implicit, 2 explicit, 3 both */
	/* Printable ASCII; blanks at the ends removed, anything else became '?'. */
	char vendor[8 + 1], product[16 + 1], revision[4 + 1];
};

/* false: fewer than 5 bytes.  Text that is missing is "". */
bool inquiry_parse(const void *bytes, size_t n, struct inquiry *ret_inquiry);
/* A device stands behind the LUN. */
bool inquiry_is_present(const struct inquiry *inq);

/* As ioscan shows it: "IET     VIRTUAL-DISK", the vendor filled up to 8 columns. */
#define INQUIRY_DESCRIPTION_BYTES (8 + 16 + 1)
void inquiry_describe(const struct inquiry *inq, char ret_text[INQUIRY_DESCRIPTION_BYTES]);

/* By type: ioscan's class ("disk", …, "unknown"), its driver ("sdisk"; "" for none: UNCLAIMED), a
 * name. */
const char *inquiry_class(uint8_t type);
const char *inquiry_driver(uint8_t type);
const char *inquiry_type_name(uint8_t type);

#endif
