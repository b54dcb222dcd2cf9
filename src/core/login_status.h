/* What the status of a Login Response says, RFC 7143, section 11.13.5. */
#ifndef CORE_LOGIN_STATUS_H
#define CORE_LOGIN_STATUS_H

#include <stdint.h>

/* A sentence; static text. */
const char *login_status_text(uint8_t status_class, uint8_t status_detail);

#endif
