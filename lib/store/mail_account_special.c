/* SPDX-License-Identifier: ISC */
#include "lib/store/mail_account_special.h"

#include <string.h>
#include <unicase.h>
#include <uninorm.h>

#include "lib/store/mail_folder_tree.h"
#include "lib/store/mail_metadata.h"

/* Of the server (folder ""): the uses that were cared for. */
#define DONE "/posthaste/special-done"

/*
 * As Thunderbird, Apple Mail, Outlook, Exchange, Gmail, Horde, Roundcube,
 * SquirrelMail and Dovecot's examples make them. Case does not count.
 */
static const struct {
	unsigned int use;
	const char *names;
} usual[] = {
	{ SPECIAL_SENT,
	    "Sent|Sent Messages|Sent Items|Sent Mail|Sent-Mail|Sent Objects|"
	    "Gesendet|Gesendete Objekte|Gesendete Elemente|"
	    "Gesendete Nachrichten|Envoyés|Messages envoyés|Éléments envoyés|"
	    "Objets envoyés|Enviados|Elementos enviados|Mensajes enviados|"
	    "Itens enviados|Inviati|Inviata|Posta inviata|Elementi inviati|"
	    "Verzonden|Verzonden items|Verzonden berichten|Skickat|"
	    "Skickade objekt|Sendt|Sendte elementer|Lähetetyt|Wysłane|"
	    "Elementy wysłane|Odeslané|Odeslaná pošta|Odoslané|Poslane|"
	    "Elküldött|Elküldött elemek|Trimise|Отправленные|Надіслані|"
	    "Изпратени|Gönderilenler|Gönderilmiş Öğeler|Σταλμένα|Απεσταλμένα|"
	    "送信済みトレイ|送信済みアイテム|送信済み|已发送|已发送邮件|"
	    "已傳送|寄件備份|보낸 편지함|المرسلة|פריטים שנשלחו" },
	{ SPECIAL_TRASH,
	    "Trash|Deleted|Deleted Messages|Deleted Items|Deleted Objects|Bin|"
	    "Papierkorb|Gelöscht|Gelöschte Objekte|Gelöschte Elemente|"
	    "Gelöschte Nachrichten|Corbeille|Éléments supprimés|Papelera|"
	    "Elementos eliminados|Lixeira|Itens excluídos|Lixo|Reciclagem|"
	    "Cestino|Posta eliminata|Elementi eliminati|Prullenbak|Verwijderd|"
	    "Verwijderde items|Papperskorg|Papperskorgen|Borttagna objekt|"
	    "Papirkurv|Slettet post|Slettede elementer|Roskakori|Poistetut|"
	    "Kosz|Elementy usunięte|Koš|Odstraněná pošta|Kôš|Kuka|"
	    "Törölt elemek|Coș de gunoi|Корзина|Удалённые|Удаленные|Кошик|"
	    "Видалені|Кошче|Çöp Kutusu|Silinmiş Öğeler|Απορρίμματα|ゴミ箱|"
	    "削除済みアイテム|已删除|已删除邮件|垃圾桶|휴지통|지운 편지함" },
	{ SPECIAL_DRAFTS,
	    "Drafts|Draft|Entwürfe|Entwurf|Brouillons|Borradores|Rascunhos|"
	    "Bozze|Concepten|Utkast|Kladder|Kladde|Luonnokset|Szkice|"
	    "Kopie robocze|Koncepty|Rozepsané|Piszkozatok|Ciorne|Черновики|"
	    "Чернетки|Чернови|Taslaklar|Πρόχειρα|下書き|草稿|草稿箱|草稿匣|"
	    "임시 보관함|المسودات|טיוטות" },
	{ SPECIAL_JUNK,
	    "Junk|Spam|Junk E-mail|Junk Email|Junk Mail|Junk-E-Mail|Junkmail|"
	    "Bulk Mail|Bulk|Unerwünscht|Unerwünschte Werbung|Werbung|"
	    "Courrier indésirable|Indésirables|Pourriel|Correo no deseado|"
	    "Basura|Lixo Eletrônico|Lixo eletrónico|Posta indesiderata|"
	    "Ongewenst|Ongewenste e-mail|Ongewenste reclame|Skräppost|"
	    "Uønsket e-post|Uønsket mail|Søppelpost|Roskaposti|"
	    "Wiadomości-śmieci|Nevyžádaná pošta|Nevyžiadaná pošta|Levélszemét|"
	    "Спам|Нежелательная почта|Небажана пошта|İstenmeyen|"
	    "Önemsiz E-posta|Ανεπιθύμητα|迷惑メール|垃圾邮件|垃圾郵件|"
	    "스팸|스팸 메일함|정크 메일" },
	{ SPECIAL_ARCHIVE,
	    "Archive|Archives|Archiv|Archivio|Archivo|Archief|Arquivo|Arkiv|"
	    "Arkisto|Archiwum|Archív|Archívum|Arhivă|Архив|Архів|Arşiv|"
	    "Αρχείο|アーカイブ|存档|归档|封存|보관|보관함" },
};

