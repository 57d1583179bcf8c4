/* SPDX-License-Identifier: ISC */
#ifndef AUTH_TOKEN_CACHE_H
#define AUTH_TOKEN_CACHE_H

/*
 * Tokens that were good a moment ago, of one process, and whose they were.
 * Known by a SHA-256 over everything that the answer hangs on: protocol,
 * client, the name that was claimed, and the token. Only good ones are kept,
 * and none beyond its own end. Pure: no clock.
 */

#include <stdbool.h>
#include <stdint.h>
#include "lib/base/span.h"

enum { TOKEN_KEY = 32, TOKEN_USER_MAX = 256, TOKENS_KEPT = 1024 };

void token_cache_key(const char *protocol, const char *client, const char *user,
    struct span token, unsigned char key[TOKEN_KEY]);
/* Until "until"; the one that ends first makes room. */
void token_cache_add(const unsigned char key[TOKEN_KEY], const char *user,
    int64_t now, int64_t until);
/* False: not known, or it has ended. */
bool token_cache_find(const unsigned char key[TOKEN_KEY], int64_t now,
    char user[TOKEN_USER_MAX]);

#endif
