// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/byok_source.c - Fork, exec, and two questions over one descriptor. A module that hangs is ended
 * at the deadline, and one that crashes takes nothing of ours with it.
 */
#include "tools/byok_source.h"
#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/error.h"
#include "libserver/json/object.h"

#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { ANSWER_MS = 120000, LEAVE_MS = 5000, CHILD_FD = 3 };

/* Beside us, as in the build tree, or in ../libexec/keyferry, as installed. */
static int find_helper(char out[static PATH_MAX])
{
	static const char *const places[] = { "", "../libexec/keyferry/" };
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *dir;

	if (n < 0)
		return -errno;
	self[n] = '\0';
	dir = dirname(self);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int len = snprintf(out, PATH_MAX, "%s/%skeyferry-pkcs11", dir, places[i]);

		if (len > 0 && len < PATH_MAX && access(out, X_OK) == 0)
			return 0;
	}
	return -ENOENT;
}

/*
 * In the child: the link at its number, nothing to read and nowhere to print, since what a module says is
 * not our output, and its errors where ours go.
 */
__attribute__((noreturn)) static void become_helper(const char *path, int link, pid_t parent)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	null = fcntl(null, F_DUPFD_CLOEXEC, CHILD_FD + 1);	/* wherever the two were */
	link = fcntl(link, F_DUPFD_CLOEXEC, CHILD_FD + 1);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent && dup2(null, 0) == 0 &&
	    dup2(null, 1) == 1 && dup2(link, CHILD_FD) == CHILD_FD &&
	    close_range(CHILD_FD + 1, ~0U, 0) == 0)
		(void)execl(path, "keyferry-pkcs11", (char *)NULL);
	_exit(127);
}

static int start(struct byok_source *source, struct kf_error *e)
{
	char path[PATH_MAX];
	int pair[2], r = find_helper(path);
	pid_t parent = getpid();

	if (r < 0)
		return error_why(e, r, "a module runs in a process of its own",
				 "install keyferry whole: it belongs into libexec/keyferry",
				 "keyferry-pkcs11 is not beside keyferry");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	source->pid = fork();
	if (source->pid == 0)
		become_helper(path, pair[1], parent);
	r = source->pid < 0 ? -errno : 0;
	fd_close(pair[1]);
	if (r < 0)
		fd_close(pair[0]);
	else
		source->fd = pair[0];
	return r;
}

static int helper_gone(struct kf_error *e)
{
	return error_why(e, -EIO, "PKCS #11", "try the module with pkcs11-tool; look at its log",
			 "the module ended its process");
}

/* Return: 0, -ETIMEDOUT, -errno. */
static int wait_readable(int fd, unsigned int ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	struct deadline until = deadline_in(ms);
	int r;

	do
		r = poll(&p, 1, deadline_poll_ms(until));
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

static int ask(struct byok_source *source, struct bytes question, struct secret *answer,
	       struct kf_error *e)
{
	ssize_t n;
	int r;

	if (send(source->fd, question.p, question.n, MSG_NOSIGNAL) != (ssize_t)question.n)
		return helper_gone(e);
	r = wait_readable(source->fd, ANSWER_MS);
	if (r < 0 && r != -ETIMEDOUT)
		return r;
	if (r < 0)
		return error_why(e, -ETIMEDOUT, "two minutes for an answer",
				 "try the module with pkcs11-tool; the token may keep a key of this session "
				 "until it ends the session",
				 "the module does not answer");
	n = recv(source->fd, answer->p, answer->cap, MSG_TRUNC);
	if (n <= 0)
		return helper_gone(e);
	if ((size_t)n > answer->cap)
		return -EMSGSIZE;
	answer->n = (size_t)n;
	return 0;
}

/* What the helper failed of, if that is its answer; else it speaks nonsense. */
static int failure(const struct secret *answer, struct kf_error *e)
{
	struct kf_error told;

	if (source_failed_parse(secret_bytes(answer), &told) < 0)
		return error_why(e, -EBADMSG, "tools/link/message.h", "try it again",
				 "the module's process does not make sense");
	if (e)
		*e = told;
	return told.code;
}

static struct bytes text_of(const char *text)
{
	return text ? BYTES(text, strlen(text)) : BYTES_NONE;
}

static int find_key(struct byok_source *source, const struct byok_source_name *name,
		    const struct secret *pin, struct secret *packet, struct kf_error *e)
{
	struct packer p = pack_begin(packet->p, packet->cap);
	struct source_found found = { 0 };
	const struct source_open open = {
		.module = text_of(name->module), .token = text_of(name->token),
		.label = text_of(name->label), .id = name->id,
		.pin = secret_bytes(pin),
	};
	int r;

	source_open_pack(&p, &open);
	if (pack_end(&p) < 0)
		return -EMSGSIZE;
	packet->n = p.n;
	r = ask(source, secret_bytes(packet), packet, e);
	if (r < 0)
		return r;
	if (source_found_parse(secret_bytes(packet), &found) < 0)
		return failure(packet, e);
	source->type = found.type;
	source->spki_len = found.spki.n;
	if (found.spki.n > 0)
		memcpy(source->spki, found.spki.p, found.spki.n);
	return 0;
}

int byok_source_open(struct byok_source *source, const struct byok_source_name *name,
		     const struct secret *pin, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret packet = SECRET_INIT;
	int r = secret_init(&packet, SOURCE_PACKET_MAX);

	if (r == 0)
		r = start(source, e);
	if (r == 0)
		r = find_key(source, name, pin, &packet, e);
	return error_what(e, r, "cannot use the PKCS #11 source");
}

int byok_source_wrap(struct byok_source *source, const struct source_wrap *want, struct packer *blob,
		     enum source_way *way, bool *zeros, struct kf_error *e)
{
	_cleanup_(secret_deinit) struct secret packet = SECRET_INIT;
	struct source_wrapped wrapped = { 0 };
	struct packer p;
	int r = secret_init(&packet, SOURCE_PACKET_MAX);

	if (r < 0)
		return r;
	p = pack_begin(packet.p, packet.cap);
	source_wrap_pack(&p, want);
	packet.n = p.n;
	r = ask(source, secret_bytes(&packet), &packet, e);
	if (r == 0 && source_wrapped_parse(secret_bytes(&packet), &wrapped) < 0)
		r = failure(&packet, e);
	if (r < 0)
		return error_what(e, r, "cannot wrap the key in its token");
	pack_bytes(blob, wrapped.blob);
	*way = wrapped.way;
	*zeros = wrapped.zeros;
	return pack_end(blob);
}

void byok_source_close(struct byok_source *source)
{
	int over = source->pid > 0 ? (int)syscall(SYS_pidfd_open, source->pid, 0) : -1;

	/* It hears that we are gone, destroys what it made in the token, and ends. */
	source->fd = fd_close(source->fd);
	if (over >= 0)
		(void)wait_readable(over, LEAVE_MS);
	fd_close(over);
	if (source->pid > 0) {
		(void)kill(source->pid, SIGKILL);
		while (waitpid(source->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	source->pid = -1;
}

const char *byok_way_words(enum source_way way)
{
	switch (way) {
	case SOURCE_WHOLE:
		return "inside the token, by CKM_RSA_AES_KEY_WRAP";
	case SOURCE_TWO_STEPS:
		return "inside the token, under an AES key of its own";
	case SOURCE_DIRECT:
		return "inside the token, by OAEP alone";
	case SOURCE_OUR_AES:
		return "inside the token, but under an AES key that was in this machine's memory";
	default:
		return "outside: the key itself was in this machine's memory";
	}
}
