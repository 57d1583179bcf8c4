/* SPDX-License-Identifier: ISC */
#ifndef LIB_QUEUE_QUEUE_CRC_H
#define LIB_QUEUE_QUEUE_CRC_H

/*
 * CRC-32C (Castagnoli, RFC 3720 appendix B.4), for what the disk may do to a
 * queue file. It keeps no adversary out.
 */

#include <stddef.h>
#include <stdint.h>

/* Goes on from "crc"; 0 begins. */
uint32_t queue_crc(uint32_t crc, const void *data, size_t n);

#endif
