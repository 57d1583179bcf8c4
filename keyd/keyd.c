/* SPDX-License-Identifier: ISC */
/*
 * keyd: the holder of TLS private keys.
 *
 * SECURITY. Started by root, it is given by master the files with the private
 * keys that the settings in force name, of all services, and whose each is
 * (lib/tls/tls_kept.h): it reads no settings for that, and no such file. Then
 * it becomes the key user in an empty root directory with no promises but "io",
 * "net-accept" and "counts": it can open nothing and reach nobody. Hostile
 * input: digests from network programs that an attacker may have taken over,
 * and names that clients ask for. Such a program can have signatures made as
 * long as it lives, with the keys that its own settings name, which it needs
 * for its work; it can neither get a key nor have anything decrypted. What it
 * has signed has the form of TLS, and need not be of TLS (keyring.h). It gets
 * the keys of its own service's session tickets, this hour's and the former
 * one's (ticket_root.h), and no other's.
 *
 * Keys are read once. New ones come with a new process (master/renewal.c),
 * which for some minutes has those that were replaced as well. The tables of
 * tls_server_sni_maps are looked at as all tables are: with them set, keyd
 * keeps the right to read files, of which it can reach those in the folders of
 * the tables. For a file that is root's alone its successor comes; what is
 * begun with a certificate of this process is signed here.
 */
#include <openssl/crypto.h>
#include <string.h>
#include <sys/prctl.h>

#include "keyd/keyring.h"
#include "keyd/named.h"
#include "lib/base/clock.h"
#include "lib/conf/common.h"
#include "lib/ipc/proto_keyd.h"
#include "lib/log/log.h"
#include "lib/service/service.h"
#include "lib/table/table.h"
#include "lib/table/watch.h"
#include "lib/tls/ticket_root.h"
#include "lib/tls/tls.h"
#include "lib/tls/tls_kept.h"

#define PARAM_GROUP keyd
#define PARAM_DEF "keyd/params.def"
#include "lib/conf/param.h"

enum { ANSWER_TIMEOUT_S = 10 };

static const struct {
	const char *program;
	unsigned int users;
} callers[] = {
	{ "smtpd", KEY_SMTPD },
	{ "smtp", KEY_SMTP },
	{ "pop3d", KEY_POP3D },
	{ "imapd", KEY_IMAPD },
	/* root itself, or without root this user */
	{ "", KEY_ALL },
};

static struct keyring *ring;
static struct ticket_root *tickets;
static struct named *named;
static struct common_params common;
static struct keyd_params settings;

static void
load_file(void *with, const char *path, unsigned int users)
{
	struct buf error = BUF_INIT(2048);

	(void)with;
	if (!keyring_load(ring, path, users, &error))
		log_warning("%s", buf_text(&error));
	buf_fini(&error);
}

static void
open_named(void)
{
	struct buf error = BUF_INIT(4096);

	named = named_new(ring, settings.tls_server_sni_maps, &error);
	if (named == NULL)
		fatal("tls_server_sni_maps: %s", buf_text(&error));
	buf_fini(&error);
	if (settings.tls_server_sni_maps[0] == '\0')
		return;
	service_promise_too("files-read");
}

static void
before(const struct service *s)
{
	(void)s;
	/* no core file, no debugger of the same user */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	ring = keyring_new();
	service_certificates();
	tls_kept_each_used(load_file, NULL);
	tls_kept_drop();
	open_named();
	tickets = ticket_root_open(service_own_descriptor(SERVICE_TICKETS));
	if (tickets == NULL)
		fatal("memory for session tickets: %m");
	log_debug("%zu private keys", keyring_count(ring));
}

static void
after(const struct service *s)
{
	if (s->separated)
		watch_by_folder();
}

/* Known from master, not from what the caller says. */
static unsigned int
caller_of(const struct ipc *c)
{
	const char *caller = ipc_caller(c);

	for (size_t i = 0; i < sizeof(callers) / sizeof(callers[0]); i++)
		if (caller != NULL && strcmp(callers[i].program, caller) == 0)
			return callers[i].users;
	return 0;
}

