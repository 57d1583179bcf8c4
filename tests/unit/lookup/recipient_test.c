/* SPDX-License-Identifier: ISC */
/* Settings and an address: class, existence, delivery, expansion. */
#include "lookup/recipient.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log/log.h"
#include "lib/table/table.h"

/* What every row begins with; a row's own settings come behind it. */
#define BASE \
	"compatibility_level = 3.6\n" \
	"myhostname = mx.example.test\n" \
	"mydomain = example.test\n" \
	"mydestination = mx.example.test, local.test, localhost\n" \
	"inet_interfaces = 192.0.2.1, 2001:db8::1, 127.0.0.1\n" \
	"recipient_delimiter = +\n" \
	"relay_domains = relay.test\n" \
	"virtual_alias_domains = alias.test\n" \
	"virtual_mailbox_domains = virtual.test\n" \
	"virtual_mailbox_maps = inline:{bob@virtual.test=x,@all.test=y}\n" \
	"local_recipient_maps = inline:{alice=x,carol@local.test=y}, " \
	"pcre:blanks\n" \
	"alias_maps =\n"

static char folder[] = "/tmp/recipient_test.XXXXXX";

/* Keys that inline: has no place for. */
static const char blanks[] = "/^\"a b\"(@local\\.test)?$/ z\n"
			     "/^\"a b\"@alias\\.test$/ c@else.test\n";

static void
put_blanks(void)
{
	FILE *f = fopen("blanks", "w");

	assert_non_null(f);
	fputs(blanks, f);
	fclose(f);
}

static struct maps *
open_maps(const char *settings, struct conf **conf)
{
	struct buf errors = BUF_INIT(4096);
	FILE *f = fopen("main.cf", "w");
	struct conf *c;
	struct maps *m;

	assert_non_null(f);
	fprintf(f, "%s%s", BASE, settings);
	fclose(f);
	c = conf_read(".", &errors, NULL);
	if (c == NULL || errors.n > 0)
		fail_msg("%s: %s", settings, buf_text(&errors));
	m = maps_open(c);
	buf_fini(&errors);
	*conf = c; /* the maps point into it */
	return m;
}

/*
 * "class verdict transport:nexthop address[ final]" or
 * "class verdict dsn text".
 */
static const char *
describe(const struct recipient *r, struct arena *a)
{
	static const char *const classes[] = {
		[CLASS_DEFAULT] = "default",
		[CLASS_LOCAL] = "local",
		[CLASS_VIRTUAL_ALIAS] = "alias",
		[CLASS_VIRTUAL_MAILBOX] = "virtual",
		[CLASS_RELAY] = "relay",
	};

	if (r->verdict != OK)
		return arena_printf(a, "%s %s %s %s", classes[r->class],
		    r->verdict == LATER ? "later" : "never", r->why.dsn,
		    r->why.text);
	return arena_printf(a, "%s ok %s:%s %s%s", classes[r->class],
	    r->routing.transport, r->routing.nexthop, r->address,
	    r->final ? " final" : "");
}

#define FAIL_TEMP "later 4.3.0 Temporary lookup failure"

