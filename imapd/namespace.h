/* SPDX-License-Identifier: ISC */
#ifndef IMAPD_NAMESPACE_H
#define IMAPD_NAMESPACE_H

/* NAMESPACE (RFC 2342, RFC 9051 section 6.3.10). */

#include "imapd/session.h"

imap_command_function namespace_command;

#endif
