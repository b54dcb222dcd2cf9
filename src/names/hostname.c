#include "names/hostname.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* RFC 1035, section 2.3.4, less the length byte of the first label and the root's. */
#define NAME_BYTES_MAX  253
#define LABEL_BYTES_MAX 63

/* Not isalnum(), which asks the locale. */
static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static const char *
label_fault(const char *label, size_t len)
{
	if (len == 0)
		return "has an empty part between dots";
	if (len > LABEL_BYTES_MAX)
		return "has a part of more than 63 characters";
	if (label[0] == '-' || label[len - 1] == '-')
		return "has a part that begins or ends with a hyphen";
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)label[i] >= 0x80)
			return "has characters outside ASCII; use the name's xn-- form";
		if (!is_letter(label[i]) && !is_digit(label[i]) && label[i] != '-')
			return "has characters that a host name cannot have";
	}
	return NULL;
}

const char *
hostname_fault(const char *name)
{
	size_t len = strlen(name);
	const char *label = name, *end = name + len, *fault;
	bool is_number;

	if (len == 0)
		return "is empty";
	if (len > 1 && name[len - 1] == '.')
		end--;
	if (end - name > NAME_BYTES_MAX)
		return "is longer than 253 characters";
	for (;;) {
		size_t n = 0;

		is_number = true;
		while (label + n < end && label[n] != '.')
			is_number &= is_digit(label[n++]);
		fault = label_fault(label, n);
		if (fault != NULL)
			return fault;
		label += n;
		if (label == end)
			break;
		label++;
	}
	return is_number ? "is no host name; it ends with a number, as an address does" : NULL;
}
