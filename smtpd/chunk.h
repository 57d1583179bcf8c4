/* SPDX-License-Identifier: ISC */
#ifndef SMTPD_CHUNK_H
#define SMTPD_CHUNK_H

#include "smtpd/session.h"

/*
 * Reads and forgets the bytes behind a BDAT that was refused, so that they
 * are never taken for commands; ends the session if it cannot tell how many
 * they are.
 */
void chunk_skip(struct session *s, struct span arguments);

#endif
