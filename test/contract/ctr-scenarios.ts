/** What our answer may differ in, and why; also the rows of docs/containerd-compatibility.md. */
export interface Difference {
  /** One sentence for users. */
  readonly why: string;
  readonly code?: number;
  /** What our standard output and error must match where they are not containerd's. */
  readonly stdout?: RegExp;
  readonly stderr?: RegExp;
}

/** One command of ctr; `{rootfs}`, `{dir}` and `{ns}` are the test's own. */
export interface Step {
  readonly args: string;
  readonly stdin?: string;
  readonly terminal?: boolean;
  readonly differs?: Difference;
  /** A command to run again until it says this, for what happens by itself. */
  readonly until?: RegExp;
}

export interface Scenario {
  readonly name: string;
  readonly steps: readonly Step[];
}

const step = (args: string, more: Omit<Step, 'args'> = {}): Step => ({ args, ...more });
const sleeper = (id: string) => step(`run -d --rootfs {rootfs} ${id} /bin/sleep 1000`);
const remove = (id: string) => step(`tasks rm -f ${id}`);
const listed = step('tasks ls');

/** containerd answers UNKNOWN where a state forbids a verb; ours says which and names the state. */
const refusedState = (containerd: string, state: string): Difference => ({
  why: 'A verb that the state forbids is FAILED_PRECONDITION with containerd’s text and then the state, not UNKNOWN.',
  stderr: new RegExp(`${containerd}.*is ${state}`),
});

