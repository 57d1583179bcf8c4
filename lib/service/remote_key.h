/* SPDX-License-Identifier: ISC */
#ifndef LIB_SERVICE_REMOTE_KEY_H
#define LIB_SERVICE_REMOTE_KEY_H

/*
 * Private keys in keyd, for the "sign" field of TLS settings. Waits for the
 * answer: within a task others run meanwhile.
 */

#include "lib/tls/tls.h"

bool remote_key_sign(const char *key, enum tls_key_operation operation,
    unsigned int padding, struct span data, struct buf *signature);

#endif