static const struct {
	const char *settings;
	const char *address;
	const char *answer;
} rows[] = {
	/* classes */
	{ "", "alice@local.test",
	    "local ok local:mx.example.test alice@local.test final" },
	{ "", "ALICE@LOCAL.TEST",
	    "local ok local:mx.example.test ALICE@LOCAL.TEST final" },
	{ "", "alice",
	    "local ok local:mx.example.test alice@mx.example.test final" },
	{ "", "alice+x@local.test",
	    "local ok local:mx.example.test alice+x@local.test final" },
	{ "", "carol@localhost.",
	    "local never 5.1.1 User unknown in local recipient table" },
	{ "", "carol@local.test.",
	    "local ok local:mx.example.test carol@local.test final" },
	{ "", "a b@local.test",
	    "local ok local:mx.example.test a b@local.test final" },
	{ "", "bob@virtual.test",
	    "virtual ok virtual:virtual.test bob@virtual.test final" },
	{ "", "bob+x@virtual.test",
	    "virtual ok virtual:virtual.test bob+x@virtual.test final" },
	{ "", "nobody@virtual.test",
	    "virtual never 5.1.1 User unknown in virtual mailbox table" },
	{ "", "x@alias.test",
	    "alias never 5.1.1 User unknown in virtual alias table" },
	{ "", "x@relay.test", "relay ok relay:relay.test x@relay.test final" },
	{ "", "x@sub.relay.test",
	    "relay ok relay:sub.relay.test x@sub.relay.test final" },
	{ "parent_domain_matches_subdomains = x\n", "x@sub.relay.test",
	    "default ok smtp:sub.relay.test x@sub.relay.test final" },
	{ "", "x@else.test", "default ok smtp:else.test x@else.test final" },
	{ "", "x@host", "default ok smtp:host x@host final" },
	{ "append_dot_mydomain = yes\n", "x@host",
	    "default ok smtp:host.example.test x@host.example.test final" },
	{ "append_at_myorigin = no\n", "alice",
	    "local ok local:mx.example.test alice@mx.example.test" },
	{ "myorigin = local.test\n", "carol",
	    "local ok local:mx.example.test carol@local.test final" },
	{ "", "",
	    "local ok local:mx.example.test MAILER-DAEMON@mx.example.test" },
	{ "empty_address_recipient = alice\n", "",
	    "local ok local:mx.example.test alice@mx.example.test" },

	/* existence */
	{ "", "Postmaster@local.test",
	    "local ok local:mx.example.test Postmaster@local.test final" },
	{ "", "double-bounce@local.test",
	    "local ok discard:undeliverable postmaster notification discarded "
	    "double-bounce@local.test final" },
	{ "show_user_unknown_table_name = no\n", "nobody@virtual.test",
	    "virtual never 5.1.1 User unknown" },
	{ "local_recipient_maps =\n", "nobody@local.test",
	    "local ok local:mx.example.test nobody@local.test final" },
	{ "relay_recipient_maps = inline:{a@relay.test=x}\n", "b@relay.test",
	    "relay never 5.1.1 User unknown in relay recipient table" },
	{ "relay_recipient_maps = inline:{a@relay.test=x}\n", "A@relay.test",
	    "relay ok relay:relay.test A@relay.test final" },
	{ "virtual_mailbox_maps = inline:{@virtual.test=x}\n",
	    "any@virtual.test",
	    "virtual ok virtual:virtual.test any@virtual.test final" },
	{ "local_recipient_maps = unix:passwd.byname\n", "root@local.test",
	    "local ok local:mx.example.test root@local.test final" },

	/* what fails is never "no such user" */
	{ "virtual_mailbox_maps = fail:x\n", "bob@virtual.test",
	    "virtual " FAIL_TEMP },
	{ "local_recipient_maps = inline:{alice=x}, texthash:/no/where\n",
	    "nobody@local.test", "local " FAIL_TEMP },
	{ "local_recipient_maps = inline:{alice=x}, texthash:/no/where\n",
	    "alice@local.test", "local " FAIL_TEMP },
	{ "virtual_mailbox_domains = hash:/no/where\n", "bob@virtual.test",
	    "default " FAIL_TEMP },
	{ "mydestination = fail:x\n", "alice@local.test",
	    "default " FAIL_TEMP },
	{ "relay_domains = mysql:/no/where\n", "x@else.test",
	    "default " FAIL_TEMP },
	{ "virtual_alias_maps = fail:x\n", "bob@virtual.test",
	    "virtual " FAIL_TEMP },
	{ "transport_maps = fail:x\n", "x@else.test", "default " FAIL_TEMP },
	{ "sender_dependent_relayhost_maps = fail:x\n", "x@else.test",
	    "default " FAIL_TEMP },
	{ "canonical_maps = fail:x\n", "x@else.test", "default " FAIL_TEMP },
	{ "relocated_maps = fail:x\n", "x@else.test", "default " FAIL_TEMP },

	/* routes through us count for what they mean */
	{ "", "x%else.test@local.test",
	    "default ok smtp:else.test x@else.test" },
	{ "", "else.test!x@local.test",
	    "default ok smtp:else.test x@else.test" },
	{ "", "x@else.test@local.test",
	    "default ok smtp:else.test x@else.test" },
	{ "", "x%a.test%local.test@mx.example.test",
	    "default ok smtp:a.test x@a.test" },
	{ "", "alice%local.test@mx.example.test",
	    "local ok local:mx.example.test alice@local.test" },
	{ "allow_percent_hack = no\n", "x%else.test@local.test",
	    "local never 5.1.1 User unknown in local recipient table" },
	{ "swap_bangpath = no\n", "else.test!x@local.test",
	    "local never 5.1.1 User unknown in local recipient table" },
	{ "resolve_dequoted_address = no\n", "x@else.test@local.test",
	    "local never 5.1.1 User unknown in local recipient table" },
	{ "", "@a.test,@b.test:alice@local.test",
	    "local ok local:mx.example.test alice@local.test final" },
	{ "", "x%else.test@relay.test",
	    "default ok relay:relay.test x%else.test@relay.test final" },
	{ "", "x@else.test@relay.test",
	    "default ok relay:relay.test x@else.test@relay.test final" },
	{ "allow_untrusted_routing = yes\n", "x%else.test@relay.test",
	    "relay ok relay:relay.test x%else.test@relay.test final" },
	{ "", "x%else.test", "default ok smtp:else.test x@else.test final" },
	{ "", "else.test!x", "default ok smtp:else.test x@else.test final" },

	/* literals and what is no address */
	{ "", "alice@[192.0.2.1]",
	    "local ok local:mx.example.test alice@[192.0.2.1] final" },
	{ "", "alice@[IPv6:2001:DB8::1]",
	    "local ok local:mx.example.test alice@[IPv6:2001:DB8::1] final" },
	{ "", "alice@[192.0.2.2]",
	    "default ok smtp:[192.0.2.2] alice@[192.0.2.2] final" },
	{ "", "alice@[192.0.2]", "default never 5.1.3 bad address syntax" },
	{ "", "alice@192.0.2.1", "default never 5.1.3 bad address syntax" },
	{ "resolve_numeric_domain = yes\n", "alice@192.0.2.2",
	    "default ok smtp:[192.0.2.2] alice@[192.0.2.2]" },
	{ "", "alice@", "default never 5.1.3 bad address syntax" },
	{ "resolve_null_domain = yes\n", "alice@",
	    "local ok local:mx.example.test alice@mx.example.test" },
	{ "", "x@else..test", "default never 5.1.3 bad address syntax" },
	{ "", "x@-else.test", "default never 5.1.3 bad address syntax" },
	{ "", "x@else test", "default never 5.1.3 bad address syntax" },

	/* transports */
	{ "transport_maps = inline:{else.test=slow:[gw.test]:26}\n",
	    "x@else.test", "default ok slow:[gw.test]:26 x@else.test final" },
	{ "transport_maps = inline:{.else.test=slow:}\n", "x@a.b.else.test",
	    "default ok slow:a.b.else.test x@a.b.else.test final" },
	{ "transport_maps = inline:{.else.test=slow:}\n", "x@else.test",
	    "default ok smtp:else.test x@else.test final" },
	{ "transport_maps = inline:{else.test=slow:}\n"
	  "parent_domain_matches_subdomains = transport_maps\n",
	    "x@a.else.test",
	    "default ok slow:a.else.test x@a.else.test final" },
	{ "transport_maps = inline:{*=slow:gw}\n", "x@else.test",
	    "default ok slow:gw x@else.test final" },
	{ "transport_maps = inline:{*=slow:gw, x@else.test=:other}\n",
	    "x+y@else.test", "default ok smtp:other x+y@else.test final" },
	{ "transport_maps = inline:{*=slow:gw, else.test=:}\n", "x@else.test",
	    "default ok smtp:else.test x@else.test final" },
	{ "transport_maps = inline:{{else.test=error:5.7.1}}\n", "x@else.test",
	    "default never 5.7.1 unspecified error" },
	{ "transport_maps = inline:{{else.test=error:4.7.1 Later}}\n",
	    "x@else.test", "default never 5.0.0 4.7.1 Later" },
	{ "transport_maps = inline:{{else.test=error:5.7.1 Go away}}\n",
	    "x@else.test", "default never 5.7.1 Go away" },
	{ "transport_maps = inline:{{else.test=error:Go away}}\n",
	    "x@else.test", "default never 5.0.0 Go away" },
	{ "transport_maps = inline:{virtual.test=lmtp:inet:store}\n",
	    "bob@virtual.test",
	    "virtual ok lmtp:inet:store bob@virtual.test final" },
	{ "relayhost = [gw.test]\n", "x@else.test",
	    "default ok smtp:[gw.test] x@else.test final" },
	{ "relayhost = [gw.test]\n", "x@relay.test",
	    "relay ok relay:[gw.test] x@relay.test final" },
	{ "relayhost = [gw.test]\n", "bob@virtual.test",
	    "virtual ok virtual:virtual.test bob@virtual.test final" },
	{ "relayhost = [gw.test]\ntransport_maps = inline:{else.test=smtp:}\n",
	    "x@else.test", "default ok smtp:else.test x@else.test final" },
	{ "default_transport = slow:[other]\nrelayhost = [gw.test]\n",
	    "x@else.test", "default ok slow:[other] x@else.test final" },
	{ "relay_transport = lmtp:unix:private/x\n", "x@relay.test",
	    "relay ok lmtp:unix:private/x x@relay.test final" },
	{ "local_transport = lmtp:unix:private/x\n", "alice@local.test",
	    "local ok lmtp:unix:private/x alice@local.test final" },
	{ "local_transport = other\n", "alice@local.test",
	    "local ok other:local.test alice@local.test final" },
	{ "sender_dependent_relayhost_maps = inline:{s@here.test=[one]}\n"
	  "relayhost = [two]\n",
	    "x@else.test", "default ok smtp:[one] x@else.test final" },
	{ "sender_dependent_relayhost_maps = inline:{@here.test=[one]}\n",
	    "x@else.test", "default ok smtp:[one] x@else.test final" },
	{ "sender_dependent_relayhost_maps = inline:{@here.test=DUNNO}\n"
	  "relayhost = [two]\n",
	    "x@else.test", "default ok smtp:[two] x@else.test final" },
	{ "sender_dependent_relayhost_maps = inline:{new@here.test=[one]}\n"
	  "sender_canonical_maps = inline:{s@here.test=new@here.test}\n",
	    "x@else.test", "default ok smtp:[one] x@else.test final" },
	{ "sender_dependent_default_transport_maps = "
	  "inline:{s@here.test=slow:}\n",
	    "x@else.test", "default ok slow:else.test x@else.test final" },
	{ "sender_dependent_default_transport_maps = "
	  "inline:{s@here.test=slow:}\n",
	    "x@relay.test", "relay ok relay:relay.test x@relay.test final" },
	{ "relocated_maps = inline:{alice@local.test=al@new.test}\n",
	    "alice@local.test",
	    "local never 5.1.6 User has moved to al@new.test" },

	/* aliases and canonical forms exist, and cleanup asks again */
	{ "virtual_alias_maps = inline:{x@alias.test=bob@virtual.test}\n",
	    "x@alias.test", "alias ok : x@alias.test" },
	{ "virtual_alias_maps = inline:{@virtual.test=bob@else.test}\n",
	    "no@virtual.test", "virtual ok : no@virtual.test" },
	{ "virtual_alias_maps = inline:{a@alias.test=x}\n"
	  "virtual_alias_domains = $virtual_alias_maps\n",
	    "b@alias.test", "default ok smtp:alias.test b@alias.test final" },
	{ "virtual_alias_maps = inline:{a@alias.test=x, alias.test=yes}\n"
	  "virtual_alias_domains = $virtual_alias_maps\n",
	    "b@alias.test",
	    "alias never 5.1.1 User unknown in virtual alias table" },
	{ "virtual_maps = inline:{old@local.test=alice}\n", "old@local.test",
	    "local ok : old@local.test" },
	{ "recipient_canonical_maps = inline:{old@local.test=x@else.test}\n",
	    "old@local.test", "local ok : old@local.test" },
};

