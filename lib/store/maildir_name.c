/* SPDX-License-Identifier: ISC */
/* Names and lines, no files. */
#include "lib/store/maildir_list.h"

#include <string.h>

/* "...,S=123,W=130": the number behind ",X=". */
static uint64_t
number_in(struct span base, const char *key)
{
	struct span rest = base, part;
	uint64_t value;

	(void)span_cut(&rest, ",", false, &part);
	while (span_cut(&rest, ",", false, &part))
		if (span_starts(part, key) &&
		    span_u64(span_skip(part, strlen(key)),
			UINT64_C(1) << MAILDIR_SIZE_MAX_BITS, &value))
			return value;
	return UINT64_MAX;
}

struct span
maildir_name_base(struct span name, uint64_t *uid)
{
	struct span stem = span_take(name, span_find(name, ':'));
	size_t comma = span_rfind(stem, ',');
	struct span last = span_skip(stem, comma);

	*uid = 0;
	if (comma == 0 || !span_starts(last, ",U=") ||
	    !span_u64(span_skip(last, 3), UINT32_MAX, uid) || *uid == 0) {
		*uid = 0;
		return stem;
	}
	return span_take(stem, comma);
}

bool
maildir_name_parse(struct span name, struct maildir_message *out)
{
	struct span stem = span_take(name, span_find(name, ':')), base;
	size_t digits = 0;
	uint64_t uid;

	base = maildir_name_base(name, &uid);
	*out = (struct maildir_message){ .base = base.n,
		.stem = stem.n,
		.named_uid = uid };
	if (base.n == 0 || name.p[0] == '.')
		return false;
	while (digits < base.n && digits < 18 && base.p[digits] >= '0' &&
	    base.p[digits] <= '9')
		digits++;
	(void)span_u64(span_take(base, digits), UINT64_MAX, &out->seconds);
	out->stored = number_in(base, "S=");
	out->size = number_in(base, "W=");
	return true;
}

static const char *
flags_of(const char *name)
{
	const char *colon = strchr(name, ':');

	return colon == NULL || strncmp(colon, ":2,", 3) != 0 ? "" : colon + 3;
}

bool
maildir_name_has(const char *name, char flag)
{
	return strchr(flags_of(name), flag) != NULL;
}

/* Sorted, each once, as the Maildir convention wants them. */
void
maildir_name_with(const char *name, size_t stem, const char *flags,
    char out[256])
{
	const char *old = flags_of(name);
	size_t n = stem < 200 ? stem : 200;

	memcpy(out, name, n);
	memcpy(out + n, ":2,", 3);
	n += 3;
	for (int c = '!'; c <= '~' && n < 255; c++)
		if (strchr(old, c) != NULL || strchr(flags, c) != NULL)
			out[n++] = (char)c;
	out[n] = '\0';
}

static bool
next_word(struct span *rest, struct span *word)
{
	return span_cut(rest, " ", true, word) && word->n > 0;
}

/* "3 V1275660208 N25022 G3085f0...", or "1 VALIDITY NEXT". */
bool
maildir_uidlist_header(struct span line, uint64_t *validity)
{
	struct span rest = line, word;

	if (!next_word(&rest, &word))
		return false;
	if (span_is(word, "1"))
		return next_word(&rest, &word) &&
		    span_u64(word, UINT32_MAX, validity);
	if (!span_is(word, "3"))
		return false;
	while (next_word(&rest, &word))
		if (word.p[0] == 'V')
			return span_u64(span_skip(word, 1), UINT32_MAX,
			    validity);
	return false;
}

/* "25006 W2481 Pname :1276528487.M364837P9451.kurkku,S=1355,W=1394:2," */
bool
maildir_uidlist_line(struct span line, struct maildir_note *out)
{
	struct span rest = line, word;
	uint64_t named;

	*out = (struct maildir_note){ .size = UINT64_MAX };
	if (!next_word(&rest, &word) ||
	    !span_u64(word, UINT32_MAX, &out->uid) || out->uid == 0)
		return false;
	while (rest.n > 0 && rest.p[0] != ':') {
		uint64_t size;

		/* version 1: the name follows the number */
		if (!span_cut(&rest, " ", false, &word))
			return false;
		if (rest.n == 0) {
			out->base = word;
			break;
		}
		if (word.n > 1 && word.p[0] == 'P')
			out->pop3_name = span_skip(word, 1);
		else if (word.n > 1 && word.p[0] == 'G')
			out->guid = span_skip(word, 1);
		else if (word.n > 1 && word.p[0] == 'W' &&
		    span_u64(span_skip(word, 1),
			UINT64_C(1) << MAILDIR_SIZE_MAX_BITS, &size))
			out->size = size;
	}
	if (rest.n > 0)
		out->base = span_skip(rest, 1);
	out->base = maildir_name_base(out->base, &named);
	return out->base.n > 0;
}

bool
maildir_sizes_line(struct span line, struct maildir_note *out)
{
	struct span rest = line, word;

	*out = (struct maildir_note){ .size = UINT64_MAX };
	if (!span_cut(&rest, " ", false, &word) ||
	    !span_u64(word, UINT64_C(1) << MAILDIR_SIZE_MAX_BITS, &out->size))
		return false;
	out->base = rest;
	return rest.n > 0;
}
