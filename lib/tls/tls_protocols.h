/* SPDX-License-Identifier: ISC */
#ifndef LIB_TLS_TLS_PROTOCOLS_H
#define LIB_TLS_TLS_PROTOCOLS_H

/*
 * Lists of protocol versions in Postfix's syntax: names to allow ("TLSv1.2
 * TLSv1.3"), names to leave out ("!SSLv3, !TLSv1"), bounds (">=TLSv1.2",
 * "<=TLSv1.2"). Separated by blanks, commas or colons.
 */

#include <stdbool.h>
#include <stdint.h>
#include "lib/base/buf.h"

struct tls_versions {
	int lowest; /* as OpenSSL counts: 0x0303 */
	int highest;
	uint64_t holes; /* SSL_OP_NO_* of those between that are left out */
};

/*
 * False, with a line in *error, for an unknown name or when nothing is left.
 * SSL 2 and 3 are known names, and never spoken. NULL or "": TLS 1.2 and up.
 */
bool tls_protocols_parse(const char *text, struct tls_versions *out,
    struct buf *error);

#endif
