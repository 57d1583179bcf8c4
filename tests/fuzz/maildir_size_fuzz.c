/* SPDX-License-Identifier: ISC */
/* A maildirsize file, and quota rules, of any bytes. */
#include "lib/store/maildir_size.h"

#include <stddef.h>

#include "lib/store/quota_rule.h"
#include "lib/base/ensure.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = { (const char *)data, size };
	struct maildir_size s;
	struct quota_rule rule;

	if (maildir_size_parse(text, &s)) {
		if (s.bytes_limit == 0 && s.messages_limit == 0)
			ensure(maildir_size_allows(&s, UINT64_MAX, 1));
		else if (s.bytes_limit > 0)
			ensure(!maildir_size_allows(&s, s.bytes_limit + 1, 1));
	}
	if (quota_rule_parse(text, &rule))
		ensure(rule.bytes <= INT64_MAX && rule.messages <= INT64_MAX);
	return 0;
}
