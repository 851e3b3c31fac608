import { TerminalError } from '#errors/errors.ts';
import { readTextInRoot } from '#host/in-root.ts';
import type { RootfsUser } from './images.ts';

/** An entry of passwd(5), as far as it matters here. */
interface PasswdEntry {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** An entry of group(5). */
interface GroupEntry {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** Files of users longer than this are no files of users. */
const maxFileBytes = 4 * 1024 * 1024;
/** As runc's: numbers above mean "nobody set" in some calls of the kernel. */
const largestId = 2 ** 31 - 1;

/**
 * The user that `name`, `uid`, `name:group`, … means in a root file system, by its own `/etc/passwd` and `/etc/group`; empty
 * is user 0. Throws TerminalError (`InvalidSpec`) for a name that is not there, MalformedError for a file that is none.
 */
export async function userOf(rootfs: string, user: string): Promise<RootfsUser> {
  const [passwd = '', group = ''] = await Promise.all(
    ['/etc/passwd', '/etc/group'].map(async (file) => await readTextInRoot(rootfs, file, maxFileBytes)),
  );
  return resolveUser(user, parsePasswd(passwd), parseGroup(group));
}

/** The same of files that were read. Pure. */
export function resolveUser(text: string, users: readonly PasswdEntry[], groups: readonly GroupEntry[]): RootfsUser {
  const [, userName = '0', groupName = ''] = /^([^:]+)?(?::(.*))?$/s.exec(text) ?? [];
  const { name, uid, gid, home } = findUser(userName, users);
  // Whoever names a group wants that one alone.
  if (groupName) return { uid, gid: gidOf(groupName, groups), additionalGids: [], home };
  return { uid, gid, additionalGids: gidsOf(name, groups).filter((id) => id !== gid), home };
}

/** A number may also be somebody's name, and then the name is meant. */
function findUser(text: string, users: readonly PasswdEntry[]): PasswdEntry {
  const entry = users.find(({ name }) => name === text) ?? users.find(({ uid }) => String(uid) === text);
  if (entry) return entry;
  const uid = parseId(text, `there is no user ${JSON.stringify(text)} in the image's /etc/passwd`);
  return { name: '', uid, gid: 0, home: '/' };
}

function gidsOf(member: string, groups: readonly GroupEntry[]): readonly number[] {
  return [...new Set(groups.flatMap(({ gid, members }) => (members.some((name) => name === member) ? [gid] : [])))];
}

function gidOf(name: string, groups: readonly GroupEntry[]): number {
  const entry = groups.find((group) => group.name === name);
  return entry?.gid ?? parseId(name, `there is no group ${JSON.stringify(name)} in the image's /etc/group`);
}

function parseId(text: string, otherwise: string): number {
  const id = toId(text);
  if (id === undefined) throw new TerminalError('InvalidSpec', otherwise);
  return id;
}

function toId(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id <= largestId ? id : undefined;
}

/** passwd(5): `name:password:uid:gid:comment:home:shell`. Lines that do not follow the format are left out, as the C library does. */
export function parsePasswd(text: string): readonly PasswdEntry[] {
  return fieldsOf(text).flatMap(([name, , uidText, gidText, , home = '']) => {
    const uid = toId(uidText);
    const gid = toId(gidText);
    return name && uid !== undefined && gid !== undefined
      ? [{ name, uid, gid, home: home.startsWith('/') && !home.includes('\0') ? home : '/' }]
      : [];
  });
}

/** group(5): `name:password:gid:members`. Lines that do not follow the format are left out. */
export function parseGroup(text: string): readonly GroupEntry[] {
  return fieldsOf(text).flatMap(([name, , gidText, members = '']) => {
    const gid = toId(gidText);
    return name && gid !== undefined ? [{ name, gid, members: members.split(',').filter(Boolean) }] : [];
  });
}

function fieldsOf(text: string): readonly (readonly string[])[] {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
}
