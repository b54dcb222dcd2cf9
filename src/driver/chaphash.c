#include "driver/chaphash.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/limits.h"
#include "driver/seal.h"

/* No secret has more (ini/chapcfg.h). */
#define CHAPHASH_SECRET_BYTES LIMIT_ALIAS_BYTES

static_assert(CHAP_SEAL_BYTES >= SEAL_BYTES, "there is room for the seal");

static_assert(CHAP_DIGEST_MAX <= EVP_MAX_MD_SIZE, "a digest fits where OpenSSL writes it");

/* Sealed, as chap_ops.seal() left it. */
static bool
add_secret(EVP_MD_CTX *ctx, const struct chap_part *part)
{
	uint8_t clear[CHAPHASH_SECRET_BYTES];
	bool is_added = part->n <= sizeof clear && seal_open(part->bytes, part->n, clear) &&
			EVP_DigestUpdate(ctx, clear, part->n) == 1;

	explicit_bzero(clear, sizeof clear);
	return is_added;
}

static bool
add(EVP_MD_CTX *ctx, const struct chap_part *part)
{
	return part->is_secret ? add_secret(ctx, part)
			       : EVP_DigestUpdate(ctx, part->bytes, part->n) == 1;
}

static bool
digest(const EVP_MD *md, EVP_MD_CTX *ctx, const struct chap_part *parts, size_t n, uint8_t *out)
{
	if (EVP_DigestInit_ex2(ctx, md, NULL) != 1)
		return false;
	for (size_t i = 0; i < n; i++)
		if (!add(ctx, &parts[i]))
			return false;
	return EVP_DigestFinal_ex(ctx, out, NULL) == 1;
}

static size_t
hash(void *user, unsigned algorithm, const struct chap_part *parts, size_t n, uint8_t *out)
{
	const char *name = chap_algorithm_name(algorithm);
	EVP_MD_CTX *ctx = NULL;
	EVP_MD *md = NULL;
	size_t ret = 0;

	(void)user;
	if (name == NULL)
		return 0;
	/* Failures are told by the length; OpenSSL's queue of reasons is left as it was. */
	ERR_set_mark();
	/* The names of chap.def are NIST's, which OpenSSL knows too. */
	md = EVP_MD_fetch(NULL, name, NULL);
	ctx = EVP_MD_CTX_new();
	if (md != NULL && ctx != NULL &&
	    (size_t)EVP_MD_get_size(md) == chap_algorithm_bytes(algorithm) &&
	    digest(md, ctx, parts, n, out))
		ret = chap_algorithm_bytes(algorithm);
	EVP_MD_CTX_free(ctx); /* which wipes it */
	EVP_MD_free(md);
	ERR_pop_to_mark();
	return ret;
}

static bool
seal(void *user, uint8_t *secret, size_t n)
{
	(void)user;
	return seal_close(secret, n);
}

const struct chap_ops chaphash_ops = { .hash = hash, .seal = seal };

bool
chaphash_is_available(unsigned algorithm)
{
	uint8_t out[CHAP_DIGEST_MAX];

	return hash(NULL, algorithm, NULL, 0, out) > 0;
}
