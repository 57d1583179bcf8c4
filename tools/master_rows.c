/* SPDX-License-Identifier: ISC */
#include "tools/master_rows.h"

#include <ctype.h>
#include <string.h>

#include "lib/conf/conf_parts.h"

enum { FOLD_COLUMN = 80 };

static const char *const field_names[ROW_FIELDS] = { "service", "type",
	"private", "unprivileged", "chroot", "wakeup", "process_limit",
	"command" };

const char *
row_field_name(int field)
{
	return field_names[field];
}

int
row_field_find(struct span name)
{
	for (int f = 0; f < ROW_FIELDS; f++)
		if (span_is(name, field_names[f]))
			return f;
	return ROW_FIELDS;
}

static bool
blank(char c)
{
	return isspace((unsigned char)c);
}

static bool
has_blank(struct span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (blank(s.p[i]))
			return true;
	return false;
}

/* The next word; braces within it keep blanks together. */
static bool
take_word(struct span *rest, bool braces, struct span *word)
{
	struct span s = span_trim(*rest);
	size_t n = 0, level = 0;

	for (; n < s.n; n++) {
		if (braces && s.p[n] == '{')
			level++;
		else if (level > 0 && s.p[n] == '}')
			level--;
		else if (level == 0 && blank(s.p[n]))
			break;
	}
	*word = span_take(s, n);
	*rest = span_skip(s, n);
	return n > 0;
}

/* "{ text }": the text. What is wrong with it is said, and put up with. */
static struct span
unbraced(struct span word, struct buf *warnings)
{
	size_t level = 0, n;

	for (n = 0; n < word.n; n++) {
		if (word.p[n] == '{')
			level++;
		else if (word.p[n] == '}' && --level == 0)
			break;
	}
	if (n == word.n)
		buf_printf(warnings, "master.cf: missing '}' in \"%.*s\"\n",
		    SPAN_ARG(word));
	else if (n + 1 < word.n)
		buf_printf(warnings,
		    "master.cf: syntax error after '}' in \"%.*s\"\n",
		    SPAN_ARG(word));
	return span_trim((struct span){ word.p + 1, n - 1 });
}

static void
add_word(struct arena *a, struct master_row *row, struct row_word word)
{
	struct row_word *list =
	    arena_alloc(a, (row->count + 1) * sizeof(*list));

	if (row->count > 0)
		memcpy(list, row->words, row->count * sizeof(*list));
	list[row->count++] = word;
	row->words = list;
}

static struct span
joined(struct arena *a, struct span name, struct span value)
{
	return span_of(
	    arena_printf(a, "%.*s=%.*s", SPAN_ARG(name), SPAN_ARG(value)));
}

/* What stands behind "-o". */
static void
add_setting(struct arena *a, struct master_row *row, struct span word,
    struct buf *warnings)
{
	struct span name, value;
	const char *wrong;

	if (word.n > 0 && word.p[0] == '{') {
		word = unbraced(word, warnings);
		wrong = conf_split(word, &name, &value);
		if (wrong != NULL)
			buf_printf(warnings, "master.cf: %s: \"%.*s\"\n", wrong,
			    SPAN_ARG(word));
		else
			word = joined(a, name, value);
	}
	add_word(a, row,
	    (struct row_word){ .text = word, .option = true, .setting = true });
}

/*
 * The words behind the command: options of ours up to the first other word.
 * Braces around one of those go where nothing is lost by it.
 */
static void
add_words(struct arena *a, struct master_row *row, struct span rest,
    struct buf *warnings)
{
	bool options = true;
	struct span word, inside;

	while (take_word(&rest, true, &word)) {
		if (options && word.p[0] == '{') {
			inside = unbraced(word, warnings);
			if (inside.n > 0 && inside.p[0] != '{' &&
			    (inside.p[0] == '-' || !has_blank(inside)))
				word = inside;
		}
		options = options && word.p[0] == '-' && !span_is(word, "--");
		if (!options || !span_starts(word, "-o")) {
			add_word(a, row,
			    (struct row_word){ .text = word,
				.option = options });
			continue;
		}
		inside = span_trim(span_skip(word, 2));
		add_word(a, row,
		    (struct row_word){ .text = SPAN("-o"), .option = true });
		if (inside.n > 0 || take_word(&rest, true, &inside))
			add_setting(a, row, inside, warnings);
	}
}

static bool
is_number(struct span s)
{
	uint64_t value;

	return span_u64(s, INT32_MAX, &value);
}

static bool
plausible(int field, struct span value)
{
	static const char *const types[] = { "inet", "unix", "fifo", "pass",
		"unix-dgram" };

	switch (field) {
	case ROW_TYPE:
		for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
			if (span_is(value, types[i]))
				return true;
		return false;
	case ROW_PRIVATE:
	case ROW_UNPRIVILEGED:
	case ROW_CHROOT:
		return span_is(value, "y") || span_is(value, "n") ||
		    span_is(value, "-");
	case ROW_WAKEUP:
		if (value.n > 1 && value.p[value.n - 1] == '?')
			value.n--;
		return span_is(value, "-") || is_number(value);
	case ROW_LIMIT:
		return span_is(value, "-") || is_number(value);
	default:
		return value.n > 0;
	}
}

