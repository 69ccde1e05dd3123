/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/schsm_dkek.c - A card made new, its DKEK and the shares of it [cards 2.3 to 2.5]. Nothing is
 * sent twice: a share that came through although its answer did not would be taken back by its double.
 */
#include "driver/card/schsm.h"

#include "base/secret.h"
#include "driver/iso7816/tlv.h"
#include "format/der.h"
#include "format/numbers.h"

enum { INS_INITIALIZE = 0x50, INS_DKEK = 0x52 };
enum { DKEK_IMPORT = 0, DKEK_CREATE = 1, DKEK_DELETE = 3, DKEK_CLEAR = 4 };	/* P1 */
enum { OPTION_RESET = 0x0001, OPTION_TRANSPORT = 0x0002 };
enum { TRIES_DEFAULT = 3, TRIES_MAX = 10, DOMAINS_MAX = 64, DOMAINS_FROM = 3 };
enum { SW_OFFSET = 0x6b00 };

/* --- INITIALIZE DEVICE --- */

static int init_check(const struct kf_card_init *want, struct bytes pin)
{
	bool dkek = want->flags & KF_INIT_DKEK;

	if (pin.n < SCHSM_PIN_MIN || pin.n > SCHSM_PIN_MAX || want->tries > TRIES_MAX)
		return -EINVAL;
	if (want->n_shares > KF_DKEK_SHARES_MAX || (want->n_shares != 0 && !dkek))
		return -EINVAL;
	return want->n_domains > DOMAINS_MAX || (want->n_domains != 0 && dkek) ? -EINVAL : 0;
}

static int initialize(struct card *card, const struct kf_card_init *want, struct bytes so_pin,
		      struct bytes pin)
{
	uint8_t buf[64];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct card_command command = { .cla = 0x80, .ins = INS_INITIALIZE };
	uint8_t options[] = { 0, (uint8_t)((want->flags & KF_INIT_UNBLOCKS ? OPTION_RESET : 0) |
					   (want->flags & KF_INIT_TRANSPORT ? OPTION_TRANSPORT : 0)) };
	uint8_t tries = (uint8_t)(want->tries ? want->tries : TRIES_DEFAULT);
	uint8_t n_shares = (uint8_t)want->n_shares, n_domains = (uint8_t)want->n_domains;
	int r;

	tlv_pack(&p, 0x80, BYTES_OF(options));
	tlv_pack(&p, 0x81, pin);
	tlv_pack(&p, 0x82, so_pin);
	tlv_pack(&p, 0x91, BYTES(&tries, 1));
	if (want->flags & KF_INIT_DKEK)
		tlv_pack(&p, 0x92, BYTES(&n_shares, 1));
	if (n_domains != 0)
		tlv_pack(&p, 0x97, BYTES(&n_domains, 1));
	assert(!p.bad);
	command.data = pack_done(&p);
	r = schsm_do(card, &command);
	wipe(buf, sizeof(buf));
	return r;
}

/* TokenInfo [PKCS#15 6.9], where programs look for what a card is called. */
static int write_label(struct card *card, struct bytes pin, struct bytes label)
{
	const struct card_command verify = { .ins = INS_VERIFY, .p2 = 0x81, .data = pin };
	uint8_t buf[2 * KF_LABEL_MAX + 32];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct der_mark info = der_begin(&p, DER_SEQUENCE);
	const struct kf_card_info *facts = &schsm_of(card)->info;
	int r;

	der_put_uint(&p, DER_INTEGER, 0);
	der_put(&p, DER_OCTETS, BYTES(facts->serial, facts->serial_len));
	der_put(&p, 0x80, label);
	der_put(&p, 0x03, BYTES("\x04\x30", 2));	/* login required, PIN initialised */
	der_end(&p, info);
	r = pack_end(&p);
	if (r == 0)
		r = schsm_do(card, &verify);
	return r < 0 ? r : schsm_file_write(card, SCHSM_TOKEN_INFO, pack_done(&p));
}

int schsm_init(struct card *card, const struct kf_card_init *want, struct bytes so_pin,
	       struct bytes pin, struct bytes label)
{
	uint8_t so[KF_SO_PIN_SIZE];
	int r = init_check(want, pin);

	if (r == 0)
		r = schsm_so_pin(so_pin, so);
	if (r < 0)
		return r;
	r = schsm_pin_guard(card, KF_PIN_PUK, want->flags & KF_PIN_LAST_TRY);
	if (r == 0)
		r = initialize(card, want, BYTES_OF(so), pin);
	wipe(so, sizeof(so));
	if (r < 0 || label.n == 0)
		return r;
	if (want->flags & KF_INIT_TRANSPORT)	/* nobody can log in with it, and so not write */
		return 0;
	r = write_label(card, pin, label);
	/* The card is new all the same: what follows must not be taken for a refusal. */
	return r < 0 && !card->lost ? -EREMOTEIO : r;
}

/* --- DKEK --- */

