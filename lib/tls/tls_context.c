/* SPDX-License-Identifier: ISC */
#include "lib/tls/tls_context.h"

#include <ctype.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/log/log.h"
#include "lib/tls/tls_choice.h"
#include "lib/tls/tls_internal.h"
#include "lib/tls/tls_protocols.h"

/*
 * For TLS 1.2 (TLS 1.3 has its own list, all good): what encrypts well, less
 * what is old. Always behind whatever the settings say: no anonymous server,
 * no RSA key exchange (no forward secrecy, and keyd decrypts for nobody).
 */
static const char default_ciphers[] =
    "HIGH:!SEED:!IDEA:!3DES:!RC2:!RC4:!kDH:!kECDH:!aDSS:!MD5:@STRENGTH";
static const char never_ciphers[] = ":!aNULL:!eNULL:!kRSA:!EXP:!LOW:!PSK:!SRP";

/* Valid until the next call, as tls.h says. */
static struct buf last_error;

static const char *
keep_error(struct buf *error)
{
	buf_fini(&last_error);
	last_error = *error;
	*error = BUF_INIT(0);
	return buf_text(&last_error);
}

static void
context_free(struct tls_context *c)
{
	SSL_CTX_free(c->ssl);
	tls_ticket_keys_free(&c->tickets);
	tls_resume_free(&c->resume);
	free(c);
}

void
tls_context_unref(struct tls_context *c)
{
	if (--c->references == 0)
		context_free(c);
}

void
tls_context_free(struct tls_context **context)
{
	if (*context != NULL)
		tls_context_unref(*context);
	*context = NULL;
}

SSL_CTX *
tls_context_ssl(struct tls_context *context)
{
	return context->ssl;
}

int64_t
tls_context_expires(const struct tls_context *context)
{
	return context->expires;
}

bool
tls_ciphers_apply(SSL_CTX *ssl, const char *ciphers, struct buf *error)
{
	char *list;
	bool good;

	if (ciphers == NULL || ciphers[0] == '\0')
		ciphers = default_ciphers;
	list = mem_printf("%s%s", ciphers, never_ciphers);
	good = SSL_CTX_set_cipher_list(ssl, list) == 1;
	free(list);
	if (!good)
		buf_printf(error, "no cipher is left of \"%s\"", ciphers);
	return good;
}

/*
 * SSL_MODE_RELEASE_BUFFERS: an idle session keeps no record buffers, which is
 * most of what it would cost.
 */
static bool
set_common(SSL_CTX *ssl, const char *protocols, const char *ciphers,
    struct buf *error)
{
	struct tls_versions v;

