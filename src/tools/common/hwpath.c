#include "tools/common/hwpath.h"

#include <string.h>

#include "tools/common/say.h"

bool
hwpath_is_valid(const char *path)
{
	for (;;) {
		size_t digits = strspn(path, "0123456789");

		if (digits == 0 || digits > 10)
			return false;
		path += digits;
		if (*path == '\0')
			return true;
		if (*path != '/' && *path != '.')
			return false;
		path++;
	}
}

bool
hwpath_covers(const char *above, const char *path)
{
	size_t len = strlen(above);

	return strncmp(above, path, len) == 0 &&
	       (path[len] == '\0' || path[len] == '/' || path[len] == '.');
}

bool
hwpath_check(const char *path)
{
	if (hwpath_is_valid(path))
		return true;
	say_problem("give a path as ioscan lists it, for example 255/0/0.0.0.1",
	    "-H %s: not a hardware path: it is numbers with '/' or '.' between them", path);
	return false;
}
