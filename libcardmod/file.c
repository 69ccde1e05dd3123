// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * libcardmod/file.c - A path is a fixed file, or the certificate of a container whose key has the
 * usage its prefix names; anything else is not there.
 */
#include "libcardmod/file.h"
#include "libcardmod/map.h"
#include "libcardmod/module.h"
#include "libcardmod/value.h"

#include <strings.h>

enum { NAME_MAX_LEN = 8, NAMES_MAX = 4096, PREFIX_LEN = 3 };

DEFINE_CLEANUP(struct kf_container *, kf_container_free);
DEFINE_CLEANUP(struct kf_containers *, kf_containers_free);
DEFINE_CLEANUP(struct kf_blob *, kf_blob_free);

/* 8 bytes, padded with zeros: the one application there is [minidriver 6]. */
static int pack_applications(struct module *module, struct packer *out)
{
	static const char name[8] = szBASE_CSP_DIR;

	(void)module;
	pack_bytes(out, BYTES_OF(name));
	return pack_end(out);
}

static const struct fixed_file {
	bool in_mscp;
	const char *name;
	CARD_FILE_ACCESS_CONDITION access;
	int (*pack)(struct module *module, struct packer *out);
} fixed_files[] = {
	{ false, szCARD_IDENTIFIER_FILE, EveryoneReadAdminWriteAc, map_card_id },
	{ false, szCACHE_FILE, EveryoneReadUserWriteAc, map_cache_pack },
	{ false, szCARD_APPLICATIONS_FILE, EveryoneReadAdminWriteAc, pack_applications },
	{ true, szCONTAINER_MAP_FILE, EveryoneReadUserWriteAc, map_pack },
};

/* A path that may exist. */
struct path {
	bool in_mscp;
	const struct fixed_file *fixed;		/* or */
	bool is_cert, of_signature;
	uint32_t container;
};

/* --- paths --- */

static bool parse_cert_name(const char *name, struct path *out)
{
	if (strlen(name) != PREFIX_LEN + 2 || name[3] < '0' || name[3] > '9' || name[4] < '0' ||
	    name[4] > '9')
		return false;
	out->of_signature = strncasecmp(name, szUSER_SIGNATURE_CERT_PREFIX, PREFIX_LEN) == 0;
	out->is_cert = out->of_signature ||
		       strncasecmp(name, szUSER_KEYEXCHANGE_CERT_PREFIX, PREFIX_LEN) == 0;
	out->container = (uint32_t)(name[3] - '0') * 10 + (uint32_t)(name[4] - '0');
	return out->is_cert;
}

static DWORD parse_dir(struct module *module, const char *dir, bool *in_mscp)
{
	*in_mscp = dir && strcasecmp(dir, szBASE_CSP_DIR) == 0;
	if (!dir || *in_mscp)
		return SCARD_S_SUCCESS;
	return module_refuse(module, SCARD_E_DIR_NOT_FOUND, "the card's files",
			     "use mscp, or NULL for the root", "there is no such directory");
}

static DWORD no_file(struct module *module)
{
	return module_refuse(module, SCARD_E_FILE_NOT_FOUND, "the card's files",
			     "see CardEnumFiles", "there is no such file");
}

static DWORD parse(struct module *module, const char *dir, const char *name, struct path *out)
{
	DWORD status;

	*out = (struct path){ 0 };
	if (!name || !*name)
		return module_bad_argument(module, "there is no file name");
	status = parse_dir(module, dir, &out->in_mscp);
	if (status != SCARD_S_SUCCESS)
		return status;
	if (strlen(name) > NAME_MAX_LEN)
		return no_file(module);
	for (size_t i = 0; i < sizeof(fixed_files) / sizeof(fixed_files[0]); i++)
		if (fixed_files[i].in_mscp == out->in_mscp &&
		    strcasecmp(fixed_files[i].name, name) == 0)
			out->fixed = &fixed_files[i];
	if (out->fixed || (out->in_mscp && parse_cert_name(name, out)))
		return SCARD_S_SUCCESS;
	return no_file(module);
}

static bool prefix_fits(const struct kf_container *container, bool of_signature)
{
	return (kf_container_purpose(container) == KF_PURPOSE_SIGN) == of_signature;
}

/* The container a certificate belongs to, which has a key of that usage. */
static DWORD find_container(struct module *module, const struct path *path,
			    struct kf_container **out)
{
	_cleanup_(kf_container_freep) struct kf_container *container = NULL;
	int r = kf_container_read(module->context, path->container, &container);

	if (r == -ENOENT)
		return no_file(module);
	if (r < 0)
		return module_card_result(module, r);
	if (kf_container_key_type(container) == KF_KEY_NONE ||
	    !prefix_fits(container, path->of_signature))
		return no_file(module);
	*out = take_ptr(container);
	return SCARD_S_SUCCESS;
}

static DWORD enter_file(PCARD_DATA card, const char *call, const char *dir, const char *name,
			struct module **module, struct path *path)
{
	DWORD status = module_enter(card, MODULE_CARD, call, module);