static bool
sign(struct ipc *c, const struct msg_key_sign *q, int64_t deadline)
{
	struct buf signature = BUF_INIT(TLS_SIGNATURE_MAX);
	struct buf error = BUF_INIT(512);
	struct msg_key_signed answer = { 0 };
	enum ipc_result r;

	answer.done = keyring_sign(ring, q->key, caller_of(c), q->operation,
	    q->padding, q->data, &signature, &error);
	if (!answer.done)
		log_warning("refused for %s: %s",
		    ipc_caller(c) != NULL ? ipc_caller(c) : ipc_peer(c),
		    buf_text(&error));
	answer.data = buf_span(&signature);
	r = ipc_send(c, &message_key_signed, &answer, deadline);
	buf_fini(&signature);
	buf_fini(&error);
	return r == IPC_OK;
}

/*
 * The table has changed and only root can read it: names are the next
 * process's. Whoever has got a certificate of this one keeps the connection
 * until it is signed for.
 */
static bool
decline(struct ipc *c)
{
	service_leave();
	ipc_decline(c);
	return false;
}

static bool
chain(struct ipc *c, const struct msg_key_chain *q, int64_t deadline)
{
	struct buf text = BUF_INIT(262144), error = BUF_INIT(4096);
	struct msg_key_chain_reply answer = { 0 };
	bool good;

	answer.result = named_find(named, q->name, &text, &error);
	if (answer.result == NAMED_LATER)
		log_warning("tls_server_sni_maps: %s: %s", q->name,
		    buf_text(&error));
	answer.chain = buf_span(&text);
	good = table_restart_wanted() ?
	    decline(c) :
	    ipc_send(c, &message_key_chain_reply, &answer, deadline) == IPC_OK;
	buf_fini(&text);
	buf_fini(&error);
	return good;
}

/* For whom is what master says, not what the asker does. */
static bool
give_tickets(struct ipc *c, const struct msg_key_tickets *q, int64_t deadline)
{
	struct msg_key_tickets_reply answer = { .left_ms = 0 };
	const char *caller = ipc_caller(c);
	struct tls_ticket_secrets s;
	enum ipc_result r;

	if (caller == NULL || ipc_caller_service(c)[0] == '\0')
		log_warning("%s asks for session tickets, and is no service",
		    ipc_peer(c));
	else if (!ticket_root_keys(tickets, caller, ipc_caller_service(c),
		     q->context, clock_ms(), &s))
		log_warning("OpenSSL made no keys for session tickets");
	else
		answer = (struct msg_key_tickets_reply){
			.now = { (const char *)s.now, sizeof(s.now) },
			.former = { (const char *)s.former,
			    s.has_former ? sizeof(s.former) : 0 },
			.left_ms = (uint64_t)s.left_ms,
		};
	r = ipc_send(c, &message_key_tickets_reply, &answer, deadline);
	OPENSSL_cleanse(&s, sizeof(s));
	ipc_wipe(c);
	return r == IPC_OK;
}

static bool
request(const struct service *s, struct ipc *c, void **state)
{
	int64_t deadline = clock_in(ANSWER_TIMEOUT_S);
	const struct ipc_message *kind;
	const void *message;

	(void)s, (void)state;
	if (ipc_receive(c, &kind, &message, deadline) != IPC_OK)
		return false;
	if (kind == &message_key_sign)
		return sign(c, message, deadline);
	if (kind == &message_key_chain)
		return chain(c, message, deadline);
	if (kind == &message_key_tickets)
		return give_tickets(c, message, deadline);
	ipc_refuse(c, "%s is no question", kind->name);
	return false;
}

int
main(int argc, char **argv)
{
	static const struct service_params params[] = {
		{ &common_param_group, &common },
		{ &keyd_param_group, &settings },
		{ NULL, NULL },
	};
	static const struct service_spec spec = {
		.program = "keyd",
		.style = SERVICE_REQUESTS,
		.params = params,
		.protocol = &protocol_keyd,
		.before = before,
		.after = after,
		.request = request,
	};

	return service_run(&spec, argc, argv);
}
