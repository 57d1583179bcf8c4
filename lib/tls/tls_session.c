/* SPDX-License-Identifier: ISC */
#include "lib/tls/tls_internal.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/mem.h"
#include "lib/tls/tls_context.h"

struct tls_session {
	SSL *ssl;
	struct tls_context *context;
	bool named; /* a host name to compare with was given */
	char *resume; /* key of the session kept, or NULL */
	bool renewed; /* the server gave us one on this connection */
	int64_t proven; /* when there was a full handshake */
	char text[160];
	char peer[256];
};

static bool
is_ip(const char *host)
{
	unsigned char bytes[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, bytes) == 1 ||
	    inet_pton(AF_INET6, host, bytes) == 1;
}

static bool
set_host(struct tls_session *s, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(s->ssl);

	s->named = true;
	if (is_ip(host))
		return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1;
	X509_VERIFY_PARAM_set_hostflags(param,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | s->context->host_flags);
	return SSL_set_tlsext_host_name(s->ssl, host) == 1 &&
	    SSL_set1_host(s->ssl, host) == 1;
}

struct tls_session *
tls_session_new(struct tls_context *context, bool server, const char *host)
{
	struct tls_session *s = mem_new(sizeof(*s));

	s->context = context;
	context->references++;
	ERR_clear_error();
	s->ssl = SSL_new(context->ssl);
	if (s->ssl == NULL || (!server && host != NULL && !set_host(s, host))) {
		tls_session_free(&s);
		return NULL;
	}
	if (server)
		SSL_set_accept_state(s->ssl);
	else
		SSL_set_connect_state(s->ssl);
	return s;
}

/* One of several; those behind the first are added. */
static bool
add_names(struct tls_session *s, const struct tls_target *t)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(s->ssl);

	if (s->context->level != TLS_VERIFY)
		return true; /* nobody asks */
	if (t->name_count == 0)
		return false;
	s->named = true;
	if (t->name_count == 1 && is_ip(t->names[0]))
		return X509_VERIFY_PARAM_set1_ip_asc(param, t->names[0]) == 1;
	X509_VERIFY_PARAM_set_hostflags(param,
	    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | s->context->host_flags);
	for (size_t i = 0; i < t->name_count; i++)
		if (X509_VERIFY_PARAM_add1_host(param, t->names[i], 0) != 1)
			return false;
	return true;
}

static void
offer_kept(struct tls_session *s, const char *key)
{
	SSL_SESSION *kept;

	s->proven = clock_ms();
	if (s->context->resume == NULL || key == NULL)
		return;
	s->resume = mem_text(key);
	kept = tls_resume_take(s->context->resume, key, &s->proven);
	if (kept == NULL)
		s->proven = clock_ms();
	else
		(void)SSL_set_session(s->ssl, kept);
	SSL_SESSION_free(kept);
}

struct tls_session *
tls_session_new_to(struct tls_context *context, const struct tls_target *target)
{
	struct tls_session *s = tls_session_new(context, false, NULL);

	if (s == NULL)
		return NULL;
	SSL_set_app_data(s->ssl, s);
	if ((target->sni != NULL &&
		SSL_set_tlsext_host_name(s->ssl, target->sni) != 1) ||
	    !add_names(s, target)) {
		tls_session_free(&s);
		return NULL;
	}
	offer_kept(s, target->resume);
	return s;
}

static void
keep(struct tls_session *s, SSL_SESSION *session)
{
	int64_t proven = SSL_session_reused(s->ssl) ? s->proven : clock_ms();

	tls_resume_put(s->context->resume, s->resume, session, proven);
}

/* A server's gift: a ticket, or at TLS 1.2 the session itself. */
static int
take_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_session *s = SSL_get_app_data(ssl);

	if (s == NULL || s->resume == NULL || s->context->resume == NULL)
		return 0;
	keep(s, session);
	s->renewed = true;
	return 1;
}

