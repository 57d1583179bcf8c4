/* SPDX-License-Identifier: ISC */
#ifndef LIB_SASL_SASL_SECURITY_H
#define LIB_SASL_SASL_SECURITY_H

/*
 * smtpd_sasl_security_options and its like: what a mechanism must be good
 * for. Words: noplaintext, noanonymous, noactive, nodictionary,
 * forward_secrecy, mutual_auth.
 */

#include <stdbool.h>
#include "lib/base/span.h"

/* Does the mechanism have all that the options want? */
bool sasl_security_allows(const char *options, struct span mechanism);
/* False, and the first word that is none of the above. */
bool sasl_security_valid(const char *options, struct span *bad);

#endif