	return status != SCARD_S_SUCCESS ? status : parse(*module, dir, name, path);
}

/* --- reading --- */

static DWORD read_cert(struct module *module, const struct path *path, struct packer *out)
{
	_cleanup_(kf_container_freep) struct kf_container *container = NULL;
	_cleanup_(kf_blob_freep) struct kf_blob *cert = NULL;
	DWORD status = find_container(module, path, &container);
	int r;

	if (status != SCARD_S_SUCCESS)
		return status;
	r = kf_cert_read(module->context, path->container, &cert);
	if (r == -ENOENT)
		return no_file(module);
	if (r < 0)
		return module_card_result(module, r);
	pack_bytes(out, BYTES(kf_blob_data(cert), kf_blob_size(cert)));
	return SCARD_S_SUCCESS;
}

static DWORD read_path(struct module *module, const struct path *path, struct packer *out)
{
	DWORD status;

	if (path->is_cert) {
		status = read_cert(module, path, out);
	} else {
		status = module_mixed_result(module, path->fixed->pack(module, out));
	}
	if (status == SCARD_S_SUCCESS && pack_end(out) < 0)
		return module_server_result(module, -EMSGSIZE);
	return status;
}

DWORD WINAPI card_read_file(PCARD_DATA card, LPSTR dir, LPSTR name, DWORD flags, PBYTE *data,
			    PDWORD len)
{
	uint8_t buf[VALUE_MAX];
	struct packer value = pack_begin(buf, sizeof(buf));
	struct module *module;
	struct path path;
	DWORD status;

	if (data)
		*data = NULL;
	if (len)
		*len = 0;
	status = enter_file(card, "CardReadFile", dir, name, &module, &path);
	if (status != SCARD_S_SUCCESS)
		return status;
	if (flags != 0 || !data || !len)
		return module_bad_argument(module, "dwFlags is not 0, or an argument is NULL");
	status = read_path(module, &path, &value);
	if (status != SCARD_S_SUCCESS)
		return status;
	*data = module_copy(module, pack_done(&value));
	if (!*data)
		return module_no_memory(module);
	*len = (DWORD)value.n;
	return SCARD_S_SUCCESS;
}

DWORD WINAPI card_get_file_info(PCARD_DATA card, LPSTR dir, LPSTR name, PCARD_FILE_INFO out)
{
	uint8_t buf[VALUE_MAX];
	struct packer value = pack_begin(buf, sizeof(buf));
	struct module *module;
	struct path path;
	DWORD status = enter_file(card, "CardGetFileInfo", dir, name, &module, &path);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (!out)
		return module_bad_argument(module, "pCardFileInfo is NULL");
	if (out->dwVersion > CARD_FILE_INFO_CURRENT_VERSION)
		return module_refuse(module, ERROR_REVISION_MISMATCH, "CARD_FILE_INFO",
				     "set dwVersion to 1", "the structure has version %u",
				     out->dwVersion);
	status = read_path(module, &path, &value);
	if (status != SCARD_S_SUCCESS)
		return status;
	*out = (CARD_FILE_INFO){
		.dwVersion = CARD_FILE_INFO_CURRENT_VERSION,
		.cbFileSize = (DWORD)value.n,
		.AccessCondition = path.fixed ? path.fixed->access : EveryoneReadUserWriteAc,
	};
	return SCARD_S_SUCCESS;
}

/* --- listing: single-byte multi-string --- */

static void put_name(struct packer *p, const char *name)
{
	pack_bytes(p, BYTES(name, strlen(name) + 1));
}

static int put_certs(struct module *module, struct packer *p)
{
	_cleanup_(kf_containers_freep) struct kf_containers *all = NULL;
	int r = kf_container_list(module->context, &all);

	for (size_t i = 0; r == 0 && i < kf_containers_count(all); i++) {
		const struct kf_container *c = kf_containers_at(all, i);
		char name[NAME_MAX_LEN + 1];

		if (!(kf_container_flags(c) & KF_CONTAINER_CERT) || kf_container_number(c) > 99)
			continue;
		(void)snprintf(name, sizeof(name), "%s%02u",
			       prefix_fits(c, true) ? szUSER_SIGNATURE_CERT_PREFIX
						    : szUSER_KEYEXCHANGE_CERT_PREFIX,
			       kf_container_number(c) % 100);
		put_name(p, name);
	}
	return r;
}

