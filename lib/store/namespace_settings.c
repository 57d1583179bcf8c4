/* SPDX-License-Identifier: ISC */
#include "lib/store/namespace_settings.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/base/span.h"

enum { NAME_MAX_BYTES = 200 };

static bool
good_name(struct span name, char separator)
{
	if (name.n == 0 || name.n > NAME_MAX_BYTES ||
	    span_is_nocase(name, "INBOX") || name.p[0] == separator ||
	    name.p[name.n - 1] == separator)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if ((unsigned char)name.p[i] < ' ' || name.p[i] == 0x7f ||
		    name.p[i] == '*' || name.p[i] == '%')
			return false;
	return true;
}

static bool
is_taken(const struct namespace_settings *s, struct span name)
{
	if (s->shared_name != NULL && span_is(name, s->shared_name))
		return true;
	for (size_t i = 0; i < s->count; i++)
		if (span_is(name, s->trees[i].name))
			return true;
	return false;
}

static bool
take_prefix(struct namespace_settings *s, const char *prefix, struct why *why)
{
	if (prefix[0] == '\0')
		return true;
	if (!good_name(span_of(prefix), s->separator)) {
		why_set(why, "4.3.5", "\"%s\" cannot be the name of a folder",
		    prefix);
		return false;
	}
	s->shared_name = mem_text(prefix);
	s->shared = mem_printf("%s%c", prefix, s->separator);
	return true;
}

static bool
take_tree(struct namespace_settings *s, struct span row, struct why *why)
{
	size_t equals = span_find(row, '=');
	struct span name = span_trim(span_take(row, equals));
	struct span location = span_trim(span_skip(row, equals + 1));

	if (equals == row.n || s->count == PUBLIC_TREES_MAX ||
	    !good_name(name, s->separator) ||
	    span_find(name, s->separator) < name.n || location.n == 0 ||
	    is_taken(s, name)) {
		why_set(why, "4.3.5",
		    "\"%.*s\" is not a name of one level, given once, an"
		    " equals sign, and a location such as maildir:/path (at"
		    " most %d of them)",
		    SPAN_ARG(row), PUBLIC_TREES_MAX);
		return false;
	}
	s->trees[s->count].name = mem_span_text(name);
	s->trees[s->count++].location = mem_span_text(location);
	return true;
}

static bool
take_trees(struct namespace_settings *s, const char *text, struct why *why)
{
	struct span rest = span_of(text), one;

	while (span_cut(&rest, ",", true, &one)) {
		one = span_trim(one);
		if (one.n > 0 && !take_tree(s, one, why))
			return false;
	}
	return true;
}

static bool
take_owners(struct namespace_settings *s, const char *text, struct why *why)
{
	struct span rest = span_of(text), one;
	size_t n = 0;

	while (span_cut(&rest, ", \t", true, &one)) {
		if (one.n == 0)
			continue;
		if (n == PUBLIC_OWNERS_MAX) {
			why_set(why, "4.3.5", "more than %d accounts",
			    PUBLIC_OWNERS_MAX);
			return false;
		}
		s->owners[n++] = mem_span_text(one);
	}
	return true;
}

bool
namespace_settings_parse(const struct namespace_texts *texts, char separator,
    struct namespace_settings *out, const char **setting, struct why *why)
{
	*out = (struct namespace_settings){ .separator = separator };
	*setting = "mail_shared_prefix";
	if (!take_prefix(out, texts->shared_prefix, why))
		return false;
	*setting = "mail_public_folders";
	if (!take_trees(out, texts->public_folders, why))
		return false;
	*setting = "mail_public_owners";
	return take_owners(out, texts->public_owners, why);
}

void
namespace_settings_fini(struct namespace_settings *s)
{
	free(s->shared_name);
	free(s->shared);
	for (size_t i = 0; i < s->count; i++) {
		free(s->trees[i].name);
		free(s->trees[i].location);
	}
	for (size_t i = 0; s->owners[i] != NULL; i++)
		free(s->owners[i]);
}