	if (!tls_protocols_parse(protocols, &v, error))
		return false;
	SSL_CTX_set_min_proto_version(ssl, v.lowest);
	SSL_CTX_set_max_proto_version(ssl, v.highest);
	SSL_CTX_set_options(ssl,
	    v.holes | SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
		SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(ssl,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	return tls_ciphers_apply(ssl, ciphers, error);
}

/* What of it is not known is told, and left out. */
static bool
set_choice(SSL_CTX *ssl, const struct tls_choice *choice, struct buf *error)
{
	struct buf doubts = BUF_INIT(4096);
	bool good = tls_choice_apply(ssl, choice, &doubts, error);

	if (doubts.n > 0)
		log_warning("tls_ssl_options: %s", buf_text(&doubts));
	buf_fini(&doubts);
	return good;
}

static struct tls_context *
context_new(const SSL_METHOD *method, struct buf *error)
{
	struct tls_context *c = mem_new(sizeof(*c));

	c->references = 1;
	c->ssl = SSL_CTX_new(method);
	if (c->ssl == NULL) {
		buf_add_text(error, "OpenSSL refuses to work");
		free(c);
		return NULL;
	}
	return c;
}

/*
 * A client that speaks another protocol on purpose (ALPACA: a browser led to
 * a mail server with the same certificate) is turned away, RFC 7301 3.2.
 */
static int
choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *n,
    const unsigned char *offered, unsigned int length, void *context)
{
	const struct tls_context *c = context;

	(void)ssl;
	if (SSL_select_next_proto((unsigned char **)(uintptr_t)out, n, c->alpn,
		1u + c->alpn[0], offered, length) != OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	return SSL_TLSEXT_ERR_OK;
}

static void
set_alpn(struct tls_context *c, const char *name)
{
	size_t n = name == NULL ? 0 : strlen(name);

	if (n == 0 || n >= sizeof(c->alpn))
		return;
	c->alpn[0] = (unsigned char)n;
	memcpy(c->alpn + 1, name, n);
	SSL_CTX_set_alpn_select_cb(c->ssl, choose_alpn, c);
}

/* Letters, digits, hyphens and dots; nothing else is in a table. */
static bool
read_name(const char *asked, char out[256])
{
	size_t n = strlen(asked);

	if (n == 0 || n > 255)
		return false;
	for (size_t i = 0; i <= n; i++) {
		unsigned char c = (unsigned char)asked[i];

		if (c != '\0' && !isalnum(c) && strchr("-._", c) == NULL)
			return false;
		out[i] = (char)tolower(c);
	}
	return out[0] != '.';
}

/*
 * Called when the client's hello has been read, unless a session is resumed.
 * May wait, so other tasks may have left something in the error queue.
 */
static int
choose_certificate(SSL *ssl, void *context)
{
	const struct tls_context *c = context;
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	struct buf chain = BUF_INIT(TLS_CHAIN_MAX), error = BUF_INIT(1024);
	enum tls_chain found = TLS_CHAIN_DEFAULT;
	char name[256];

	if (asked != NULL && read_name(asked, name))
		found = c->chain_of(name, &chain);
	ERR_clear_error();
	if (found == TLS_CHAIN_FOUND &&
	    !tls_session_load_text(ssl, buf_span(&chain), c->sign, &error)) {
		log_warning("the certificate of %s: %s", name,
		    buf_text(&error));
		found = TLS_CHAIN_FAILED;
	}
	buf_fini(&chain);
	buf_fini(&error);
	return found != TLS_CHAIN_FAILED;
}

/*
 * OpenSSL chooses a certificate and signs without a word of the client's in
 * between: when it waits for one, or has failed, that is over. Not when it
 * waits for room to write: it may have begun with a long chain.
 */
static void
on_information(const SSL *ssl, int where, int value)
{
	const struct tls_context *c =
	    SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
	int error = errno;

	(void)value;
	if (where == SSL_CB_ACCEPT_EXIT && !SSL_want_write(ssl))
		c->chain_end();
	errno = error; /* the handshake's caller looks at it */
}

/* A client's certificate is looked at, never demanded, by the handshake. */
static int
accept_any(int verified, X509_STORE_CTX *store)
{
	(void)verified, (void)store;
	return 1;
}

/*
 * Certificates of clients are but looked at, so what cannot be read of their
 * authorities must not cost others the encryption: nobody is trusted then.
 */
static void
ask_clients(struct tls_context *c, const struct tls_server_settings *s)
{
	struct buf why = BUF_INIT(1024);

	SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE,
	    accept_any);
	if (!tls_context_trust(c, s->ca_file, s->ca_directory,
		s->choice.system_authorities, &why))
		log_warning("%s; no authority is taken from there",
		    buf_text(&why));
	buf_fini(&why);
}

static bool
set_server(struct tls_context *c, const struct tls_server_settings *s,
    struct buf *error)
{
	const char *id = s->session_id_context;
	size_t n = id == NULL ? 0 : strlen(id);