static int entry_parse(uint32_t domain, struct bytes answer, struct kf_dkek_entry *out)
{
	struct unpacker u = unpack_begin(answer);
	struct kf_dkek_entry entry = { .domain = domain };

	entry.n_shares = unpack_u8(&u);
	entry.outstanding = unpack_u8(&u);
	unpack_copy(&u, entry.check_value, sizeof(entry.check_value));
	if (u.bad || entry.outstanding > entry.n_shares)
		return -EBADMSG;
	entry.state = u.left != 0 && entry.n_shares == 0 ? KF_DKEK_XKEK :
		      entry.outstanding != 0 ? KF_DKEK_INCOMPLETE :
		      entry.n_shares != 0 || !bytes_are_zero(BYTES_OF(entry.check_value)) ?
			KF_DKEK_READY : KF_DKEK_NONE;
	if (entry.state != KF_DKEK_READY)
		memset(entry.check_value, 0, sizeof(entry.check_value));
	*out = entry;
	return 0;
}

/* A card without key domains, or without that many. */
static bool is_no_domain(const struct card *card, int r)
{
	uint16_t sw = card->said.sw;

	return r == -EOPNOTSUPP || (r == -EREMOTEIO && (sw == SW_P1P2 || sw == SW_OFFSET ||
							sw == SW_CONDITIONS));
}

int schsm_dkek_read(struct card *card, uint32_t domain, struct kf_dkek_entry *out)
{
	const struct card_command status = {
		.cla = 0x80, .ins = INS_DKEK, .p1 = DKEK_IMPORT, .p2 = (uint8_t)domain, .answers = true,
	};
	struct bytes answer;
	int r = schsm_call(card, &status, &answer);

	if (r == -ENOENT) {	/* a place for one */
		card->said = (struct card_said){ 0 };
		*out = (struct kf_dkek_entry){ .domain = domain, .state = KF_DKEK_NONE };
		return 0;
	}
	if (r < 0 && is_no_domain(card, r)) {
		card->said = (struct card_said){ 0 };
		return -ENOENT;
	}
	return r < 0 ? r : entry_parse(domain, answer, out);
}

uint32_t schsm_domains(const struct card *card)
{
	return schsm_of(card)->version >> 8 >= DOMAINS_FROM ? DOMAINS_MAX : 1;
}

int schsm_dkek_status(struct card *card, uint32_t *n, struct packer *entries)
{
	struct kf_dkek_entry entry;
	uint32_t rows = 0;
	int r = 0;

	while (rows < schsm_domains(card)) {
		r = schsm_dkek_read(card, rows, &entry);
		if (r < 0)
			break;
		pack_le32(entries, entry.domain);
		pack_le32(entries, entry.state);
		pack_le32(entries, entry.n_shares);
		pack_le32(entries, entry.outstanding);
		pack_bytes(entries, BYTES_OF(entry.check_value));
		rows++;
	}
	if (r < 0 && r != -ENOENT)
		return r;
	*n = rows;
	return pack_end(entries);
}

/* No share is sent to who does not wait for one: the card would say less clearly why not. */
int schsm_dkek_share(struct card *card, struct kf_dkek_entry *entry, struct bytes share)
{
	struct card_command import = {
		.cla = 0x80, .ins = INS_DKEK, .p1 = DKEK_IMPORT, .p2 = (uint8_t)entry->domain,
		.data = share, .answers = true,
	};
	uint32_t domain = entry->domain;
	struct bytes answer;
	int r;

	if (domain >= schsm_domains(card) || share.n != KF_DKEK_SHARE_SIZE)
		return -EINVAL;
	r = schsm_dkek_read(card, domain, entry);
	if (r == -ENOENT || (r == 0 && entry->state == KF_DKEK_NONE))
		return card_say(card, -ENOENT, KF_REASON_DKEK, KF_DKEK_NONE);
	if (r == 0 && entry->state != KF_DKEK_INCOMPLETE)
		return card_say(card, -EEXIST, KF_REASON_DKEK, entry->state);
	if (r == 0)
		r = schsm_call(card, &import, &answer);
	return r < 0 ? r : entry_parse(domain, answer, entry);
}

int schsm_dkek_domain(struct card *card, const struct kf_dkek_domain *what)
{
	uint8_t n_shares = (uint8_t)what->n_shares;
	struct card_command command = {
		.cla = 0x80, .ins = INS_DKEK, .p2 = (uint8_t)what->domain, .answers = true,
	};
	bool create = what->action == KF_DOMAIN_CREATE;
	struct bytes answer;
	int r;

	if (what->domain >= DOMAINS_MAX || create != (what->n_shares != 0) ||
	    what->n_shares > KF_DKEK_SHARES_MAX)
		return -EINVAL;
	switch (what->action) {
	case KF_DOMAIN_CREATE:
		command.p1 = DKEK_CREATE;
		command.data = BYTES(&n_shares, 1);
		break;
	case KF_DOMAIN_DELETE:
		command.p1 = DKEK_DELETE;
		break;
	case KF_DOMAIN_CLEAR:
		command.p1 = DKEK_CLEAR;
		break;
	default:
		return -EINVAL;
	}
	r = schsm_call(card, &command, &answer);
	if (r < 0 && is_no_domain(card, r))
		return -ENOENT;
	return r;
}
