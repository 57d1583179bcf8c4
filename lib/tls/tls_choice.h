/* SPDX-License-Identifier: ISC */
#ifndef LIB_TLS_TLS_CHOICE_H
#define LIB_TLS_TLS_CHOICE_H

/* What a site may choose of OpenSSL: options by name, groups. */

#include <openssl/ssl.h>
#include <stdbool.h>
#include "lib/tls/tls.h"

struct buf;

/*
 * Into the context. False and a line in *error where groups are named and
 * none is left that OpenSSL has. Groups that it does not have are left out, so
 * that one list does for all releases; options and bits that are not known as
 * well, with some words in *doubts.
 */
bool tls_choice_apply(SSL_CTX *ssl, const struct tls_choice *choice,
    struct buf *doubts, struct buf *error);

#endif
