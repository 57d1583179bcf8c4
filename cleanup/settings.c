/* SPDX-License-Identifier: ISC */
#include "cleanup/settings.h"

#include "lib/log/log.h"

/* "" for what no program of this build has. */
static const char *
value(struct conf *c, const char *name)
{
	const char *text = conf_value(c, name);

	return text ? text : "";
}

static bool
any_set(struct conf *c, const char *const *names)
{
	for (; *names != NULL; names++)
		if (value(c, *names)[0] != '\0')
			return true;
	return false;
}

static struct span
service_of(const char *transport)
{
	struct span s = span_of(transport);

	return span_take(s, span_find(s, ':'));
}

/* A site that asked for a filter gets no mail past it. */
static void
read_set(const char *setting, const char *text, struct character_set *set)
{
	if (!character_set_parse(span_of(text), set))
		fatal("%s: bad character: %s", setting, text);
}

void
settings_derive(struct settings *s, struct conf *c)
{
	static const char *const sender[] = { "canonical_maps",
		"sender_canonical_maps", "masquerade_domains", NULL };
	static const char *const headers[] = { "canonical_maps",
		"sender_canonical_maps", "recipient_canonical_maps",
		"masquerade_domains", NULL };

	s->local_transport = service_of(value(c, "local_transport"));
	s->virtual_transport = service_of(value(c, "virtual_transport"));
	s->rewrites_sender = any_set(c, sender);
	s->rewrites_headers = any_set(c, headers);
	s->rules = rewrite_rules_of(c, &s->common);
	s->delimiter = s->common.recipient_delimiter;
	read_set("message_reject_characters", s->own.message_reject_characters,
	    &s->rejected);
	read_set("message_strip_characters", s->own.message_strip_characters,
	    &s->stripped);
}
