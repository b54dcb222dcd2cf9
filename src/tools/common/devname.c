#include "tools/common/devname.h"

#include <stdbool.h>
#include <string.h>

static bool is_device(const char *name);

const char *
devname_find(const char *word, const char *root)
{
	static const char *const folders[] = { "/dev/dsk/", "/dev/rdsk/" };
	size_t len = strlen(root);

	while (len > 0 && root[len - 1] == '/')
		len--;
	if (is_device(word))
		return word;
	/* The root may stand in front or not: the guide's paths name a device under any root. */
	if (len > 0 && strncmp(word, root, len) == 0 && word[len] == '/')
		word += len;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		size_t n = strlen(folders[i]);

		if (strncmp(word, folders[i], n) == 0 && is_device(word + n))
			return word + n;
	}
	return NULL;
}

static bool
is_device(const char *name)
{
	for (const char *letter = "ctd"; *letter != '\0'; letter++) {
		size_t digits;

		if (*name++ != *letter)
			return false;
		digits = strspn(name, "0123456789");
		if (digits == 0 || digits > 10)
			return false;
		name += digits;
	}
	return *name == '\0';
}
