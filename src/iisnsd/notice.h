/* State change notifications, RFC 4171, section 5.6.5.8: pure. */
#ifndef IISNSD_NOTICE_H
#define IISNSD_NOTICE_H

#include "iisnsd/assemble.h"
#include "iisnsd/request.h"

/*
 * A whole SCN: what is to be answered is written, its bytes are returned; 0: it is none, or makes
 * no sense.  What it tells is not looked at: it is a reason to ask, and nothing else, since
 * anybody may have sent it.
 */
size_t notice_answer(const struct assemble *in, uint8_t ret[REQUEST_BYTES]);

#endif
