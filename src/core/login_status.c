#include "core/login_status.h"

const char *
login_status_text(uint8_t status_class, uint8_t status_detail)
{
	switch (status_class << 8 | status_detail) {
#define STATUS(class, detail, text)   \
	case (class) << 8 | (detail): \
		return text;
#include "core/login_status.def"
#undef STATUS
	}
	switch (status_class) {
	case 0:
		return "the login succeeded";
	case 1:
		return "the target has moved to another address";
	case 2:
		return "the target refused the login for an error of the initiator's that it names "
		       "by an "
		       "unknown code";
	case 3:
		return "the target refused the login for an error of its own that it names by an "
		       "unknown "
		       "code";
	}
	return "the target refused the login with a status that is not defined";
}
