/* SPDX-License-Identifier: ISC */
#include "imapd/search_return.h"

#include <inttypes.h>

static const struct {
	const char *name;
	enum search_option option;
} names[] = {
	{ "MIN", RETURN_MIN },
	{ "MAX", RETURN_MAX },
	{ "COUNT", RETURN_COUNT },
	{ "ALL", RETURN_ALL },
	{ "PARTIAL", RETURN_PARTIAL },
	{ "SAVE", RETURN_SAVE },
	{ "CONTEXT", RETURN_CONTEXT },
	{ "UPDATE", RETURN_UPDATE },
};

static unsigned int
option_of(const struct imap_arg *a)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (imap_arg_is(a, names[i].name))
			return names[i].option;
	return 0;
}

static bool
end_of_range(struct span *s, bool *negative, uint32_t *out)
{
	struct span digits;
	uint64_t value;

	*negative = s->n > 0 && s->p[0] == '-';
	if (*negative)
		*s = span_skip(*s, 1);
	digits = span_take(*s, span_find(*s, ':'));
	if (!span_u64(digits, UINT32_MAX, &value) || value == 0 ||
	    digits.p[0] == '0')
		return false;
	*s = span_skip(*s, digits.n);
	*out = (uint32_t)value;
	return true;
}

/* "1:500"; both ends or none with a minus sign (RFC 9394 section 4). */
static bool
parse_range(struct span s, struct search_return *out)
{
	bool negative;

	if (!end_of_range(&s, &out->last, &out->first_asked) || s.n == 0 ||
	    s.p[0] != ':')
		return false;
	s = span_skip(s, 1);
	if (!end_of_range(&s, &negative, &out->last_asked) || s.n != 0)
		return false;
	out->low = out->first_asked < out->last_asked ? out->first_asked :
							out->last_asked;
	out->high = out->first_asked < out->last_asked ? out->last_asked :
							 out->first_asked;
	return negative == out->last;
}

static bool
parse_options(const struct imap_arg *list, struct search_return *out,
    const char **error)
{
	struct span range;

	for (; list->type != IMAP_END; list++) {
		unsigned int option = option_of(list);

		*error = "Unknown search return option";
		if (option == 0)
			return false;
		*error = "Search return option given twice";
		if ((out->options & option) != 0)
			return false;
		out->options |= option;
		if (option != RETURN_PARTIAL)
			continue;
		list++;
		*error = "PARTIAL wants a range";
		if (list->type == IMAP_END || !imap_arg_atom(list, &range) ||
		    !parse_range(range, out))
			return false;
	}
	*error = "PARTIAL and ALL exclude each other";
	return (out->options & RETURN_PARTIAL) == 0 ||
	    (out->options & RETURN_ALL) == 0;
}

bool
search_return_parse(const struct imap_arg **args, size_t *count,
    struct search_return *out, const char **error)
{
	const unsigned int hints = RETURN_CONTEXT | RETURN_UPDATE;
	const struct imap_arg *list;

	*out = (struct search_return){ 0 };
	if (*count < 1 || !imap_arg_is(*args, "RETURN"))
		return true;
	*error = "RETURN wants a list";
	if (*count < 2 || !imap_arg_list(*args + 1, &list) ||
	    !parse_options(list, out, error))
		return false;
	out->given = true;
	/* RFC 4731 section 3.1: "()" is ALL; hints say nothing about it */
	if ((out->options & ~hints) == 0 && (out->options & RETURN_UPDATE) == 0)
		out->options |= RETURN_ALL;
	*args += 2;
	*count -= 2;
	return true;
}

uint64_t
search_return_most(const struct search_return *r, bool *backward)
{
	unsigned int options =
	    r->options & ~(unsigned int)(RETURN_SAVE | RETURN_CONTEXT);

	*backward = false;
	if (options == RETURN_MIN)
		return 1;
	*backward = true;
	if (options == RETURN_MAX)
		return 1;
	*backward = r->last;
	return options == RETURN_PARTIAL ? r->high : 0;
}

void
search_return_partial(const struct search_return *r, uint64_t n, uint64_t *from,
    uint64_t *count)
{
	uint64_t low = r->low - 1, high = r->high < n ? r->high : n;

	*count = high > low ? high - low : 0;
	*from = r->last ? n - high : low;
}

void
search_return_range(const struct search_return *r, struct buf *out)
{
	const char *sign = r->last ? "-" : "";

	buf_printf(out, "%s%" PRIu32 ":%s%" PRIu32, sign, r->first_asked, sign,
	    r->last_asked);
}