/** The same commands for containerd and for runlet. */
export const scenarios: readonly Scenario[] = [
  {
    name: 'namespaces',
    steps: [
      step('namespaces create {ns}.a k=v'),
      step('namespaces create {ns}.a'),
      step('namespaces ls'),
      step('namespaces label {ns}.a k= other=1'),
      step('namespaces ls'),
      step('namespaces ls -q'),
      step('namespaces create -- -bad'),
      step('namespaces rm {ns}.a'),
      step('namespaces rm {ns}.a'),
    ],
  },
  {
    name: 'containers',
    steps: [
      step('containers create --label app=shop --rootfs {rootfs} c1 /bin/true'),
      step('containers create --rootfs {rootfs} c1 /bin/true'),
      step('containers create --rootfs {rootfs} ../c /bin/true'),
      step('containers ls'),
      step('containers ls -q'),
      step('containers ls labels.app==shop'),
      step('containers ls labels.app==other'),
      step('containers ls id='),
      step('containers info c1'),
      step('containers info --spec c1'),
      step('containers info nope'),
      step('containers label c1 app= tier=db'),
      step('containers rm c1'),
      step('containers rm c1'),
    ],
  },
  {
    name: 'run in the foreground',
    steps: [
      step('run --rm --rootfs {rootfs} f1 /bin/echo hello'),
      step('run --rm --rootfs {rootfs} f2 /bin/sh -c {exit7}'),
      step('run --rm --cwd /tmp --rootfs {rootfs} f3 /bin/pwd'),
      step('run --rm --env A=1 --env B=x=y --rootfs {rootfs} f4 /bin/env'),
      step(
        'run --rm --memory-limit 33554432 --rootfs {rootfs} f5 /bin/cat /sys/fs/cgroup/memory/memory.limit_in_bytes',
      ),
      step('run --rm --pid-file {dir}/pid --rootfs {rootfs} f6 /bin/true'),
      step('run --rm --rootfs {rootfs} f7 /bin/nonesuch', {
        differs: {
          why: 'The text of a failed create is the runtime’s own, without the words of a shim.',
          code: 1,
          stderr: /exec: "\/bin\/nonesuch".*no such file or directory/s,
        },
      }),
      step('run --rm -t --rootfs {rootfs} f9 /bin/sh -c {tty}', { terminal: true }),
      step('run --rm --net-host --rootfs {rootfs} f10 /bin/true'),
      step('run --rm --with-ns uts:/proc/self/ns/uts --rootfs {rootfs} f11 /bin/hostname'),
      step('tasks ls'),
      step('containers ls'),
    ],
  },
  {
    name: 'run in the background and its verbs',
    steps: [
      sleeper('t1'),
      step('run -d --rootfs {rootfs} t1 /bin/true'),
      listed,
      step('tasks ls -q'),
      step('tasks ps t1'),
      step('tasks pause t1'),
      listed,
      step('tasks pause t1', { differs: refusedState('cannot pause a paused container', 'paused') }),
      step('tasks exec --exec-id e0 t1 /bin/true', {
        differs: refusedState('cannot exec in a paused state', 'paused'),
      }),
      step('tasks resume t1'),
      step('tasks resume t1', { differs: refusedState('cannot resume a running process', 'running') }),
      step('tasks exec --exec-id e1 t1 /bin/echo from inside'),
      step('tasks exec --exec-id e2 t1 /bin/sh -c {exit7}'),
      step('tasks exec --exec-id e3 t1 /bin/nonesuch', {
        differs: {
          why: 'The text of a failed exec is the runtime’s own, without the words of a shim.',
          code: 1,
          stderr: /exec: "\/bin\/nonesuch"|nonesuch/,
        },
      }),
      step('tasks exec -t --exec-id e4 t1 /bin/sh -c {tty}', { terminal: true }),
      step('tasks start t1', {
        differs: {
          why: 'A task that is there already is named with its state.',
          stderr: /task t1: already exists: task \S+ is running/,
        },
      }),
      step('tasks rm t1'),
      step('containers rm t1'),
      step('tasks kill -s KILL t1'),
      step('tasks ls', { until: /t1 +\d+ +STOPPED/ }),
      step('tasks kill t1', {
        differs: {
          why: 'Killing what has ended is NOT_FOUND as in containerd; the message goes on with the task’s state.',
          stderr: /process already finished: not found: task \S+ is stopped/,
        },
      }),
      step('tasks rm t1'),
      step('tasks rm t1'),
      listed,
      step('containers rm t1'),
    ],
  },
  {
    name: 'kill',
    steps: [
      sleeper('k1'),
      step('tasks kill -s 99 k1', {
        differs: {
          why: 'A number that is no signal is INVALID_ARGUMENT and named, not an unknown error.',
          code: 1,
          stderr: /invalid signal 99/,
        },
      }),
      step('tasks kill nope'),
      step('tasks kill -a -s KILL k1'),
      step('tasks ls', { until: /k1 +\d+ +STOPPED/ }),
      step('tasks kill -a -s KILL k1'),
      remove('k1'),
      step('containers rm k1'),
    ],
  },
  {
    name: 'create, then start',
    steps: [
      step('containers create --rootfs {rootfs} s1 /bin/echo started'),
      step('tasks start s1'),
      step('tasks start nope'),
      step('tasks ls'),
      step('containers rm s1'),
    ],
  },
  {
    name: 'metrics',
    steps: [
      sleeper('m1'),
      step('tasks metrics m1'),
      step('tasks metrics nope'),
      remove('m1'),
      step('tasks metrics m1'),
      step('containers rm m1'),
    ],
  },
  {
    name: 'leases',
    steps: [
      step('leases create --id L1 a=b'),
      step('leases create --id L1'),
      step('leases ls -q'),
      step('leases ls -q labels.a==c'),
      step('leases rm L1'),
      step('leases rm L1'),
    ],
  },
  {
    name: 'what is not there',
    steps: [
      step('tasks pause nope'),
      step('tasks ps nope'),
      step('tasks exec --exec-id e nope /bin/true'),
      step('tasks rm nope'),
      step('plugins ls id==tasks'),
    ],
  },
  {
    name: 'images',
    steps: [
      step('images ls', {
        differs: {
          why: 'There is no image store for containerd’s clients: images are pulled by `runlet images` and `runlet run`.',
          code: 1,
          stdout: /^$/,
          stderr: /runlet keeps no images.*--rootfs.*runlet run/,
        },
      }),
    ],
  },
];

/** Words of a shell that a line split at spaces could not hold. */
export const scripts: Readonly<Record<string, string>> = {
  exit7: 'exit 7',
  // Long enough for ctr to tell the terminal's size.
  tty: 'tty; sleep 1; exit 3',
};
