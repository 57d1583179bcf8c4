/* SPDX-License-Identifier: ISC */
#ifndef CLEANUP_CONTENT_RULES_H
#define CLEANUP_CONTENT_RULES_H

/*
 * What a site does not want in the content of mail from outside: bytes
 * (message_reject_characters, message_strip_characters), and what MIME forbids
 * (strict_*). Costs nothing where no such setting is on.
 */

#include "cleanup/line_ends.h"
#include "cleanup/settings.h"
#include "lib/base/why.h"

struct content_rules;

/* NULL: every content passes. "smtputf8": the client has asked for it. */
struct content_rules *
content_rules_new(const struct settings *set, bool smtputf8);
/*
 * Takes content with CRLF line ends and emits what is to be kept. Not OK: the
 * message is refused, *why says why.
 */
enum verdict content_rules_feed(struct content_rules *r, struct span in,
    line_ends_emit *emit, void *with, struct why *why);
enum verdict content_rules_end(struct content_rules *r, struct why *why);
void content_rules_free(struct content_rules **r);

#endif
