/* SPDX-License-Identifier: ISC */
/*
 * What a server may say to the client, greeting, EHLO and all that follows:
 * each reply is a code and one printable line, and only what is a reply
 * counts. The texts of such replies go into delivery_status_filter too, and
 * into reports.
 */
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/ensure.h"
#include "lib/log/log.h"
#include "lib/mail/status_filter.h"
#include "smtp/greet.h"
#include "smtp/peer.h"
#include "smtp/settings.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST = 60000 }; /* what a socket takes without a reader */

static void
set_up(void)
{
	struct smtp_params *p = settings_params[1].into;
	struct {
		const char **field;
	} texts[] = { { &p->smtp_discard_ehlo_keywords },
		{ &p->smtp_sasl_mechanism_filter }, { &p->smtp_reply_filter } };

	log_threshold(LEVEL_FATAL);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		*texts[i].field = "";
}

static bool
printable(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static void
check_reply(const struct peer *p, const struct peer_reply *r)
{
	enum verdict v = peer_verdict(r), filtered;
	struct why why;

	ensure(r->code >= 200 && r->code <= 599);
	ensure(why_dsn_valid(r->dsn));
	ensure(printable(r->text));
	ensure(peer_refused(p, r, "DATA", &why) != OK);
	ensure(why_dsn_valid(why.dsn) && why.dsn[0] != '2');
	filtered = v;
	if (status_filter_take("fuzz", span_of(r->text), &filtered, &why))
		ensure((filtered == OK) == (v == OK));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static bool ready;
	struct address a = { 0 };
	struct peer_reply r;
	struct peer *p;
	struct why why;
	int pair[2];

	if (size > MOST)
		return 0;
	if (!ready)
		set_up();
	ready = true;
	ensure(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	ensure(send(pair[1], data, size, 0) == (ssize_t)size);
	close(pair[1]);
	ensure(address_parse_ip(SPAN("192.0.2.1"), 25, &a));
	p = peer_new(pair[0], "mx.test", &a);
	while (peer_hear(p, 1, "talking", &r, greet_extension, &why) == OK) {
		check_reply(p, &r);
		if (p->broken)
			break;
	}
	ensure(p->broken);
	ensure(p->size_limit == 0 || (p->features & PEER_SIZE));
	peer_free(&p);
	return 0;
}