/* Rows differ in settings of several lines: all are shown, then it fails. */
static size_t
differs(const char *settings, const char *address, const char *answer,
    const char *expected)
{
	if (strcmp(answer, expected) == 0)
		return 0;
	fprintf(stderr, "%s<%s>: \"%s\", not \"%s\"\n", settings, address,
	    answer, expected);
	return 1;
}

static void
each_row(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct conf *c;
		struct maps *m = open_maps(rows[i].settings, &c);
		struct arena *a = arena_new();
		const char *answer, *sender = "s@here.test";
		struct recipient r;

		assert_int_equal(routing_sender(m, &sender, a, &r.why), OK);
		recipient_resolve(m, m, sender, rows[i].address, a, &r);
		answer = describe(&r, a);
		wrong += differs(rows[i].settings, rows[i].address, answer,
		    rows[i].answer);
		arena_free(&a);
		maps_close(&m);
		conf_free(&c);
	}
	assert_int_equal(wrong, 0);
}

#define ALIAS(text) "virtual_alias_maps = inline:{" text "}\n"

static const struct {
	const char *settings;
	const char *address;
	const char *answer; /* "address>transport:nexthop;..." or dsn text */
} expansions[] = {
	{ "", "alice@local.test", "alice@local.test>local:mx.example.test;" },
	{ "", "nobody@local.test", "nobody@local.test>local:mx.example.test;" },
	{ ALIAS("{x@alias.test=bob@virtual.test, y@else.test}"), "x@alias.test",
	    "bob@virtual.test>virtual:virtual.test;"
	    "y@else.test>smtp:else.test;" },
	{ ALIAS("x@alias.test=y@alias.test y@alias.test=alice"), "x@alias.test",
	    "alice@mx.example.test>local:mx.example.test;" },
	{ ALIAS("{x@else.test=x@else.test, y@else.test}"), "x@else.test",
	    "x@else.test>smtp:else.test;y@else.test>smtp:else.test;" },
	{ ALIAS("x@else.test=y@else.test y@else.test=x@else.test"),
	    "x@else.test", "x@else.test>smtp:else.test;" },
	{ ALIAS("{a@alias.test=b@alias.test,c@alias.test},"
		"b@alias.test=d@alias.test,c@alias.test=d@alias.test,"
		"d@alias.test=e@else.test"),
	    "a@alias.test", "e@else.test>smtp:else.test;" },
	{ ALIAS("@alias.test=@else.test"), "u+x@alias.test",
	    "u+x@else.test>smtp:else.test;" },
	{ ALIAS("u@alias.test=v@else.test"), "u+x@alias.test",
	    "v+x@else.test>smtp:else.test;" },
	{ "propagate_unmatched_extensions =\n" ALIAS(
	      "u@alias.test=v@else.test"),
	    "u+x@alias.test", "v@else.test>smtp:else.test;" },
	{ ALIAS("u+x@alias.test=v@else.test"), "u+x@alias.test",
	    "v@else.test>smtp:else.test;" },
	{ ALIAS("@alias.test=all@else.test"), "u+x@alias.test",
	    "all@else.test>smtp:else.test;" },
	{ ALIAS("list=v@else.test"), "list@local.test",
	    "v@else.test>smtp:else.test;" },
	{ ALIAS("list=v@else.test"), "list@virtual.test",
	    "list@virtual.test>virtual:virtual.test;" },
	{ ALIAS("{x@alias.test=\"a b\"@else.test}"), "x@alias.test",
	    "a b@else.test>smtp:else.test;" },
	{ "virtual_alias_maps = pcre:blanks\n", "a b@alias.test",
	    "c@else.test>smtp:else.test;" },
	/* of a route through us, what is known of the form before it counts */
	{ ALIAS("@local.test=all@else.test"), "x%other.test@local.test",
	    "all@else.test>smtp:else.test;" },
	{ "", "x@alias.test",
	    "x@alias.test>error:5.1.1 User unknown in virtual alias table;" },
	{ "", "x@bad..test", "x@bad..test>error:5.1.3 bad address syntax;" },
	{ "virtual_alias_maps = fail:x\n", "x@alias.test",
	    "4.3.0 Temporary lookup failure" },
	{ "virtual_alias_expansion_limit = 2\n" ALIAS(
	      "{x@alias.test=a@else.test,b@else.test,c@else.test}"),
	    "x@alias.test", "4.6.0 Alias expansion error" },
	{ "virtual_alias_recursion_limit = 2\n" ALIAS(
	      "x@a.test=y@a.test y@a.test=z@a.test z@a.test=q@a.test"),
	    "x@a.test", "4.6.0 Alias expansion error" },
	{ "virtual_alias_address_length_limit = 10\n" ALIAS(
	      "x@a.test=abcdefgh@a.test"),
	    "x@a.test", "4.6.0 Alias expansion error" },
	{ "canonical_maps = inline:{old@local.test=new@else.test}\n",
	    "old@local.test", "new@else.test>smtp:else.test;" },
	{ "recipient_canonical_maps = inline:{old@local.test=mid@else.test}\n"
	  "canonical_maps = inline:{mid@else.test=new@else.test}\n",
	    "old@local.test", "new@else.test>smtp:else.test;" },
	{ "canonical_maps = inline:{old@local.test=new@else.test}\n"
	  "canonical_classes = header_sender\n",
	    "old@local.test", "old@local.test>local:mx.example.test;" },
	{ "sender_canonical_maps = inline:{old@local.test=new@else.test}\n",
	    "old@local.test", "old@local.test>local:mx.example.test;" },
	{ "canonical_maps = inline:{a@else.test=b@else.test,"
	  "b@else.test=a@else.test}\n",
	    "a@else.test", "a@else.test>smtp:else.test;" },
	{ "canonical_maps = inline:{bob=robert}\n", "bob+x@local.test",
	    "robert+x@mx.example.test>local:mx.example.test;" },
};

