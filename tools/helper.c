// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * tools/helper.c - Fork, exec, and questions over one descriptor. A module that hangs is ended at the
 * deadline, and one that crashes takes nothing of ours with it.
 */
#include "tools/helper.h"
#include "base/cleanup.h"
#include "base/deadline.h"
#include "base/error.h"

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

static struct bytes text_of(const char *text)
{
	return text ? BYTES(text, strlen(text)) : BYTES_NONE;
}

struct source_open key_name_open(const struct key_name *name, const struct secret *pin)
{
	return (struct source_open){
		.module = text_of(name->module), .token = text_of(name->token),
		.label = text_of(name->label), .id = name->id,
		.pin = secret_bytes(pin),
	};
}

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

int helper_start(struct helper *helper, struct kf_error *e)
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
	helper->pid = fork();
	if (helper->pid == 0)
		become_helper(path, pair[1], parent);
	r = helper->pid < 0 ? -errno : 0;
	fd_close(pair[1]);
	if (r < 0)
		fd_close(pair[0]);
	else
		helper->fd = pair[0];
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

int helper_ask(struct helper *helper, struct bytes question, struct secret *answer,
	       struct kf_error *e)
{
	ssize_t n;
	int r;

	if (send(helper->fd, question.p, question.n, MSG_NOSIGNAL) != (ssize_t)question.n)
		return helper_gone(e);
	r = wait_readable(helper->fd, ANSWER_MS);
	if (r < 0 && r != -ETIMEDOUT)
		return r;
	if (r < 0)
		return error_why(e, -ETIMEDOUT, "two minutes for an answer",
				 "try the module with pkcs11-tool; the token may keep a key of this session "
				 "until it ends the session",
				 "the module does not answer");
	n = recv(helper->fd, answer->p, answer->cap, MSG_TRUNC);
	if (n <= 0)
		return helper_gone(e);
	if ((size_t)n > answer->cap)
		return -EMSGSIZE;
	answer->n = (size_t)n;
	return 0;
}

int helper_failure(const struct secret *answer, struct kf_error *e)
{
	struct kf_error told;

	if (source_failed_parse(secret_bytes(answer), &told) < 0)
		return error_why(e, -EBADMSG, "tools/link/message.h", "try it again",
				 "the module's process does not make sense");
	if (e)
		*e = told;
	return told.code;
}

void helper_stop(struct helper *helper)
{
	int over = helper->pid > 0 ? (int)syscall(SYS_pidfd_open, helper->pid, 0) : -1;

	/* It hears that we are gone, destroys what it made in the token, and ends. */
	helper->fd = fd_close(helper->fd);
	if (over >= 0)
		(void)wait_readable(over, LEAVE_MS);
	fd_close(over);
	if (helper->pid > 0) {
		(void)kill(helper->pid, SIGKILL);
		while (waitpid(helper->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	helper->pid = -1;
}
