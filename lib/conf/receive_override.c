/* SPDX-License-Identifier: ISC */
#include "lib/conf/receive_override.h"

static const char setting[] = "receive_override_options";

static const struct {
	const char *name;
	enum receive_override bit;
} words[] = {
	{ "no_unknown_recipient_checks", RECEIVE_UNKNOWN_RECIPIENTS },
	{ "no_address_mappings", RECEIVE_UNMAPPED },
	{ "no_header_body_checks", RECEIVE_UNCHECKED },
	{ "no_milters", RECEIVE_UNFILTERED },
};

static unsigned int
bit_of(struct span word)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (span_is(word, words[i].name))
			return words[i].bit;
	return 0;
}

static unsigned int
parse(const char *list, const char *origin, struct buf *error)
{
	struct span rest = span_of(list), word;
	unsigned int found = 0;

	while (conf_list_next(&rest, &word)) {
		unsigned int bit = bit_of(word);

		found |= bit;
		if (bit == 0)
			buf_printf(error,
			    "%s%s%s: there is no option \"%.*s\"\n", origin,
			    origin[0] != '\0' ? ": " : "", setting,
			    SPAN_ARG(span_take(word, 200)));
	}
	return found;
}

unsigned int
receive_override_parse(const char *list, struct buf *error)
{
	return parse(list, "", error);
}

void
receive_override_check(struct conf *c, struct buf *errors)
{
	(void)parse(conf_value(c, setting), conf_origin(c, setting), errors);
}