static const char *
describe_set(enum verdict v, const struct why *why,
    const struct delivery_set *set, struct arena *a)
{
	const char *text = "";

	if (v != OK)
		return arena_printf(a, "%s %s", why->dsn, why->text);
	for (size_t i = 0; i < set->count; i++)
		text = arena_printf(a, "%s%s>%s:%s;", text,
		    set->items[i].address, set->items[i].routing.transport,
		    set->items[i].routing.nexthop);
	return text;
}

static void
each_expansion(void **state)
{
	size_t wrong = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(expansions) / sizeof(expansions[0]);
	     i++) {
		struct conf *c;
		struct maps *m = open_maps(expansions[i].settings, &c);
		struct arena *a = arena_new();
		struct delivery_set set;
		struct why why;
		enum verdict v = recipient_expand(m, "s@here.test",
		    expansions[i].address, a, &set, &why);
		const char *answer = describe_set(v, &why, &set, a);

		assert_int_not_equal(v, NEVER);
		wrong += differs(expansions[i].settings, expansions[i].address,
		    answer, expansions[i].answer);
		arena_free(&a);
		maps_close(&m);
		conf_free(&c);
	}
	assert_int_equal(wrong, 0);
}

static const struct {
	enum rewrite_kind kind;
	const char *address;
	const char *result;
} senders[] = {
	{ REWRITE_ENVELOPE_SENDER, "", "" },
	{ REWRITE_ENVELOPE_SENDER, "a@x.test", "sender@x.test" },
	{ REWRITE_HEADER_SENDER, "a@x.test", "sender@x.test" },
	{ REWRITE_HEADER_RECIPIENT, "a@x.test", "recipient@x.test" },
	{ REWRITE_HEADER_SENDER, "b@x.test", "both@x.test" },
	{ REWRITE_ENVELOPE_SENDER, "b@x.test", "b@x.test" },
};

