/* SPDX-License-Identifier: ISC */
#ifndef LIB_TLS_TLS_SETTINGS_H
#define LIB_TLS_TLS_SETTINGS_H

/*
 * The settings of lib/tls/params.def (struct tls_params), and the contexts
 * they describe. To be made before confinement: they read files.
 */

#include "lib/tls/tls.h"

#define PARAM_GROUP tls
#define PARAM_DEF "lib/tls/params.def"
#include "lib/conf/param.h"

/*
 * "", "none", "may", "encrypt", "verify", "secure"; "fingerprint", which is
 * TLS_ENCRYPT as far as OpenSSL is concerned.
 */
enum tls_level tls_level_of(const char *word);

/*
 * The SMTP server's context; *context is NULL when the level is none and
 * there is no wrapper mode. Of "keys" is taken who holds them: sign, chain_of,
 * chain_end, tickets, session_id_context. False and a line in *error (valid
 * until the next call) when the settings cannot be honoured: a level, but no
 * certificate, above all.
 */
bool tls_smtpd_context(const struct tls_params *p,
    const struct tls_server_settings *keys, struct tls_context **context,
    const char **error);

/*
 * A context for the SMTP client at a level other than TLS_NONE. The host to
 * compare the certificate with is given at the handshake.
 */
bool tls_smtp_context(const struct tls_params *p, enum tls_level level,
    tls_sign_function *sign, struct tls_context **context, const char **error);

#endif
