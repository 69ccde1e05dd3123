/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * driver/card/card.h - A powered card together with the card driver that knows what it means. A
 * card driver is one const struct of few, card-sized verbs; a missing one is NULL and means
 * -EOPNOTSUPP. The verbs speak in the structs of keyferry/proto.h, whose kf_part fields they leave
 * alone: bytes come in as struct bytes and leave through a packer.
 *
 * Nothing is cached but public facts: no PIN, no key material, no card answer outlives its request.
 */
#pragma once

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/deadline.h"
#include "driver/card/session.h"
#include "keyferry/proto.h"

struct card;
struct card_io;

/**
 * struct card_pin - a PIN and, where one is to be set, the new value; borrowed, never copied
 * @id:		KF_PIN_ number
 * @last_try:	go on even if this would spend the last try
 * @value:	the PIN, or the PUK that unblocks it
 * @new_value:	what the PIN shall be
 */
struct card_pin {
	uint32_t id;
	bool last_try;
	struct bytes value;
	struct bytes new_value;
};

/**
 * struct card_blob - a wrapped key and what shall stand beside it; borrowed
 * @blob:	under the card's DKEK
 * @cert:	may be empty, like the rest
 * @label:	for people
 * @id:		by which programs find key and certificate
 */
struct card_blob {
	struct bytes blob;
	struct bytes cert;
	struct bytes label;
	struct bytes id;
};

/**
 * struct card_match - one claim of a card driver
 * @strength:	the strongest claim is tried first; no two in the program may be equal, so the order
 *		of a list decides nothing
 * @atr:	with @mask: the ATR where the mask has ones, of exactly this length
 * @mask:	as long as @atr
 * @aid:	in place of @atr: the card is asked, by the driver's open()
 */
struct card_match {
	unsigned int strength;
	struct bytes atr, mask;
	struct bytes aid;
};

#define CARD_MATCHES_MAX 4

/**
 * struct card_driver - what a family of cards can do
 * @name:	for people, shorter than KF_LABEL_MAX
 * @flags:	KF_CARD_SESSIONS_STAY, if drop() spares the session objects
 * @matches:	ends at a strength of 0
 * @open:	asks the card whether it is one of ours: -ENXIO if not. May set @card->private
 * @close:	frees @card->private
 * @select:	makes the card's application current again after a raw APDU may have left it
 * @describe:	the serial number and the flags of kf_card_info, as far as they are known by now;
 *		asks the card nothing
 * @info:	all of kf_card_info that the card can know
 * @drop:	drops what the card holds verified or selected for a client. Sessions stay
 * @pin_pad_verify, @pin_pad_change: the PINs are typed at the reader; @pin->value is empty
 * @voucher_read: KF_CERT_READ with %KF_CERT_VOUCHER
 * @convert:	turns an ordinary key into EXCHANGE, irrevocably
 *
 * The rest is named like its request in proto.h. Errors are those of proto.h; struct card_said has
 * what goes with them. After a transport error of an APDU that may have taken effect no verb
 * repeats anything.
 */
struct card_driver {
	const char *name;
	uint32_t flags;
	struct card_match matches[CARD_MATCHES_MAX];

	int (*open)(struct card *card);
	void (*close)(struct card *card);
	int (*select)(struct card *card);

	void (*describe)(const struct card *card, struct kf_card_info *out);
	int (*info)(struct card *card, struct kf_card_info *out);
	int (*device_cert)(struct card *card, struct packer *chain);

	int (*pin_status)(struct card *card, struct kf_pin_status *pin);
	int (*pin_verify)(struct card *card, const struct card_pin *pin);
	int (*pin_change)(struct card *card, const struct card_pin *pin);
	int (*pin_unblock)(struct card *card, const struct card_pin *pin);
	int (*pin_pad_verify)(struct card *card, const struct card_pin *pin);
	int (*pin_pad_change)(struct card *card, const struct card_pin *pin);
	int (*drop)(struct card *card);

	int (*container_list)(struct card *card, uint32_t *n, struct packer *entries);
	int (*container_info)(struct card *card, struct kf_container_info *info,
			      struct packer *spki);
	int (*container_create)(struct card *card, struct kf_container_create *want,
				struct packer *spki);
	int (*container_delete)(struct card *card, uint32_t container);
	int (*convert)(struct card *card, uint32_t container);
	int (*cert_store)(struct card *card, uint32_t container, struct bytes cert);
	int (*cert_read)(struct card *card, uint32_t container, struct packer *cert);
	int (*voucher_read)(struct card *card, uint32_t container, struct packer *voucher);

	int (*sign)(struct card *card, const struct kf_sign *how, struct bytes digest,
		    struct packer *signature);
	int (*decrypt)(struct card *card, const struct kf_decrypt *how, struct bytes input,
		       struct bytes label, struct packer *output);
	int (*agree)(struct card *card, uint32_t container, struct bytes peer,
		     struct packer *secret);

	int (*cipher)(struct card *card, struct kf_cipher *how, struct bytes aad,
		      struct bytes input, struct packer *output);

	int (*kek_create)(struct card *card, struct kf_kek_create *want, struct bytes puk,
			  struct bytes name, struct packer *attestation);
	int (*kek_list)(struct card *card, uint32_t *n, struct packer *entries);
	int (*kek_attest)(struct card *card, uint32_t container, struct packer *attestation);
	int (*kek_set)(struct card *card, const struct kf_kek_set *what, struct bytes puk);
	/* @spki: borrowed from the card's answer until the next command; empty for a secret key. */
	int (*byok_import)(struct card *card, struct kf_byok_import *import, struct bytes kid,
			   struct bytes blob, struct packer *receipt, struct bytes *spki);

