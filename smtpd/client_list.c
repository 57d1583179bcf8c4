/* SPDX-License-Identifier: ISC */
#include "smtpd/client_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/fdio.h"
#include "lib/base/mem.h"
#include "lib/conf/conf.h"
#include "lib/log/log.h"
#include "lib/table/network.h"
#include "smtpd/ask.h"

enum { FILE_MAX = 1 << 20, DEPTH_MAX = 8 };

struct pattern {
	char *text;
	bool negated;
	bool table; /* type:name */
	bool network; /* an address or network */
	bool any; /* static:, which has everything */
};

struct client_list {
	const char *setting;
	bool parents_match;
	struct pattern *patterns;
	size_t count;
	size_t room;
};

static bool
is_network(struct span text)
{
	struct address any;
	bool valid = false;

	address_parse_ip(SPAN("127.0.0.1"), 0, &any);
	address_in_network(&any, text, &valid);
	return valid;
}

static void
add_pattern(struct client_list *l, struct span text, bool negated,
    struct buf *error)
{
	struct pattern *p;

	if (l->count == l->room) {
		l->room = l->room ? l->room * 2 : 8;
		l->patterns =
		    mem_resize(l->patterns, l->room * sizeof(*l->patterns));
	}
	p = &l->patterns[l->count++];
	*p = (struct pattern){
		.text = mem_span_text(text),
		.negated = negated,
		.network = is_network(text),
	};
	p->any = span_starts(text, "static:");
	p->table =
	    !p->network && text.p[0] != '[' && span_find(text, ':') < text.n;
	if (!p->network && !p->table && network_meant(text))
		buf_printf(error, "%s: no network: \"%.*s\"\n", l->setting,
		    SPAN_ARG(text));
}

static void add_all(struct client_list *l, struct span text, bool negated,
    unsigned int depth, struct buf *error);

/* A file of patterns, "#" begins a comment line. */
static void
add_file(struct client_list *l, struct span path, bool negated,
    unsigned int depth, struct buf *error)
{
	struct buf text = BUF_INIT(FILE_MAX);
	char *name = mem_span_text(path);
	int fd = open(name, O_RDONLY | O_CLOEXEC);
	struct span rest, line;

	if (depth >= DEPTH_MAX) {
		buf_printf(error, "%s: files name each other: %s\n", l->setting,
		    name);
	} else if (fd < 0 || fd_read_whole(fd, &text) < 0) {
		buf_printf(error, "%s: %s: %s\n", l->setting, name,
		    strerror(errno));
	} else {
		rest = buf_span(&text);
		while (span_cut(&rest, "\n", true, &line)) {
			line = span_trim(line);
			if (line.n > 0 && line.p[0] != '#')
				add_all(l, line, negated, depth + 1, error);
		}
	}
	fd_close(&fd);
	free(name);
	buf_fini(&text);
}

static void
add_all(struct client_list *l, struct span text, bool negated,
    unsigned int depth, struct buf *error)
{
	struct span item;

	while (conf_list_next(&text, &item)) {
		bool no = negated;

		while (item.n > 0 && item.p[0] == '!') {
			no = !no;
			item = span_trim(span_skip(item, 1));
		}
		if (item.n == 0)
			continue;
		if (item.p[0] == '/')
			add_file(l, item, no, depth, error);
		else
			add_pattern(l, item, no, error);
	}
}

struct client_list *
client_list_new(const char *setting, const char *text, bool parents_match,
    struct buf *error)
{
	struct client_list *l = mem_new(sizeof(*l));

	l->setting = setting;
	l->parents_match = parents_match;
	add_all(l, span_of(text), false, 0, error);
	return l;
}

bool
client_list_empty(const struct client_list *l)
{
	return l->count == 0;
}

/* "example.test" or ".example.test" against a host name. */
static bool
name_matches(const struct client_list *l, struct span pattern, struct span name)
{
	if (span_equal_nocase(pattern, name))
		return true;
	if (name.n <= pattern.n || pattern.n == 0)
		return false;
	name = span_skip(name, name.n - pattern.n - 1);
	if (pattern.p[0] == '.')
		return span_equal_nocase(pattern, span_skip(name, 1));
	return l->parents_match && name.p[0] == '.' &&
	    span_equal_nocase(pattern, span_skip(name, 1));
}

static enum table_result
table_matches(const struct client_list *l, const struct pattern *p,
    struct span address, struct span name)
{
	struct buf value = BUF_INIT(TABLE_VALUE_MAX);
	enum table_result r = ask_tables(p->text, &name, 1, &value);

	if (r == TABLE_NONE)
		r = ask_tables(p->text, &address, 1, &value);
	if (r == TABLE_AGAIN || r == TABLE_BROKEN)
		log_warning("%s: %s: %s", l->setting, p->text,
		    buf_text(&value));
	buf_fini(&value);
	return r;
}

static enum table_result
pattern_matches(const struct client_list *l, const struct pattern *p,
    const struct address *address, struct span address_text, struct span name)
{
	struct span text = span_of(p->text);
	bool valid;

	if (p->any)
		return TABLE_FOUND;
	if (p->table)
		return table_matches(l, p, address_text, name);
	if (p->network)
		return address_is_ip(address) &&
			address_in_network(address, text, &valid) ?
		    TABLE_FOUND :
		    TABLE_NONE;
	return name_matches(l, text, name) ? TABLE_FOUND : TABLE_NONE;
}

enum table_result
client_list_match(const struct client_list *l, const struct address *address,
    struct span address_text, struct span name)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct pattern *p = &l->patterns[i];
		enum table_result r =
		    pattern_matches(l, p, address, address_text, name);

		if (r == TABLE_FOUND)
			return p->negated ? TABLE_NONE : TABLE_FOUND;
		if (r != TABLE_NONE)
			return r;
	}
	return TABLE_NONE;
}

enum table_result
client_list_match_word(const struct client_list *l, struct span word)
{
	static const struct address none;

	return client_list_match(l, &none, word, word);
}