/* Without case; both in NFC. */
static bool
equal_folded(struct span a, struct span b)
{
	int result;

	if (span_is_ascii(a) || span_is_ascii(b))
		return span_equal_nocase(a, b);
	return u8_casecmp((const uint8_t *)a.p, a.n, (const uint8_t *)b.p, b.n,
		   NULL, UNINORM_NFC, &result) == 0 &&
	    result == 0;
}

static bool
among(struct span name, const char *names)
{
	struct span rest = span_of(names), one;

	while (span_cut(&rest, "|", false, &one))
		if (equal_folded(name, one))
			return true;
	return false;
}

bool
mail_account_usual_name(struct span name, unsigned int use)
{
	for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
		if (usual[i].use & use && among(name, usual[i].names))
			return true;
	return false;
}

/* What the walk over all wanted uses shares. */
struct adoption {
	struct mail_tree *tree;
	struct mail_folder_list folders;
	unsigned int done, taken; /* taken: marked in this account */
	bool changed;
	bool subscribe; /* nobody has chosen yet */
	struct why *why;
};

/* The name without "INBOX/". */
static struct span
below_inbox(const struct mail_tree *t, struct span name)
{
	return folder_name_below(&t->at.naming, name, SPAN("INBOX")) ?
	    span_skip(name, 6) :
	    name;
}

/* How well a folder suits: the configured name, then the usual ones; at the
 * top before below INBOX. 0: not at all. */
static int
suits(const struct adoption *a, const struct mail_folder *f,
    const struct special_folder *w)
{
	struct span name = span_of(f->name);
	struct span plain = below_inbox(a->tree, name);

	if (!f->selectable || strcmp(f->name, "INBOX") == 0 || f->special != 0)
		return 0;
	if (span_is(name, w->name))
		return 5;
	if (span_is_nocase(plain, w->name))
		return plain.n == name.n ? 4 : 3;
	if (!mail_account_usual_name(plain, w->use))
		return 0;
	return plain.n == name.n ? 2 : 1;
}

static struct mail_folder *
best(const struct adoption *a, const struct special_folder *w)
{
	struct mail_folder *found = NULL;
	int most = 0;

	for (size_t i = 0; i < a->folders.count; i++) {
		int fit = suits(a, &a->folders.all[i], w);

		if (fit > most) {
			found = &a->folders.all[i];
			most = fit;
		}
	}
	return found;
}

static enum mail_result
mark(struct adoption *a, const char *name, unsigned int use)
{
	struct mail_metadata *m = a->tree->metadata;
	struct buf text = BUF_INIT(256);
	enum mail_result r;

	special_use_text(use | mail_metadata_special(m, name), &text);
	r = mail_metadata_put(m, name, METADATA_SPECIAL_USE, buf_span(&text),
	    a->why);
	buf_fini(&text);
	a->taken |= use;
	return r;
}