bool
row_field_valid(int field, struct span value, struct span line,
    struct buf *error)
{
	if (plausible(field, value))
		return true;
	buf_printf(error, "invalid %s field \"%.*s\" in \"%.*s\"",
	    field_names[field], SPAN_ARG(value), SPAN_ARG(line));
	return false;
}

struct master_row *
row_parse(struct arena *a, struct span line, struct buf *error,
    struct buf *warnings)
{
	struct master_row *row = arena_alloc(a, sizeof(*row));
	struct span rest = span_of(arena_span(a, line));

	line = rest;
	for (int f = 0; f < ROW_FIELDS; f++)
		if (!take_word(&rest, false, &row->field[f])) {
			buf_add_text(error, "bad field count");
			return NULL;
		}
	for (int f = 0; f < ROW_FIELDS; f++)
		if (!row_field_valid(f, row->field[f], line, error))
			return NULL;
	add_words(a, row, rest, warnings);
	return row;
}

bool
row_names(struct span line, struct master_row *row)
{
	*row = (struct master_row){ .count = 0 };
	return take_word(&line, false, &row->field[ROW_SERVICE]) &&
	    take_word(&line, false, &row->field[ROW_TYPE]);
}

bool
row_set_command(struct arena *a, struct master_row *row, struct span command,
    struct buf *warnings)
{
	struct span rest = span_of(arena_span(a, command)), word;

	if (!take_word(&rest, false, &word))
		return false;
	row->field[ROW_COMMAND] = word;
	row->words = NULL;
	row->count = 0;
	add_words(a, row, rest, warnings);
	return true;
}

bool
row_setting(const struct row_word *w, struct span *name, struct span *value)
{
	return w->setting && conf_split(w->text, name, value) == NULL;
}

struct row_word *
row_find(const struct master_row *row, struct span name)
{
	struct span found, value;

	for (size_t i = row->count; i > 0; i--)
		if (row_setting(&row->words[i - 1], &found, &value) &&
		    span_equal(found, name))
			return &row->words[i - 1];
	return NULL;
}

/* Where the options end. */
static size_t
options_end(const struct master_row *row)
{
	size_t n = 0;

	while (n < row->count && row->words[n].option)
		n++;
	return n;
}

static void
insert(struct arena *a, struct master_row *row, size_t at, struct row_word word)
{
	add_word(a, row, word);
	memmove(row->words + at + 1, row->words + at,
	    (row->count - 1 - at) * sizeof(word));
	row->words[at] = word;
}

void
row_set(struct arena *a, struct master_row *row, struct span name,
    struct span text)
{
	struct span found, value;
	bool any = false;
	size_t end;

	text = span_of(arena_span(a, text));
	for (size_t i = 0; i < row->count; i++) {
		if (!row_setting(&row->words[i], &found, &value) ||
		    !span_equal(found, name))
			continue;
		row->words[i].text = text;
		any = true;
	}
	if (any)
		return;
	end = options_end(row);
	insert(a, row, end,
	    (struct row_word){ .text = text, .option = true, .setting = true });
	insert(a, row, end,
	    (struct row_word){ .text = SPAN("-o"), .option = true });
}

bool
row_remove(struct master_row *row, struct span name)
{
	struct span found, value;
	size_t kept = 0, i;

	for (i = 0; i < row->count; i++) {
		if (row_setting(&row->words[i], &found, &value) &&
		    span_equal(found, name) && kept > 0) {
			kept--; /* its "-o" */
			continue;
		}
		row->words[kept++] = row->words[i];
	}
	row->count = kept;
	return kept < i;
}

/* Column of each field. */
static const size_t columns[ROW_FIELDS] = { 0, 11, 17, 25, 33, 41, 49, 57 };

struct folding {
	struct buf *out;
	size_t column;
	bool fold;
};

static void
put_word(struct folding *f, struct span word, bool new_line)
{
	if (f->fold && (new_line || f->column + 1 + word.n >= FOLD_COLUMN)) {
		buf_add_text(f->out, "\n    ");
		f->column = 4;
	} else {
		buf_add_char(f->out, ' ');
		f->column++;
	}
	buf_add_span(f->out, word);
	f->column += word.n;
}

static void
put_setting(struct folding *f, struct span text)
{
	bool braces = has_blank(text);

	buf_printf(f->out, " %s%.*s%s", braces ? "{" : "", SPAN_ARG(text),
	    braces ? "}" : "");
}

void
row_put_command(const struct master_row *row, bool fold, size_t column,
    struct buf *out)
{
	struct folding f = { out, column + row->field[ROW_COMMAND].n, fold };
	bool lines = false; /* settings stand on lines of their own */

	buf_add_span(out, row->field[ROW_COMMAND]);
	for (size_t i = 0; i < row->count; i++) {
		const struct row_word *w = &row->words[i];

		if (w->setting) {
			put_setting(&f, w->text);
			continue;
		}
		if (i + 1 < row->count && row->words[i + 1].setting) {
			put_word(&f, w->text, true);
			lines = true;
			continue;
		}
		put_word(&f, w->text, lines);
		lines = false; /* what follows it stays with it */
	}
}

void
row_put(const struct master_row *row, bool fold, struct buf *out)
{
	size_t column = 0;

	for (int f = 0; f < ROW_COMMAND; f++) {
		buf_add_span(out, row->field[f]);
		column += row->field[f].n;
		do {
			buf_add_char(out, ' ');
			column++;
		} while (column < columns[f + 1]);
	}
	row_put_command(row, fold, column, out);
}
