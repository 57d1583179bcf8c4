/* SPDX-License-Identifier: ISC */
/*
 * A key whose private half is in another process. OpenSSL's older interface
 * of methods on RSA and EC_KEY objects is deprecated and still the one way
 * to do this for a single key without writing a provider; OpenSSL 3 takes
 * such "foreign" keys through its legacy code, which asks the RSA method for
 * the bare private operation (it does PKCS#1 and PSS padding itself) and the
 * EC method for a DER signature.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "lib/tls/tls_key.h"

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"

struct remote {
	tls_sign_function *sign;
	char id[TLS_KEY_ID_MAX];
};

static int rsa_slot = -1;
static int ec_slot = -1;

bool
tls_key_id(EVP_PKEY *key, char out[TLS_KEY_ID_MAX])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned char *der = NULL;
	unsigned int n = 0;
	int length = i2d_PUBKEY(key, &der);
	bool good;

	good = length > 0 &&
	    EVP_Digest(der, (size_t)length, digest, &n, EVP_sha256(), NULL) ==
		1;
	OPENSSL_free(der);
	if (!good)
		return false;
	snprintf(out, TLS_KEY_ID_MAX, "sha256:");
	for (unsigned int i = 0; i < n; i++)
		snprintf(out + 7 + 2 * i, 3, "%02x", digest[i]);
	return true;
}

/* Called when the key object goes. */
static void
forget(void *parent, void *remote, CRYPTO_EX_DATA *data, int slot, long argl,
    void *argp)
{
	(void)parent, (void)data, (void)slot, (void)argl, (void)argp;
	free(remote);
}

/*
 * Other tasks may have run meanwhile, and this thread's error queue has what
 * they left there: it must not be taken for ours.
 */
static bool
ask(const struct remote *r, enum tls_key_operation operation, int padding,
    const unsigned char *data, size_t n, struct buf *signature)
{
	struct span s = { (const char *)data, n };
	bool good;

	good = r != NULL &&
	    r->sign(r->id, operation, (unsigned int)padding, s, signature);
	ERR_clear_error();
	if (!good)
		ERR_raise_data(ERR_LIB_USER, ERR_R_OPERATION_FAIL,
		    "the private key could not be used");
	return good;
}

static int
rsa_sign(int n, const unsigned char *from, unsigned char *to, RSA *rsa,
    int padding)
{
	struct buf signature = BUF_INIT(TLS_SIGNATURE_MAX);
	int size = RSA_size(rsa);
	int result = -1;

	if (ask(RSA_get_ex_data(rsa, rsa_slot), TLS_KEY_RSA_SIGN, padding, from,
		(size_t)n, &signature) &&
	    signature.n == (size_t)size) {
		memcpy(to, signature.p, signature.n);
		result = size;
	}
	buf_fini(&signature);
	return result;
}

/* RSA key exchange is not offered; nothing is ever decrypted for anybody. */
static int
rsa_decrypt(int n, const unsigned char *from, unsigned char *to, RSA *rsa,
    int padding)
{
	(void)n, (void)from, (void)to, (void)rsa, (void)padding;
	ERR_raise(ERR_LIB_USER, ERR_R_UNSUPPORTED);
	return -1;
}

static int
ec_sign(int type, const unsigned char *digest, int n, unsigned char *out,
    unsigned int *length, const BIGNUM *kinv, const BIGNUM *r, EC_KEY *ec)
{
	struct buf signature = BUF_INIT(TLS_SIGNATURE_MAX);
	int result = 0;

	(void)type, (void)kinv, (void)r;
	if (ask(EC_KEY_get_ex_data(ec, ec_slot), TLS_KEY_ECDSA_SIGN, 0, digest,
		(size_t)n, &signature) &&
	    signature.n <= (size_t)ECDSA_size(ec)) {
		memcpy(out, signature.p, signature.n);
		*length = (unsigned int)signature.n;
		result = 1;
	}
	buf_fini(&signature);
	return result;
}

