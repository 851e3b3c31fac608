import {
  CommandFailedError,
  FailedPreconditionError,
  NotFoundError,
  PermissionDeniedError,
  ResourceExhaustedError,
  TerminalError,
  UnavailableError,
  isErrno,
} from '#errors/errors.ts';
import type { ErrorContext } from '#errors/errors.ts';

type Make = (message: string, context: ErrorContext) => Error;

interface Rule {
  /** What skopeo or umoci says. */
  readonly says: RegExp;
  /** What that means, in a sentence that begins with the image. */
  readonly means: string;
  readonly make: Make;
}

const exhausted: Make = (message, context) => new ResourceExhaustedError(message, context);
const notFound: Make = (message, context) => new NotFoundError(message, context);
const denied: Make = (message, context) => new PermissionDeniedError(message, context);
const refused: Make = (message, context) => new FailedPreconditionError(message, context);
const away: Make = (message, context) => new UnavailableError(message, context);
const terminal =
  (reason: string): Make =>
  (message, context) =>
    new TerminalError(reason, message, context);

/** In this order: the first that fits is meant, so that what is more exact stands above. */
const rules: readonly Rule[] = [
  { says: /no space left on device|disk quota exceeded/i, means: 'the disk of the node is full', make: exhausted },
  { says: /policy\.json: no such file/i, means: 'skopeo has no policy.json in /etc/containers', make: refused },
  { says: /rejected by policy|signature was required/i, means: "the node's signature policy refuses it", make: denied },
  {
    says: /no image found in (?:manifest list|image index)/i,
    means: 'it is not made for the platform of this node',
    make: terminal('WrongPlatform'),
  },
  {
    says: /tar\+zstd|unsupported (?:layer )?media-?type|unknown media type/i,
    means: 'it has layers of a kind (such as zstd) that the umoci of this node cannot unpack; push it with gzip',
    make: terminal('InvalidImage'),
  },
  {
    says: /server gave HTTP response to HTTPS client/i,
    means: 'its registry speaks plain http, which is allowed on loopback only',
    make: refused,
  },
  {
    says: /x509:|tls: |certificate/i,
    means: 'the certificate of its registry is not trusted by this node',
    make: refused,
  },
  { says: /toomanyrequests|too many requests|\b429\b/i, means: 'its registry asks to wait', make: away },
  {
    says: /unauthorized|authentication required|invalid username\/password|access to the resource is denied|\b40[13]\b|no basic auth/i,
    means: 'its registry refuses the credentials of --registry-auth, or wants some',
    make: denied,
  },
  {
    says: /manifest unknown|name unknown|repository name not known|\bnot found\b|no descriptor found|does not exist in|\b404\b/i,
    means: 'there is no such image',
    make: notFound,
  },
  {
    says: /no such file or directory|not a directory|not a docker-archive|loading tar component|unexpected EOF.*tar|more than one image in oci/i,
    means: 'there is no image of this kind at that path',
    make: notFound,
  },
  {
    says: /connection refused|connection reset|no such host|timeout|timed out|network is unreachable|no route to host|unexpected EOF|\bEOF\b|\b50[0234]\b|server misbehaving|temporary failure|broken pipe/i,
    means: 'its registry cannot be reached',
    make: away,
  },
];

/** What a failed program says of an image, as an error by which its caller knows what to do. Others are handed back. */
export function imageFailure(error: unknown, reference: string): unknown {
  if (isErrno(error, 'ENOSPC', 'EDQUOT')) {
    return new ResourceExhaustedError(`image ${reference}: the disk of the node is full`, { cause: error });
  }
  if (!(error instanceof CommandFailedError)) return error;
  const said = lastWords(error.stderr);
  const context = { cause: error, details: { reference } };
  if (error.signal !== undefined)
    return away(`image ${reference}: ${error.argv[0]} was ended by ${error.signal}`, context);
  const rule = rules.find(({ says }) => says.test(said));
  if (!rule) return new UnavailableError(`image ${reference}: ${said || 'skopeo or umoci failed'}`, context);
  return rule.make(`image ${reference}: ${rule.means}${said ? ` (${said})` : ''}`, context);
}

/** The text of skopeo's or umoci's last message, without its frame. */
export function lastWords(stderr: string): string {
  const line = stderr.trim().split('\n').at(-1) ?? '';
  const framed = /msg="((?:[^"\\]|\\.)*)"/.exec(line)?.[1];
  const text = framed === undefined ? line : framed.replaceAll(/\\(["\\])/g, '$1').replaceAll('\\n', ' ');
  return text
    .replace(/^\s*⨯\s*/, '')
    .replace(/^Error (?:parsing image name|determining manifest[^:]*|initializing source) "?[^\s"]*"?: /i, '')
    .replaceAll(/:\/\/[^/@\s]*@/g, '://')
    .slice(0, 500);
}
