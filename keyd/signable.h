/* SPDX-License-Identifier: ISC */
#ifndef KEYD_SIGNABLE_H
#define KEYD_SIGNABLE_H

/*
 * Has this the form of what TLS signs? Then it may as well be what others sign
 * in that form. Pure.
 */

#include <stdbool.h>
#include "lib/base/span.h"

/*
 * RFC 8017 section 9.2: the DER form of a digest and its algorithm, as in
 * TLS 1.2, or the 36 bytes of MD5 and SHA-1 of the versions before.
 */
bool signable_digest_info(struct span data);
/*
 * RFC 8017 section 9.1, with a salt as long as the hash (RFC 8446 4.2.3):
 * the encoded message for a modulus of so many bits. Which message it is for
 * cannot be seen; that it is one can.
 */
bool signable_pss(struct span data, unsigned int modulus_bits);
/* A digest for ECDSA: of a length that TLS uses. */
bool signable_digest(struct span data);

#endif
