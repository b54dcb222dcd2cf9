#include "driver/iscsi/login_advice.h"

#include <stddef.h>

static const struct {
	uint8_t status_class, status_detail;
	struct login_advice advice;
} rows[] = {
#define LOGIN_ADVICE(class, detail, permanent, next) { (class), (detail), { (next), (permanent) } },
#include "driver/iscsi/login_advice.def"
};

/*
 * "Status-Class is sufficient for a simple initiator to use when handling
 * exceptions" (section 11.13.5), so an unknown detail is its class's detail 0.
 */
struct login_advice
login_advice_for(uint8_t status_class, uint8_t status_detail)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (rows[i].status_class == status_class && rows[i].status_detail == status_detail)
			return rows[i].advice;
	if (status_detail != 0)
		return login_advice_for(status_class, 0);
	return (struct login_advice){ "look at the target's log", true };
}
