#include "iisnsd/request.h"

/* How long a registration is to live without a sign of ours; the server may say otherwise. */
#define PERIOD_S 1800

static struct put
begin(uint8_t ret[REQUEST_BYTES], uint16_t function, uint16_t flags, uint16_t xid)
{
	struct put w = put_over(ret, REQUEST_BYTES);

	isnsp_begin(&w, function, flags, xid);
	return w;
}

static size_t
end(struct put *w)
{
	return isnsp_end(w, 0) ? put_len(w) : 0;
}

size_t
request_register(
    uint8_t ret[REQUEST_BYTES], uint16_t xid, const struct request_self *self, bool is_first)
{
	struct put w = begin(ret, ISNSP_DEV_ATTR_REG, is_first ? ISNSP_REPLACE : 0, xid);

	isnsp_put_text(&w, ISNSP_NAME, self->name); /* the source */
	isnsp_put_text(&w, ISNSP_EID, self->name);  /* the key */
	isnsp_put_none(&w, ISNSP_DELIMITER);
	isnsp_put_text(&w, ISNSP_EID, self->name);
	isnsp_put_number(&w, ISNSP_ENTITY_PROTOCOL, ISNSP_PROTOCOL_ISCSI);
	isnsp_put_number(&w, ISNSP_PERIOD, PERIOD_S);
	isnsp_put_address(&w, ISNSP_PORTAL_IP, self->address);
	isnsp_put_number(&w, ISNSP_PORTAL_PORT, self->scn_port);
	isnsp_put_number(&w, ISNSP_SCN_PORT, self->scn_port);
	isnsp_put_text(&w, ISNSP_NAME, self->name);
	isnsp_put_number(&w, ISNSP_NODE_TYPE, ISNSP_NODE_INITIATOR);
	if (self->alias[0] != '\0')
		isnsp_put_text(&w, ISNSP_ALIAS, self->alias);
	return end(&w);
}

size_t
request_scn_reg(uint8_t ret[REQUEST_BYTES], uint16_t xid, const struct request_self *self)
{
	struct put w = begin(ret, ISNSP_SCN_REG, 0, xid);

	isnsp_put_text(&w, ISNSP_NAME, self->name);
	isnsp_put_text(&w, ISNSP_NAME, self->name);
	isnsp_put_none(&w, ISNSP_DELIMITER);
	isnsp_put_number(&w, ISNSP_SCN_BITMAP,
	    ISNSP_SCN_TARGETS | ISNSP_SCN_ADDED | ISNSP_SCN_REMOVED | ISNSP_SCN_UPDATED);
	return end(&w);
}

size_t
request_query(uint8_t ret[REQUEST_BYTES], uint16_t xid, const struct request_self *self)
{
	struct put w = begin(ret, ISNSP_DEV_ATTR_QRY, 0, xid);

	isnsp_put_text(&w, ISNSP_NAME, self->name);
	isnsp_put_number(&w, ISNSP_NODE_TYPE, ISNSP_NODE_TARGET);
	isnsp_put_none(&w, ISNSP_DELIMITER);
	isnsp_put_none(&w, ISNSP_NAME);
	isnsp_put_none(&w, ISNSP_NODE_TYPE);
	isnsp_put_none(&w, ISNSP_ALIAS);
	isnsp_put_none(&w, ISNSP_PG_NAME);
	isnsp_put_none(&w, ISNSP_PG_IP);
	isnsp_put_none(&w, ISNSP_PG_PORT);
	isnsp_put_none(&w, ISNSP_PG_TAG);
	return end(&w);
}

size_t
request_dereg(uint8_t ret[REQUEST_BYTES], uint16_t xid, const struct request_self *self)
{
	struct put w = begin(ret, ISNSP_DEV_DEREG, 0, xid);

	isnsp_put_text(&w, ISNSP_NAME, self->name);
	isnsp_put_none(&w, ISNSP_DELIMITER);
	isnsp_put_text(&w, ISNSP_EID, self->name);
	return end(&w);
}

size_t
request_scn_rsp(uint8_t ret[REQUEST_BYTES], uint16_t xid, const uint8_t *to, size_t n)
{
	struct put w = begin(ret, ISNSP_SCN | ISNSP_RESPONSE, 0, xid);

	put_be32(&w, ISNSP_STATUS_SUCCESS);
	put_bytes(&w, to, n);
	return end(&w);
}