static void
kinds_of_canonical_maps(void **state)
{
	struct conf *c;
	struct maps *m = open_maps(
	    "sender_canonical_maps = inline:{a@x.test=sender@x.test}\n"
	    "recipient_canonical_maps = inline:{a@x.test=recipient@x.test}\n"
	    "canonical_maps = inline:{b@x.test=both@x.test}\n"
	    "canonical_classes = header_sender\n",
	    &c);

	(void)state;
	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
		struct arena *a = arena_new();
		const char *address = senders[i].address;
		struct why why;

		assert_int_equal(address_map_canonical(m, senders[i].kind, a,
				     &address, &why),
		    OK);
		assert_string_equal(address, senders[i].result);
		arena_free(&a);
	}
	maps_close(&m);
	conf_free(&c);
}

static enum table_result
with_line_ends(const char *table, struct span key, struct buf *value)
{
	(void)table;
	buf_reset(value);
	if (!span_is(key, "x@alias.test"))
		return TABLE_NONE;
	buf_add_text(value, "@else.test\nRSET, @fine.test, \"a\nb\"@c.test");
	return TABLE_FOUND;
}

/* Of a server's table; behind an address they could be another command. */
static void
ends_of_lines_are_in_no_address(void **state)
{
	struct conf *c;
	struct maps *m;
	struct arena *a = arena_new();
	struct delivery_set set;
	struct why why;
	enum verdict v;

	(void)state;
	table_ask_elsewhere(with_line_ends);
	m = open_maps("virtual_alias_maps = mysql:aliases\n", &c);
	v = recipient_expand(m, "s@here.test", "x@alias.test", a, &set, &why);
	assert_string_equal(describe_set(v, &why, &set, a),
	    "x@fine.test>smtp:fine.test;");
	table_ask_elsewhere(NULL);
	arena_free(&a);
	maps_close(&m);
	conf_free(&c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_row),
		cmocka_unit_test(each_expansion),
		cmocka_unit_test(kinds_of_canonical_maps),
		cmocka_unit_test(ends_of_lines_are_in_no_address),
	};
	char command[64];
	int failed;

	log_threshold(LEVEL_PANIC);
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	put_blanks();
	failed = cmocka_run_group_tests_name("recipient", tests, NULL, NULL);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	return system(command) == 0 ? failed : 1;
}
