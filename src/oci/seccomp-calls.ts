/**
 * The system calls of Linux that a container may always make, by theme: names of amd64, arm64 and their 32-bit halves
 * (unistd.h of the kernel). A name that an architecture does not have counts for nothing there.
 */
export const harmlessCalls: Readonly<Record<string, readonly string[]>> = {
  files: words(`
    access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64
    fadvise64_64 arm_fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64
    fdatasync file_getattr file_setattr flock fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64
    futimesat getcwd getdents getdents64 lchown lchown32 link linkat _llseek lseek lstat lstat64 mkdir mkdirat mknod
    mknodat name_to_handle_at newfstatat oldfstat oldlstat oldstat open openat openat2 pread64 preadv preadv2 pwrite64
    pwritev pwritev2 read readahead readdir readlink readlinkat readv rename renameat renameat2 rmdir sendfile sendfile64
    splice stat stat64 statfs statfs64 statx symlink symlinkat sync sync_file_range sync_file_range2 arm_sync_file_range
    syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes vmsplice write writev
    fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr
    lremovexattr lsetxattr removexattr removexattrat setxattr setxattrat
    inotify_add_watch inotify_init inotify_init1 inotify_rm_watch fanotify_mark
    listmount statmount cachestat memfd_create pipe pipe2 ioctl`),
  memory: words(`
    brk madvise membarrier memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect mremap mseal msync munlock
    munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages map_shadow_stack process_mrelease`),
  processes: words(`
    alarm capget capset execve execveat exit exit_group fork getegid getegid32 geteuid geteuid32 getgid getgid32
    getgroups getgroups32 getpgid getpgrp getpid getppid getpriority getresgid getresgid32 getresuid getresuid32 getrlimit
    ugetrlimit getrusage getsid gettid getuid getuid32 get_robust_list get_thread_area kill nice pause pidfd_open
    pidfd_send_signal prctl prlimit64 ptrace process_vm_readv process_vm_writev restart_syscall rseq seccomp
    set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups
    setgroups32 setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32
    setrlimit setsid setuid setuid32 sysinfo tgkill times tkill uname olduname oldolduname vfork wait4 waitid waitpid getcpu
    landlock_add_rule landlock_create_ruleset landlock_restrict_self lsm_get_self_attr lsm_list_modules lsm_set_self_attr
    sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
    sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler
    sched_yield ioprio_get ioprio_set getrandom`),
  signals: words(`
    rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
    rt_sigtimedwait_time64 rt_tgsigqueueinfo sgetmask sigaction sigaltstack signal signalfd signalfd4 sigpending
    sigprocmask sigreturn sigsuspend ssetmask`),
  waiting: words(`
    epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2
    futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake poll ppoll ppoll_time64 pselect6 pselect6_time64
    select _newselect io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit`),
  time: words(`
    adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep
    clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete timer_getoverrun
    timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64
    timerfd_settime timerfd_settime64`),
  sockets: words(`
    accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 recvmsg
    send sendmmsg sendmsg sendto setsockopt shutdown socketpair`),
  messages: words(`
    ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink
    msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget`),
  processor: words(`
    arch_prctl modify_ldt breakpoint cacheflush set_tls uretprobe`),
};

/** System calls that the kernel would refuse or that are a danger without one of these capabilities. */
export const callsByCapability: readonly {
  readonly capabilities: readonly string[];
  readonly names: readonly string[];
}[] = [
  {
    capabilities: ['CAP_SYS_ADMIN'],
    names: words(`
        clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie mount mount_setattr move_mount open_tree
        open_tree_attr pivot_root quotactl quotactl_fd setdomainname sethostname setns swapoff swapon umount umount2
        unshare`),
  },
  { capabilities: ['CAP_SYS_ADMIN', 'CAP_BPF'], names: ['bpf'] },
  { capabilities: ['CAP_SYS_ADMIN', 'CAP_PERFMON'], names: ['perf_event_open'] },
  { capabilities: ['CAP_SYS_ADMIN', 'CAP_SYSLOG'], names: ['syslog'] },
  { capabilities: ['CAP_DAC_READ_SEARCH'], names: ['open_by_handle_at'] },
  { capabilities: ['CAP_SYS_BOOT'], names: ['kexec_file_load', 'kexec_load', 'reboot'] },
  { capabilities: ['CAP_SYS_CHROOT'], names: ['chroot'] },
  { capabilities: ['CAP_SYS_MODULE'], names: ['delete_module', 'finit_module', 'init_module'] },
  {
    capabilities: ['CAP_SYS_NICE'],
    names: words(`get_mempolicy mbind migrate_pages move_pages set_mempolicy set_mempolicy_home_node`),
  },
  { capabilities: ['CAP_SYS_PACCT'], names: ['acct'] },
  { capabilities: ['CAP_SYS_PTRACE'], names: ['kcmp', 'pidfd_getfd', 'process_madvise'] },
  { capabilities: ['CAP_SYS_RAWIO'], names: ['ioperm', 'iopl'] },
  {
    capabilities: ['CAP_SYS_TIME'],
    names: ['clock_settime', 'clock_settime64', 'settimeofday', 'stime'],
  },
  { capabilities: ['CAP_SYS_TTY_CONFIG'], names: ['vhangup'] },
];

/**
 * Known and never allowed: they reach what has no namespace (keyrings), are mostly a way into the kernel (io_uring,
 * userfaultfd), or are long dead. They answer EPERM, as do those above without their capability.
 */
export const refusedCalls: readonly string[] = words(`
  add_key keyctl request_key io_uring_enter io_uring_register io_uring_setup userfaultfd nfsservctl sysfs uselib ustat
  vm86 vm86old create_module get_kernel_syms query_module _sysctl vserver`);

function words(text: string): readonly string[] {
  return text.trim().split(/\s+/);
}
