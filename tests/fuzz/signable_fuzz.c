/* SPDX-License-Identifier: ISC */
/*
 * What a captured server may ask keyd to sign; the first byte chooses the
 * size of the key. What passes for TLS has the length of something that TLS
 * signs.
 */
#include "keyd/signable.h"

#include <stdint.h>

#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = { (const char *)data + 1, size - 1 };
	unsigned int bits;

	if (size == 0)
		return 0;
	bits = 512 + data[0] * 64u + (data[0] & 7);
	if (signable_digest_info(in))
		ensure(in.n >= 35 && in.n <= 83);
	if (signable_pss(in, bits)) {
		ensure(in.n == (bits + 7) / 8);
		ensure((unsigned char)in.p[in.n - 1] == 0xbc);
	}
	if (signable_digest(in))
		ensure(in.n >= 20 && in.n <= 64);
	/* a key of another length signs nothing of this */
	ensure(!signable_pss(in, (unsigned int)in.n * 8 + 64));
	return 0;
}
