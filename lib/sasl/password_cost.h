/* SPDX-License-Identifier: ISC */
#ifndef LIB_SASL_PASSWORD_COST_H
#define LIB_SASL_PASSWORD_COST_H

/*
 * What it costs to compare a password with a stored hash, which the hash
 * itself says. A directory may let people write their own: nobody shall keep
 * the service busy for hours, or take its memory, by what he put there.
 */

#include <stdbool.h>
#include "lib/base/span.h"

enum {
	PASSWORD_ROUNDS_MAX = 10000000, /* of a digest */
	PASSWORD_BCRYPT_MAX = 16, /* 2^16 */
	PASSWORD_MEMORY_MAX_KIB = 1 << 20,
	PASSWORD_FILLED_MAX_KIB = 1 << 23, /* by Argon2, in all its passes */
};

/*
 * Some seconds at most: "hash" as crypt(3) or libargon2 take it. Kinds that
 * cost always the same, and what is unknown to us, are bearable.
 */
bool password_cost_bearable(struct span hash);

#endif
