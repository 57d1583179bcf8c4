/* SPDX-License-Identifier: ISC */
#include "lib/queue/queue_crc.h"

static const uint32_t POLYNOMIAL = 0x82f63b78; /* reflected */

static uint32_t table[256];

static void
fill(void)
{
	uint32_t crc;
	int bit;

	for (uint32_t i = 0; i < 256; i++) {
		crc = i;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? POLYNOMIAL : 0);
		table[i] = crc;
	}
}

uint32_t
queue_crc(uint32_t crc, const void *data, size_t n)
{
	const unsigned char *p = data;

	if (table[1] == 0)
		fill();
	crc = ~crc;
	while (n-- > 0)
		crc = crc >> 8 ^ table[(crc ^ *p++) & 255];
	return ~crc;
}