void
tls_session_resumable(struct tls_context *c, int64_t seconds)
{
	c->resume = tls_resume_new(seconds);
	SSL_CTX_set_session_cache_mode(c->ssl,
	    SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(c->ssl, take_session);
}

/*
 * A session of TLS 1.2 that was resumed and not renewed serves again; a ticket
 * of TLS 1.3 does not (OpenSSL sees to that, RFC 8446 appendix C.4). Nor is one
 * spoilt by a connection that ends without close_notify: the content of mail
 * ends with a dot, not with the connection.
 */
static void
keep_after_use(struct tls_session *s)
{
	if (s->resume == NULL || !SSL_is_init_finished(s->ssl))
		return;
	SSL_set_shutdown(s->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	if (SSL_session_reused(s->ssl) && !s->renewed &&
	    SSL_version(s->ssl) < TLS1_3_VERSION)
		keep(s, SSL_get1_session(s->ssl));
}

SSL *
tls_session_ssl(struct tls_session *session)
{
	return session->ssl;
}

void
tls_session_free(struct tls_session **session)
{
	if (*session == NULL)
		return;
	if ((*session)->ssl != NULL)
		keep_after_use(*session);
	SSL_free((*session)->ssl);
	tls_context_unref((*session)->context);
	free((*session)->resume);
	free(*session);
	*session = NULL;
	ERR_clear_error();
}

const char *
tls_protocol(const struct tls_session *s)
{
	return SSL_get_version(s->ssl);
}

const char *
tls_cipher(const struct tls_session *s)
{
	return SSL_get_cipher_name(s->ssl);
}

const char *
tls_session_text(const struct tls_session *s)
{
	/* the text is a cache, not part of what the session is */
	struct tls_session *mine = (struct tls_session *)(uintptr_t)s;
	int full = 0;
	int used = SSL_get_cipher_bits(s->ssl, &full);

	snprintf(mine->text, sizeof(mine->text),
	    "%s with cipher %s (%d/%d bits)", tls_protocol(s), tls_cipher(s),
	    used, full);
	return s->text;
}

bool
tls_verified(const struct tls_session *s)
{
	if (SSL_get0_peer_certificate(s->ssl) == NULL ||
	    SSL_get_verify_result(s->ssl) != X509_V_OK)
		return false;
	return SSL_is_server(s->ssl) || s->named;
}

bool
tls_trusted(const struct tls_session *s)
{
	return SSL_get0_peer_certificate(s->ssl) != NULL &&
	    SSL_get_verify_result(s->ssl) == X509_V_OK;
}

bool
tls_resumed(const struct tls_session *s)
{
	return SSL_session_reused(s->ssl) == 1;
}

bool
tls_digest_known(const char *digest)
{
	return EVP_get_digestbyname(digest) != NULL;
}

/* RFC 7469 section 2.4: of the whole SubjectPublicKeyInfo. */
static bool
digest_key(const X509 *x, const EVP_MD *md, unsigned char *out,
    unsigned int *length)
{
	unsigned char *der = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
	bool good =
	    n > 0 && EVP_Digest(der, (size_t)n, out, length, md, NULL) == 1;

	OPENSSL_free(der);
	return good;
}

bool
tls_fingerprint(const struct tls_session *s, const char *digest, bool of_key,
    char out[TLS_FINGERPRINT_MAX])
{
	X509 *x = SSL_get0_peer_certificate(s->ssl);
	const EVP_MD *md = EVP_get_digestbyname(digest);
	unsigned char raw[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	if (x == NULL || md == NULL ||
	    (of_key ? !digest_key(x, md, raw, &n) :
		      X509_digest(x, md, raw, &n) != 1))
		return false;
	for (unsigned int i = 0; i < n; i++)
		snprintf(out + (size_t)i * 3, 4, "%02X%s", raw[i],
		    i + 1 < n ? ":" : "");
	return true;
}

/* What a stranger wrote into a certificate goes into logs and headers. */
static void
clean(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f ||
		    *text == '"' || *text == '\\')
			*text = '?';
}

const char *
tls_peer_name(const struct tls_session *s)
{
	struct tls_session *mine = (struct tls_session *)(uintptr_t)s;
	X509 *x = SSL_get0_peer_certificate(s->ssl);
	int n;

	if (x == NULL)
		return "";
	n = X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName,
	    mine->peer, sizeof(mine->peer));
	/* a NUL inside makes two names of one */
	if (n < 0 || strlen(mine->peer) != (size_t)n)
		return "";
	clean(mine->peer);
	return s->peer;
}

/* The client's first Finished message; only safe as RFC 7627 demands. */
static bool
tls_unique(SSL *ssl, char out[64], size_t *n)
{
	bool ours = (SSL_is_server(ssl) != 0) == (SSL_session_reused(ssl) != 0);

	if (SSL_get_extms_support(ssl) != 1)
		return false;
	*n = ours ? SSL_get_finished(ssl, out, 64) :
		    SSL_get_peer_finished(ssl, out, 64);
	return *n > 0 && *n <= 64;
}

bool
tls_channel_binding(const struct tls_session *s, char out[64], size_t *n)
{
	static const char label[] = "EXPORTER-Channel-Binding";

	if (SSL_version(s->ssl) < TLS1_3_VERSION)
		return tls_unique(s->ssl, out, n);
	*n = 32;
	return SSL_export_keying_material(s->ssl, (unsigned char *)out, *n,
		   label, sizeof(label) - 1, (const unsigned char *)"", 0,
		   1) == 1;
}

const char *
tls_failure(const struct tls_session *session)
{
	static char text[512];
	unsigned long e = ERR_peek_error();
	long verify = SSL_get_verify_result(session->ssl);
	const char *reason = ERR_reason_error_string(e);

	if (e == 0)
		snprintf(text, sizeof(text), "lost connection");
	else if (ERR_GET_LIB(e) == ERR_LIB_SSL &&
	    ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED)
		snprintf(text, sizeof(text), "certificate verify failed: %s",
		    X509_verify_cert_error_string(verify));
	else if (reason != NULL)
		snprintf(text, sizeof(text), "%s", reason);
	else
		ERR_error_string_n(e, text, sizeof(text));
	ERR_clear_error();
	return text;
}
