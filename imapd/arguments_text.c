/* SPDX-License-Identifier: ISC */
#include "imapd/arguments_text.h"

#include "lib/imap/imap_parse.h"

static bool
write_quoted(struct span text, struct buf *out)
{
	buf_add_char(out, '"');
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c < ' ' || c == 0x7f)
			return false;
		if (c == '"' || c == '\\')
			buf_add_char(out, '\\');
		buf_add_char(out, (char)c);
	}
	buf_add_char(out, '"');
	return true;
}

static bool
write_argument(const struct imap_arg *a, struct buf *out)
{
	bool good;

	switch (a->type) {
	case IMAP_ATOM:
		return buf_add_span(out, a->text);
	case IMAP_NIL:
		return buf_add_text(out, "NIL");
	case IMAP_QUOTED:
	case IMAP_LITERAL:
		return write_quoted(a->text, out);
	case IMAP_LIST:
		buf_add_char(out, '(');
		good = arguments_text_write(a->list, out);
		buf_add_char(out, ')');
		return good;
	default:
		return false;
	}
}

/* As deep as a command may be. */
bool
arguments_text_write(const struct imap_arg *a, struct buf *out)
{
	for (const char *between = ""; a->type != IMAP_END; a++) {
		buf_add_text(out, between);
		if (!write_argument(a, out))
			return false;
		between = " ";
	}
	return !out->overflow;
}

bool
arguments_text_read(struct span text, struct arena *arena,
    const struct imap_arg **out, size_t *count)
{
	struct imap_limits limits = imap_limits_session;
	struct imap_parse parse;
	bool good;

	limits.utf8 = true;
	text.p = arena_span(arena, text);
	imap_parse_init(&parse, arena, &limits);
	/* as it stands behind the command's name */
	good = imap_parse_line(&parse, text, false) &&
	    imap_parse_end(&parse, out, count);
	imap_parse_fini(&parse);
	return good;
}