static ECDSA_SIG *
ec_sign_parts(const unsigned char *digest, int n, const BIGNUM *kinv,
    const BIGNUM *r, EC_KEY *ec)
{
	unsigned char out[TLS_SIGNATURE_MAX];
	const unsigned char *p = out;
	unsigned int length = 0;

	if (ec_sign(0, digest, n, out, &length, kinv, r, ec) != 1)
		return NULL;
	return d2i_ECDSA_SIG(NULL, &p, (long)length);
}

static const RSA_METHOD *
rsa_method(void)
{
	static RSA_METHOD *method;

	if (method == NULL) {
		rsa_slot = RSA_get_ex_new_index(0, NULL, NULL, NULL, forget);
		method = RSA_meth_dup(RSA_get_default_method());
		if (method == NULL || rsa_slot == -1)
			return NULL;
		RSA_meth_set1_name(method, "remote");
		RSA_meth_set_priv_enc(method, rsa_sign);
		RSA_meth_set_priv_dec(method, rsa_decrypt);
	}
	return method;
}

static const EC_KEY_METHOD *
ec_method(void)
{
	static EC_KEY_METHOD *method;

	if (method == NULL) {
		ec_slot = EC_KEY_get_ex_new_index(0, NULL, NULL, NULL, forget);
		method = EC_KEY_METHOD_new(EC_KEY_OpenSSL());
		if (method == NULL || ec_slot == -1)
			return NULL;
		EC_KEY_METHOD_set_sign(method, ec_sign, NULL, ec_sign_parts);
	}
	return method;
}

/* Takes "remote" over when it succeeds. */
static bool
make_rsa(EVP_PKEY *public_key, struct remote *remote, EVP_PKEY *out)
{
	const RSA_METHOD *method = rsa_method();
	RSA *rsa = EVP_PKEY_get1_RSA(public_key);
	bool good;

	good = method != NULL && rsa != NULL &&
	    RSA_set_method(rsa, method) == 1 &&
	    EVP_PKEY_set1_RSA(out, rsa) == 1 &&
	    RSA_set_ex_data(rsa, rsa_slot, remote) == 1;
	RSA_free(rsa);
	return good;
}

static bool
make_ec(EVP_PKEY *public_key, struct remote *remote, EVP_PKEY *out)
{
	const EC_KEY_METHOD *method = ec_method();
	EC_KEY *ec = EVP_PKEY_get1_EC_KEY(public_key);
	bool good;

	good = method != NULL && ec != NULL &&
	    EC_KEY_set_method(ec, method) == 1 &&
	    EVP_PKEY_set1_EC_KEY(out, ec) == 1 &&
	    EC_KEY_set_ex_data(ec, ec_slot, remote) == 1;
	EC_KEY_free(ec);
	return good;
}

EVP_PKEY *
tls_remote_key(X509 *certificate, tls_sign_function *sign, struct buf *error)
{
	EVP_PKEY *public_key = X509_get_pubkey(certificate);
	struct remote *remote = mem_new(sizeof(*remote));
	EVP_PKEY *key = EVP_PKEY_new();
	bool good = false;
	int type;

	remote->sign = sign;
	type = public_key == NULL ? EVP_PKEY_NONE :
				    EVP_PKEY_get_base_id(public_key);
	if (type != EVP_PKEY_RSA && type != EVP_PKEY_EC) {
		buf_printf(error,
		    "a key of type %s cannot be kept in keyd:"
		    " use a certificate with an RSA or ECDSA key",
		    type == EVP_PKEY_NONE ? "unknown" : OBJ_nid2sn(type));
	} else if (key != NULL && tls_key_id(public_key, remote->id)) {
		good = type == EVP_PKEY_RSA ?
		    make_rsa(public_key, remote, key) :
		    make_ec(public_key, remote, key);
		if (!good)
			buf_add_text(error, "OpenSSL refuses the key");
	}
	EVP_PKEY_free(public_key);
	if (!good) {
		free(remote);
		EVP_PKEY_free(key);
		key = NULL;
	}
	ERR_clear_error();
	return key;
}
