#include "iisnsd/notice.h"

size_t
notice_answer(const struct assemble *in, uint8_t ret[REQUEST_BYTES])
{
	struct cursor body = cursor_over(in->body, in->n);
	enum isnsp_result r = ISNSP_IS_OK;
	struct isnsp_attr to, a;

	if (in->function != ISNSP_SCN || isnsp_get_attr(&body, &to) != ISNSP_IS_OK ||
	    to.tag != ISNSP_NAME || to.n == 0)
		return 0;
	while (r == ISNSP_IS_OK && cursor_left(&body) > 0)
		r = isnsp_get_attr(&body, &a);
	if (r != ISNSP_IS_OK)
		return 0;
	/* Section 5.7.5.8: it "contains the SCN Destination Attribute". */
	return request_scn_rsp(ret, in->xid, in->body, (size_t)(to.value.end - in->body));
}