	if (n > SSL_MAX_SID_CTX_LENGTH)
		n = SSL_MAX_SID_CTX_LENGTH;
	SSL_CTX_set_session_id_context(c->ssl, (const unsigned char *)id,
	    (unsigned int)n);
	SSL_CTX_set_session_cache_mode(c->ssl, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(c->ssl,
	    SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_dh_auto(c->ssl, 1);
	SSL_CTX_set_num_tickets(c->ssl, 1);
	set_alpn(c, s->alpn);
	if (s->chain_of != NULL) {
		c->sign = s->sign;
		c->chain_of = s->chain_of;
		SSL_CTX_set_cert_cb(c->ssl, choose_certificate, c);
	}
	if (s->chain_of != NULL && s->chain_end != NULL) {
		c->chain_end = s->chain_end;
		SSL_CTX_set_app_data(c->ssl, c);
		SSL_CTX_set_info_callback(c->ssl, on_information);
	}
	c->tickets =
	    tls_ticket_keys_new(s->ask_client_certificate ? NULL : s->tickets);
	if (tls_ticket_keys_use(c->tickets, c->ssl) == -1) {
		buf_add_text(error, "session tickets cannot be set up");
		return false;
	}
	if (s->ask_client_certificate)
		ask_clients(c, s);
	return true;
}

static bool
load(struct tls_context *c, const char *chain, size_t n,
    const struct tls_files *files, tls_sign_function *sign, struct buf *error)
{
	if (chain != NULL)
		return tls_context_load_text(c, (struct span){ chain, n }, sign,
		    error);
	return tls_context_load_files(c, files, sign, error);
}

static struct tls_context *
finish(struct tls_context *c, bool good, struct buf *error,
    const char **error_text)
{
	if (good) {
		buf_fini(error);
	} else {
		if (c != NULL)
			context_free(c);
		c = NULL;
		*error_text = keep_error(error);
	}
	ERR_clear_error();
	return c;
}

struct tls_context *
tls_server_new(const struct tls_server_settings *settings, const char **error)
{
	struct buf why = BUF_INIT(2048);
	struct tls_context *c = context_new(TLS_server_method(), &why);
	bool good;

	good = c != NULL &&
	    set_common(c->ssl, settings->protocols, settings->ciphers, &why) &&
	    set_choice(c->ssl, &settings->choice, &why) &&
	    set_server(c, settings, &why) &&
	    load(c, settings->chain, settings->chain_length, &settings->files,
		settings->sign, &why);
	if (good && SSL_CTX_get0_certificate(c->ssl) == NULL) {
		buf_add_text(&why, "no certificate is configured");
		good = false;
	}
	return finish(c, good, &why, error);
}

static bool
trust(struct tls_context *c, const struct tls_client_settings *s,
    struct buf *error)
{
	if (s->anchors != NULL && s->anchors[0] != '\0')
		return tls_trust_anchors(SSL_CTX_get_cert_store(c->ssl),
		    s->anchors, error);
	return tls_context_trust(c, s->ca_file, s->ca_directory,
	    s->choice.system_authorities, error);
}

struct tls_context *
tls_client_new(const struct tls_client_settings *settings, const char **error)
{
	struct buf why = BUF_INIT(2048);
	struct tls_context *c = context_new(TLS_client_method(), &why);
	bool good;

	good = c != NULL &&
	    set_common(c->ssl, settings->protocols, settings->ciphers, &why) &&
	    set_choice(c->ssl, &settings->choice, &why) &&
	    load(c, NULL, 0, &settings->files, settings->sign, &why) &&
	    trust(c, settings, &why);
	if (good) {
		c->host_flags = settings->choice.wildcard_many ?
		    X509_CHECK_FLAG_MULTI_LABEL_WILDCARDS :
		    0;
		c->level = settings->level;
		SSL_CTX_set_verify(c->ssl,
		    c->level == TLS_VERIFY ? SSL_VERIFY_PEER : SSL_VERIFY_NONE,
		    NULL);
		if (settings->resume_s > 0)
			tls_session_resumable(c, settings->resume_s);
	}
	return finish(c, good, &why, error);
}