/* Made and subscribed; one that cannot be made does not keep anybody out. */
static enum mail_result
make(struct adoption *a, const struct special_folder *w)
{
	struct span name = span_of(w->name);
	enum mail_result r = mail_tree_create(a->tree, name, a->why);
	struct mail_place p;

	if (r != MAIL_OK && r != MAIL_EXISTS)
		return r == MAIL_FAILED || r == MAIL_NO_ROOM ||
			r == MAIL_OVER_QUOTA ?
		    r :
		    MAIL_OK;
	r = mail_subscriptions_set(a->tree, name, true, a->why);
	if (r != MAIL_OK || (r = mail_place_find(a->tree, name, &p)) != MAIL_OK)
		return r;
	r = mark(a, p.name, w->use);
	mail_place_fini(&p);
	return r;
}

static enum mail_result
care_for(struct adoption *a, const struct special_folder *w)
{
	struct mail_folder *f;
	enum mail_result r = MAIL_OK;

	if ((a->done & w->use) == w->use)
		return MAIL_OK;
	a->changed = true;
	if ((a->taken & w->use) == 0) {
		f = best(a, w);
		if (f != NULL) {
			f->special = w->use;
			r = mark(a, f->name, w->use);
			if (r == MAIL_OK && a->subscribe)
				r = mail_subscriptions_set(a->tree,
				    span_of(f->name), true, a->why);
		} else {
			r = make(a, w);
		}
	}
	a->done |= w->use;
	return r;
}

static enum mail_result
finish(struct adoption *a)
{
	struct mail_metadata *m = a->tree->metadata;
	struct buf text = BUF_INIT(256);
	enum mail_result r;

	special_use_text(a->done, &text);
	r = mail_metadata_put(m, "", DONE, buf_span(&text), a->why);
	if (r == MAIL_OK)
		r = mail_metadata_write(m, a->tree->control, a->why);
	buf_fini(&text);
	return r;
}

static enum mail_result
adopt(struct adoption *a, const struct special_folder *wanted)
{
	struct mail_metadata *m = a->tree->metadata;
	enum mail_result r = mail_tree_list(a->tree, &a->folders, a->why);

	a->subscribe = a->tree->subscriptions.count == 0;
	a->done = special_use_parse(mail_metadata_get(m, "", DONE));
	for (size_t i = 0; i < a->folders.count; i++)
		a->taken |= a->folders.all[i].special;
	for (; r == MAIL_OK && wanted->name != NULL; wanted++)
		r = care_for(a, wanted);
	/* clients that show what is subscribed are to show it as well */
	if (r == MAIL_OK && a->changed && a->subscribe)
		r = mail_subscriptions_set(a->tree, SPAN("INBOX"), true,
		    a->why);
	if (r == MAIL_OK && a->changed)
		r = finish(a);
	mail_folder_list_fini(&a->folders);
	return r;
}

/* Is there nothing to do? So it is at all openings but the first. */
static bool
all_done(struct mail_tree *t, const struct special_folder *wanted)
{
	unsigned int done =
	    special_use_parse(mail_metadata_get(t->metadata, "", DONE));

	for (; wanted->name != NULL; wanted++)
		if ((done & wanted->use) != wanted->use)
			return false;
	return true;
}

enum mail_result
mail_account_adopt(struct mail_tree *t, const struct special_folder *wanted,
    struct why *why)
{
	struct adoption a = { .tree = t, .why = why };
	enum mail_result r = mail_metadata_read(t->metadata, t->control, why);

	if (r != MAIL_OK || all_done(t, wanted))
		return r;
	r = mail_tree_lock(t, why);
	if (r != MAIL_OK)
		return r;
	r = adopt(&a, wanted);
	mail_tree_unlock(t);
	return r;
}
