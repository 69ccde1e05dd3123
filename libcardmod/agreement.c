// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libcardmod/agreement.c - Nothing secret is here: the server's point and its confirmation go to the
 * card as they are, and a handle comes back. Bytes of a derived key never do.
 */
#include "libcardmod/agreement.h"
#include "libcardmod/module.h"
#include "libcardmod/public_blob.h"
#include "libcardmod/session.h"
#include "libcardmod/utf16.h"

DEFINE_CLEANUP(struct kf_container *, kf_container_free);

void agreements_forget(struct agreements *agreements, BYTE container)
{
	for (size_t i = 0; i < AGREEMENTS_MAX; i++)
		if (agreements->slots[i].container == container)
			agreements->slots[i] = (struct agreement){ 0 };
}

static struct agreement *find(struct module *module, BYTE index)
{
	return index < AGREEMENTS_MAX && module->agreements.slots[index].is_there
		       ? &module->agreements.slots[index] : NULL;
}

static DWORD no_agreement(struct module *module)
{
	return module_bad_argument(module, "there is no agreement of that index");
}

/* --- CardConstructDHAgreement --- */

static DWORD check_key(struct module *module, BYTE index, enum kf_key_type *type)
{
	_cleanup_(kf_container_freep) struct kf_container *container = NULL;
	enum kf_purpose purpose;
	int r = kf_container_read(module->context, index, &container);

	if (r < 0)
		return module_card_result(module, r);
	*type = (enum kf_key_type)kf_container_key_type(container);
	purpose = (enum kf_purpose)kf_container_purpose(container);
	if (*type == KF_KEY_NONE)
		return module_refuse(module, SCARD_E_NO_KEY_CONTAINER, "the card",
				     "create the key first", "container %u is empty", index);
	if (!key_type_is_ec(*type) ||
	    (purpose != KF_PURPOSE_EXCHANGE && purpose != KF_PURPOSE_DERIVE))
		return module_refuse(module, SCARD_E_INVALID_PARAMETER, "CardConstructDHAgreement",
				     "use a key of AT_ECDHE_P256 or AT_ECDHE_P384",
				     "the key in container %u cannot agree", index);
	if (!exchange_offered(module, index))
		return module_refuse(module, SCARD_W_SECURITY_VIOLATION, "SECURITY section 9",
				     "set KF Nonce, read KF Statement, and send it to the server",
				     "no statement was made for container %u in this context",
				     index);
	return SCARD_S_SUCCESS;
}

static DWORD construct(struct module *module, PCARD_DH_AGREEMENT_INFO info)
{
	struct agreement fresh = { .is_there = true, .container = info->bContainerIndex };
	struct packer point = pack_begin(fresh.point, sizeof(fresh.point));
	enum kf_key_type type = KF_KEY_NONE;
	DWORD status = check_key(module, info->bContainerIndex, &type);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (public_blob_take_point(BYTES(info->pbPublicKey, info->dwPublicKey), type, &point) < 0)
		return module_bad_argument(module, "pbPublicKey is no ECCPUBLICBLOB for ECDH on the "
						   "curve of that key");
	fresh.n = pack_done(&point).n;
	for (size_t i = 0; i < AGREEMENTS_MAX; i++) {
		if (module->agreements.slots[i].is_there)
			continue;
		module->agreements.slots[i] = fresh;
		info->bSecretAgreementIndex = (BYTE)i;
		return SCARD_S_SUCCESS;
	}
	return module_refuse(module, SCARD_E_NO_MEMORY, "8 agreements a context",
			     "destroy one: CardDestroyDHAgreement",
			     "this context has no place for another agreement");
}

DWORD WINAPI card_construct_dh_agreement(PCARD_DATA card, PCARD_DH_AGREEMENT_INFO info)
{
	struct module *module;
	DWORD status = module_enter(card, MODULE_CARD, "CardConstructDHAgreement", &module);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (!info)
		return module_bad_argument(module, "pAgreementInfo is NULL");
	if (info->dwVersion != CARD_DH_AGREEMENT_INFO_VERSION)
		return module_refuse(module, ERROR_REVISION_MISMATCH, "CARD_DH_AGREEMENT_INFO",
				     "set dwVersion to 2", "the structure has version %u",
				     info->dwVersion);
	if (info->dwFlags != 0 || !info->pbPublicKey)
		return module_bad_argument(module, "dwFlags is not 0, or pbPublicKey is NULL");
	return construct(module, info);
}

/* --- CardDeriveKey --- */

static DWORD check_kdf(struct module *module, LPCWSTR kdf)
{
	static LPCWSTR const others[] = {
		BCRYPT_KDF_HASH, BCRYPT_KDF_HMAC, BCRYPT_KDF_TLS_PRF, BCRYPT_KDF_SP80056A_CONCAT,
		BCRYPT_KDF_RAW_SECRET,
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (utf16_equal(kdf, others[i]))
			return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE,
					     "docs/card-application.md 6.1",
					     "name KF_KDF_ECDH", "the card has one KDF for session "
					     "keys, which takes in the statement");
	return utf16_equal(kdf, KF_KDF_ECDH) ? SCARD_S_SUCCESS
					     : module_bad_argument(module, "no such KDF");
}

