/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/monitor/sandbox.h"

#include "daemon/monitor/monitor.h"
#include "sandbox/guard.h"
#include "sandbox/sandbox.h"

#include <errno.h>
#include <libgen.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define NAMESPACES (CLONE_NEWCGROUP | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID | \
		    CLONE_NEWUSER | CLONE_NEWUTS)

static const struct filter_rule calls[] = {
	/* files: device nodes, sysfs, the configuration and who is named in it, programs, libraries */
	FILTER_ANY(access),
	FILTER_ANY(faccessat),
	FILTER_ANY(faccessat2),
	FILTER_ANY(flock),
	FILTER_ANY(fstat),
	FILTER_ANY(fstatfs),
	FILTER_ANY(getcwd),
	FILTER_ANY(getdents64),
	FILTER_ANY(inotify_add_watch),
	FILTER_ANY(inotify_init1),
	FILTER_ANY(inotify_rm_watch),
	FILTER_ANY(lseek),
	FILTER_ANY(lstat),
	FILTER_ANY(newfstatat),
	FILTER_ANY(open),
	FILTER_ANY(openat),
	FILTER_ANY(pread64),
	FILTER_ANY(readlink),
	FILTER_ANY(readlinkat),
	FILTER_ANY(readv),
	FILTER_ANY(rename),		/* the socket, once it listens */
	FILTER_ANY(renameat),
	FILTER_ANY(renameat2),
	FILTER_ANY(setitimer),		/* a device that holds up a read in sysfs */
	FILTER_ANY(stat),
	FILTER_ANY(statfs),
	FILTER_ANY(statx),
	FILTER_ANY(umask),
	FILTER_ANY(uname),
	FILTER_ANY(unlink),
	FILTER_ANY(unlinkat),
	/* sockets: the broker's, virtual readers, uevents, readiness */
	FILTER_IF(socket, 0, AF_UNIX),
	FILTER_IF(socket, 0, AF_NETLINK),
	/* A module of the name service that asks the network itself finds nobody [keyferryd.conf]. */
	FILTER_REFUSE(socket, 0, AF_INET, EAFNOSUPPORT),
	FILTER_REFUSE(socket, 0, AF_INET6, EAFNOSUPPORT),
	FILTER_ANY(socketpair),
	FILTER_ANY(accept4),
	FILTER_ANY(bind),
	FILTER_ANY(connect),
	FILTER_ANY(getpeername),
	FILTER_ANY(getsockname),
	FILTER_ANY(getsockopt),
	FILTER_ANY(listen),
	FILTER_ANY(setsockopt),
	FILTER_ANY(shutdown),
	/* events */
	FILTER_ANY(epoll_create1),
	FILTER_ANY(epoll_ctl),
	FILTER_ANY(epoll_pwait),
	FILTER_ANY(epoll_pwait2),	/* libnss_systemd, some day */
	FILTER_ANY(epoll_wait),
	FILTER_ANY(eventfd2),
	FILTER_ANY(pipe2),
	FILTER_ANY(signalfd4),
	FILTER_ANY(timerfd_create),
	FILTER_ANY(timerfd_settime),
	/* children */
	FILTER_NEVER(clone, 0, NAMESPACES),
	FILTER_ANY(close_range),
	FILTER_ANY(dup),
	FILTER_ANY(dup2),
	FILTER_ANY(dup3),
	FILTER_ANY(execve),
	FILTER_ANY(getppid),
	FILTER_ANY(kill),
	FILTER_ANY(pidfd_open),
	FILTER_ANY(tgkill),
	FILTER_ANY(wait4),
	FILTER_ANY(waitid),
	/* what those do before they close themselves in */
	FILTER_ANY(arch_prctl),
	FILTER_ANY(capget),
	FILTER_ANY(getegid),
	FILTER_ANY(geteuid),
	FILTER_ANY(getgid),
	FILTER_ANY(getgroups),
	FILTER_ANY(getrlimit),
	FILTER_ANY(ioctl),		/* usbfs; the filter of a driver names each */
	FILTER_ANY(landlock_add_rule),
	FILTER_ANY(landlock_create_ruleset),
	FILTER_ANY(landlock_restrict_self),
	FILTER_ANY(memfd_secret),
	FILTER_ANY(mmap),		/* libraries are code */
	FILTER_ANY(mprotect),
	FILTER_ANY(prctl),
	FILTER_ANY(prlimit64),
	FILTER_ANY(rseq),
	FILTER_ANY(sched_getaffinity),
	FILTER_ANY(sched_yield),
	FILTER_ANY(seccomp),
	FILTER_ANY(set_robust_list),
	FILTER_ANY(set_tid_address),
	FILTER_ANY(setrlimit),
	FILTER_ANY(sigaltstack),
};

enum { DRIVER, BROKER, CONFIG, SOCKET, NAMED };

/*
 * Controllers come and go, and folders below /dev with them, so all of it has to stay open. Users
 * and groups of the configuration may be kept in more places than /etc.
 */
static const struct landlock_path everywhere[] = {
	{ "/usr", LANDLOCK_RUN }, { "/lib", LANDLOCK_RUN }, { "/lib64", LANDLOCK_RUN },
	{ "/etc", LANDLOCK_READ }, { "/sys", LANDLOCK_READ },
	{ "/dev", LANDLOCK_READ | LANDLOCK_WRITE },
	{ "/run/systemd/userdb", LANDLOCK_READ }, { "/run/userdb", LANDLOCK_READ },
	{ "/var/lib/sss", LANDLOCK_READ },
#ifdef KF_SAN
	{ "/proc", LANDLOCK_READ },	/* where a sanitizer looks for its own memory */
#endif
};

#define N_EVERYWHERE (sizeof(everywhere) / sizeof(everywhere[0]))

/**
 * struct places - what stays of the file system
 * @parents:	folders of the files that the command line names, owned here
 */
struct places {
	struct landlock_path paths[NAMED + N_EVERYWHERE];
	char parents[NAMED][PATH_MAX];
};

/* The folder: what is in it may be replaced by a file of that name while we run. */
static void name_parent(struct places *places, int which, const char *path, unsigned int may)
{
	char copy[PATH_MAX];

	places->paths[which] = (struct landlock_path){ places->parents[which], may };
	if (path && snprintf(copy, sizeof(copy), "%s", path) < (int)sizeof(copy))
		(void)snprintf(places->parents[which], PATH_MAX, "%s", dirname(copy));
}

/* The program itself may be reached by a link. */
static void name_program(struct places *places, int which, const char *path)
{
	char real[PATH_MAX];

	name_parent(places, which, path[0] && realpath(path, real) ? real : NULL, LANDLOCK_RUN);
}

static void collect(const struct monitor *monitor, struct places *places)
{
	memcpy(&places->paths[NAMED], everywhere, sizeof(everywhere));
	name_program(places, DRIVER, monitor->driver_path);
	name_program(places, BROKER, monitor->broker_path);
	name_parent(places, CONFIG, monitor->config->conf_path, LANDLOCK_READ);
	name_parent(places, SOCKET, monitor->config->socket, LANDLOCK_SOCKETS);
}

int monitor_sandbox(const struct monitor *monitor, uint32_t *guards)
{
	static struct places places;
	const struct sandbox sandbox = {
		.calls = calls, .n_calls = sizeof(calls) / sizeof(calls[0]),
		.paths = places.paths, .n_paths = NAMED + N_EVERYWHERE,
	};

	if (monitor->config->driver || monitor->config->broker) {
		*guards = guard_measure() | guard_seccomp();
		return 0;
	}
	collect(monitor, &places);
	return sandbox_enter(&sandbox, guards);
}