	int (*init)(struct card *card, const struct kf_card_init *want, struct bytes so_pin,
		    struct bytes pin, struct bytes label);
	int (*dkek_status)(struct card *card, uint32_t *n, struct packer *entries);
	int (*dkek_share)(struct card *card, struct kf_dkek_entry *entry, struct bytes share);
	int (*dkek_domain)(struct card *card, const struct kf_dkek_domain *what);
	int (*blob_wrap)(struct card *card, uint32_t container, struct packer *blob);
	int (*blob_unwrap)(struct card *card, struct kf_blob_unwrap *unwrap,
			   const struct card_blob *blob);

	int (*offer)(struct card *card, struct kf_offer *offer, struct packer *statement);
	int (*session_import)(struct card *card, const struct kf_session_import *how,
			      struct bytes input, struct card_session *session,
			      struct packer *output);
	int (*process)(struct card *card, struct card_session *session, struct kf_process *process,
		       struct bytes item, struct packer *receipt);
	int (*receipt_get)(struct card *card, const struct kf_receipt_get *which,
			   struct packer *receipt);
	int (*session_destroy)(struct card *card, struct card_session *session);
};

/**
 * struct card_said - what goes with the error of the verb that ran last; zero at its start
 * @sw:		the status word it ended with, if the card's word matters
 * @reason:	enum kf_reason
 * @detail:	the number that goes with it
 */
struct card_said {
	uint16_t sw;
	uint16_t reason;
	uint32_t detail;
};

/**
 * struct card_trace - one command as a trace may show it (SECURITY section 7): no data, ever
 * @header:	CLA INS P1 P2
 * @n_data:	length of the data field
 * @hide_data:	a PIN command: not even its length is to be shown
 * @n_answer:	length of the answer
 * @sw:		status word; meaningful if @error is 0
 * @error:	0, or the transport error
 */
struct card_trace {
	uint8_t header[4];
	size_t n_data;
	bool hide_data;
	size_t n_answer;
	uint16_t sw;
	int error;
};

/**
 * struct card - a powered card
 * @io:		how it is spoken to, borrowed
 * @atr:	its answer to reset, lies in @io
 * @driver:	who knows it; NULL: nobody does, raw APDUs alone can be sent
 * @private:	the card driver's own
 * @trace:	called after each command, or NULL
 * @sessions:	session keys that live in it
 * @said:	see there
 * @deadline:	of the request being served; set by whoever calls a verb
 * @lost:	the transport failed under a command: whether that took effect is unknown, and until
 *		a power cycle nothing more is sent
 * @elsewhere:	a raw APDU may have left the application; driver->select() comes first
 */
struct card {
	struct card_io *io;
	struct bytes atr;
	const struct card_driver *driver;
	void *private;
	void (*trace)(const struct card_trace *trace);
	struct card_sessions sessions;
	struct card_said said;
	struct deadline deadline;
	bool lost;
	bool elsewhere;
};

/* One command, before anybody decides how it is carried. */
struct card_command {
	uint8_t cla, ins, p1, p2;
	struct bytes data;
	bool answers;		/* response data is expected */
	uint16_t also;		/* a status word that is as good as 9000 here; 0: none */
};

/* A card that was just powered; nobody knows it yet. Return: 0, -ENOMEM. */
int card_new(struct card_io *io, struct card **out);
struct card *card_free(struct card *card);
DEFINE_CLEANUP(struct card *, card_free);

/*
 * Finds the card driver, strongest claim first. To be known by nobody is no error.
 * Return: 0, or a transport error.
 */
int card_identify(struct card *card, const struct card_driver *const *drivers);

/* What is known without asking it: ATR, flags, serial number. Adds to @info. */
void card_describe(const struct card *card, struct kf_card_info *info);

/* Before each verb: clears what was said, and goes back to the application if need be. */
int card_begin(struct card *card, struct deadline deadline);
/* The same for what does not need the application: stays wherever the card is. */
void card_begin_raw(struct card *card, struct deadline deadline);
/* After each request: wipes the card's last answer. */
void card_forget(struct card *card);

/*
 * Sends one command. On 9000, and on @also, which is then in card->said.sw, the answer's data is borrowed in @data, good until the next call.
 * Return: 0; what sw_meaning() says of any other word, with card->said filled; or a transport
 * error, after which the card is lost.
 */
int card_call(struct card *card, const struct card_command *command, struct bytes *data);

/*
 * A PIN command whose PIN is typed at the reader. Return: as card_call(); -EOPNOTSUPP with
 * %KF_REASON_NO_PINPAD; -ECANCELED, -ETIMEDOUT or -EINVAL with the reason it ended at the keys.
 */
struct pad;
int card_pad(struct card *card, const struct pad *pad);

/*
 * A raw APDU of a client, any status word: @response gets data and SW1 SW2.
 * Return: 0, -EINVAL no command APDU, or a transport error.
 */
int card_raw(struct card *card, struct bytes command, struct packer *response);

/* A command that says why in terms of proto.h: sets card->said and passes @error on. */
static inline int card_say(struct card *card, int error, uint16_t reason, uint32_t detail)
{
	card->said.reason = reason;
	card->said.detail = detail;
	return error;
}