static DWORD check_derived(struct module *module, const CARD_DERIVE_KEY *info)
{
	DWORD status = check_kdf(module, info->pwszKDF);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (utf16_equal(info->pwszAlgId, CARD_3DES_ALGORITHM) ||
	    utf16_equal(info->pwszAlgId, CARD_3DES_112_ALGORITHM))
		return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "CP_ENUM_ALGORITHMS",
				     "use AES with 256 bits", "the card does not speak 3DES");
	if (!utf16_equal(info->pwszAlgId, CARD_AES_ALGORITHM) || info->dwKeyLen != KEY_BITS)
		return module_bad_argument(module, "the key derived is AES, of 256 bits");
	return SCARD_S_SUCCESS;
}

static DWORD check_derive(struct module *module, const CARD_DERIVE_KEY *info)
{
	if (info->dwVersion > CARD_DERIVE_KEY_CURRENT_VERSION)
		return module_refuse(module, ERROR_REVISION_MISMATCH, "CARD_DERIVE_KEY",
				     "set dwVersion to 2", "the structure has version %u",
				     info->dwVersion);
	if ((info->dwFlags & ~(DWORD)(CARD_RETURN_KEY_HANDLE | CARD_BUFFER_SIZE_ONLY)) != 0)
		return module_bad_argument(module, "dwFlags has an unknown bit");
	if (!(info->dwFlags & CARD_RETURN_KEY_HANDLE) ||
	    info->dwVersion < CARD_DERIVE_KEY_VERSION_TWO)
		return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "docs/cardmod.md",
				     "pass CARD_RETURN_KEY_HANDLE in version 2, or agree with "
				     "kf_agree() of libkeyferry",
				     "no bytes of a derived key come out here");
	if (info->dwFlags & CARD_BUFFER_SIZE_ONLY)
		return module_bad_argument(module, "a handle has no size to ask for");
	return check_derived(module, info);
}

/* The one parameter there is. Return: no bytes for anything but it, once. */
static struct bytes confirmation(const BCryptBufferDesc *list)
{
	const BCryptBuffer *one;

	if (!list || list->ulVersion != BCRYPTBUFFER_VERSION || list->cBuffers != 1 ||
	    !list->pBuffers)
		return BYTES_NONE;
	one = &list->pBuffers[0];
	if (one->BufferType != KF_KDF_CONFIRMATION || !one->pvBuffer ||
	    one->cbBuffer != CONFIRMATION_SIZE)
		return BYTES_NONE;
	return BYTES(one->pvBuffer, one->cbBuffer);
}

static DWORD derive(struct module *module, PCARD_DERIVE_KEY info)
{
	const struct agreement *agreement = find(module, info->bSecretAgreementIndex);
	struct bytes proof = confirmation(info->pParameterList);
	uint8_t input[AGREE_POINT_MAX + CONFIRMATION_SIZE];
	struct packer p = pack_begin(input, sizeof(input));
	const struct exchange *offered;

	if (!agreement)
		return no_agreement(module);
	if (proof.n == 0)
		return module_bad_argument(module, "pParameterList is not the server's confirmation, "
						   "16 bytes, and nothing else");
	offered = exchange_offered(module, agreement->container);
	if (!offered)
		return module_refuse(module, SCARD_W_SECURITY_VIOLATION, "SECURITY section 9",
				     "read KF Statement, and send it to the server",
				     "the statement was dropped: another nonce or target was set");
	pack_bytes(&p, BYTES(agreement->point, agreement->n));
	pack_bytes(&p, proof);
	return session_establish(module, offered, pack_done(&p), &info->hKey);
}

DWORD WINAPI card_derive_key(PCARD_DATA card, PCARD_DERIVE_KEY info)
{
	struct module *module;
	DWORD status;

	if (info && info->dwVersion == CARD_DERIVE_KEY_VERSION_TWO)
		info->hKey = 0;			/* not there before */
	status = module_enter(card, MODULE_CARD, "CardDeriveKey", &module);
	if (status != SCARD_S_SUCCESS)
		return status;
	if (!info)
		return module_bad_argument(module, "pAgreementInfo is NULL");
	status = check_derive(module, info);
	return status != SCARD_S_SUCCESS ? status : derive(module, info);
}

/* --- CardDestroyDHAgreement --- */

DWORD WINAPI card_destroy_dh_agreement(PCARD_DATA card, BYTE index, DWORD flags)
{
	struct module *module;
	struct agreement *agreement;
	DWORD status = module_enter(card, MODULE_CARD, "CardDestroyDHAgreement", &module);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (flags != 0)
		return module_bad_argument(module, "dwFlags is not 0");
	agreement = find(module, index);
	if (!agreement)
		return no_agreement(module);
	*agreement = (struct agreement){ 0 };
	return SCARD_S_SUCCESS;
}
