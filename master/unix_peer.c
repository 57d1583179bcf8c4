/* SPDX-License-Identifier: ISC */
#include "master/unix_peer.h"

#include <string.h>

static bool
parts_words(char c)
{
	return c == '\0' || strchr(" \t\r\n,{}=", c) != NULL;
}

bool
unix_peer_in_value(const char *value, const char *name)
{
	size_t n = strlen(name);

	if (strncmp(name, "unix:", 5) != 0 || n == 5)
		return false;
	for (const char *p = strstr(value, name); p != NULL;
	     p = strstr(p + 1, name)) {
		/* "lmtp:unix:PATH" is how transports are written */
		bool begins = p == value || p[-1] == ':' || parts_words(p[-1]);

		if (begins && parts_words(p[n]))
			return true;
	}
	return false;
}

struct search {
	struct conf *conf;
	const char *name;
	bool found;
};

static void
look_in_setting(void *with, const char *setting, const char *raw,
    const char *origin)
{
	struct search *s = with;
	const char *value = conf_value(s->conf, setting);

	(void)origin;
	s->found = s->found || unix_peer_in_value(raw, s->name) ||
	    (value != NULL && unix_peer_in_value(value, s->name));
}

/* A socket of ours is reached by its service's name, and by programs.def. */
static bool
is_ours(const struct plan *p, const char *path)
{
	for (size_t i = 0; i < p->count; i++)
		for (size_t k = 0; k < p->services[i].endpoints.count; k++) {
			const char *own = p->services[i].endpoints.list[k].path;

			if (own != NULL && strcmp(own, path) == 0)
				return true;
		}
	return false;
}

bool
unix_peer_allowed(const struct plan *p, const char *name)
{
	struct search s = { p->conf, name, false };

	if (strncmp(name, "unix:", 5) != 0 || is_ours(p, name + 5))
		return false;
	conf_each(p->conf, look_in_setting, &s);
	for (size_t i = 0; i < p->cf->count && !s.found; i++)
		for (char **o = p->cf->entries[i].overrides; o && *o; o++)
			s.found = s.found || unix_peer_in_value(*o, name);
	return s.found;
}