DWORD WINAPI card_enum_files(PCARD_DATA card, LPSTR dir, LPSTR *names, PDWORD len, DWORD flags)
{
	uint8_t buf[NAMES_MAX];
	struct packer p = pack_begin(buf, sizeof(buf));
	struct module *module;
	bool in_mscp;
	DWORD status;
	int r = 0;

	if (names)
		*names = NULL;
	if (len)
		*len = 0;
	status = module_enter(card, MODULE_CARD, "CardEnumFiles", &module);
	if (status == SCARD_S_SUCCESS && (!names || !len || flags != 0))
		return module_bad_argument(module, "dwFlags is not 0, or an argument is NULL");
	if (status == SCARD_S_SUCCESS)
		status = parse_dir(module, dir, &in_mscp);
	if (status != SCARD_S_SUCCESS)
		return status;
	for (size_t i = 0; i < sizeof(fixed_files) / sizeof(fixed_files[0]); i++)
		if (fixed_files[i].in_mscp == in_mscp)
			put_name(&p, fixed_files[i].name);
	if (in_mscp)
		r = put_certs(module, &p);
	if (r < 0)
		return module_card_result(module, r);
	pack_u8(&p, 0);
	*names = (LPSTR)module_copy(module, pack_done(&p));
	if (!*names)
		return module_no_memory(module);
	*len = (DWORD)p.n;
	return SCARD_S_SUCCESS;
}

/* --- writing --- */

static DWORD written_by_card(struct module *module)
{
	return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "docs/cardmod.md",
			     "do without: it follows what the card holds by itself",
			     "this file is made from what the card holds");
}

static DWORD store(struct module *module, const struct path *path, struct bytes cert)
{
	_cleanup_(kf_container_freep) struct kf_container *container = NULL;
	DWORD status = find_container(module, path, &container);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (!cert.p && !(kf_container_flags(container) & KF_CONTAINER_CERT))
		return no_file(module);
	return module_card_result(module, kf_cert_store(module->context, path->container, cert.p,
							cert.n));
}

DWORD WINAPI card_write_file(PCARD_DATA card, LPSTR dir, LPSTR name, DWORD flags, PBYTE data,
			     DWORD len)
{
	struct module *module;
	struct path path;
	DWORD status = enter_file(card, "CardWriteFile", dir, name, &module, &path);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (flags != 0 || !data || len == 0)
		return module_bad_argument(module, "dwFlags is not 0, or there is nothing to write");
	return path.is_cert ? store(module, &path, BYTES(data, len)) : written_by_card(module);
}

DWORD WINAPI card_delete_file(PCARD_DATA card, LPSTR dir, LPSTR name, DWORD flags)
{
	struct module *module;
	struct path path;
	DWORD status = enter_file(card, "CardDeleteFile", dir, name, &module, &path);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (flags != 0)
		return module_bad_argument(module, "dwFlags is not 0");
	return path.is_cert ? store(module, &path, BYTES_NONE) : written_by_card(module);
}

/* A container has room for its certificate already, so that to create the file is to find it free. */
DWORD WINAPI card_create_file(PCARD_DATA card, LPSTR dir, LPSTR name, DWORD size,
			      CARD_FILE_ACCESS_CONDITION access)
{
	_cleanup_(kf_container_freep) struct kf_container *container = NULL;
	struct module *module;
	struct path path;
	DWORD status = enter_file(card, "CardCreateFile", dir, name, &module, &path);

	if (status == SCARD_E_FILE_NOT_FOUND)
		return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "the card",
				     "keep other files elsewhere",
				     "the card keeps certificates of its keys and nothing else");
	if (status != SCARD_S_SUCCESS)
		return status;
	if (size > KF_CERT_MAX || access == InvalidAc || access > AdminReadWriteAc)
		return module_bad_argument(module, "the file is longer than 4096 bytes, or has no "
						   "such access condition");
	if (path.is_cert)
		status = find_container(module, &path, &container);
	if (status != SCARD_S_SUCCESS)
		return status;
	if (path.is_cert && !(kf_container_flags(container) & KF_CONTAINER_CERT))
		return SCARD_S_SUCCESS;
	return module_refuse(module, ERROR_FILE_EXISTS, "the card's files", "write it",
			     "the file is there already");
}

DWORD WINAPI card_create_directory(PCARD_DATA card, LPSTR dir,
				   CARD_DIRECTORY_ACCESS_CONDITION access)
{
	struct module *module;
	bool in_mscp;
	DWORD status = module_enter(card, MODULE_CARD, "CardCreateDirectory", &module);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (!dir || access == InvalidDirAc || access > AdminCreateDeleteDirAc)
		return module_bad_argument(module, "there is no name, or no such access condition");
	if (parse_dir(module, dir, &in_mscp) == SCARD_S_SUCCESS)
		return module_refuse(module, ERROR_FILE_EXISTS, "the card's files", "use it",
				     "the directory is there already");
	return module_refuse(module, SCARD_E_UNSUPPORTED_FEATURE, "the card",
			     "keep other files elsewhere", "the card has one directory, mscp");
}

DWORD WINAPI card_delete_directory(PCARD_DATA card, LPSTR dir)
{
	struct module *module;
	bool in_mscp;
	DWORD status = module_enter(card, MODULE_CARD, "CardDeleteDirectory", &module);

	if (status != SCARD_S_SUCCESS)
		return status;
	if (!dir)
		return module_bad_argument(module, "there is no name");
	status = parse_dir(module, dir, &in_mscp);
	return status != SCARD_S_SUCCESS
		       ? status
		       : module_refuse(module, ERROR_DIR_NOT_EMPTY, "the card's files",
				       "leave it", "the container map is in it, always");
}
