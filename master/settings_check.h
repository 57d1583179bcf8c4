/* SPDX-License-Identifier: ISC */
#ifndef MASTER_SETTINGS_CHECK_H
#define MASTER_SETTINGS_CHECK_H

/* Settings that name places which are not there, or no places at all. */

#include "master/plan.h"

/* False with a line for each address that is none of this machine. */
bool settings_check_interfaces(const struct plan *plan, struct buf *errors);
/* A line for each word that can be neither an address nor a name. */
void
settings_check_proxy_interfaces(const struct plan *plan, struct buf *errors);
/* dns_servers: resolver would not start. */
void settings_check_name_servers(const struct plan *plan, struct buf *errors);
/*
 * relayhost and the next hops in transports, and those of local tables of
 * either. The services are planned. warnings may be NULL.
 */
void settings_check_next_hops(const struct plan *plan, struct buf *errors,
    struct buf *warnings);
/*
 * smtp_fallback_relay, fallback_relay if that is not set, and LMTP's: of
 * main.cf, or with the -o of one service.
 */
void settings_check_fallbacks(struct conf *c, struct buf *complaints);
/* A line for each domain that two classes of domains name: one of them wins. */
void settings_check_domains(const struct plan *plan, struct buf *warnings);
/*
 * What auth and the sessions would refuse to start with. The services are
 * planned.
 */
void settings_check_mailboxes(const struct plan *plan, struct buf *errors);
/*
 * A line if there are services for people to log in to, and no accounts; and
 * for each where nobody could, because passwords are refused without TLS and
 * there is no certificate.
 */
void settings_check_accounts(const struct plan *plan, struct buf *warnings);

/* Logging in to relayhost, and TLS there: what is set by half. */
void settings_check_client(const struct plan *plan, struct buf *warnings);

#endif
