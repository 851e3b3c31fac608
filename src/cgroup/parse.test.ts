import { assert, bigInt, oneof, property, string, stringMatching } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MalformedError } from '#errors/errors.ts';
import { KernelText } from '#host/kernel-text.ts';
import { blkioStats, parseBlkio, parseIoStat } from './io.ts';
import { parseNetDev } from './network.ts';
import {
  parseCount,
  parseCounts,
  parseCpuMax,
  parseFlatKeyed,
  parseLimit,
  parseV1MemoryLimit,
  parseV1Quota,
  WantedLines,
  WantedPairs,
} from './parse.ts';
import { parsePressure } from './pressure.ts';

const textOf = (text: string) => KernelText.of(text);

describe('parseCount', () => {
  it('keeps every digit of any count', () => {
    assert(
      property(bigInt({ min: 0n, max: 2n ** 64n - 1n }), (count) => {
        expect(parseCount(textOf(`${count}\n`))).toBe(count);
      }),
    );
  });

  it.each(['', '-1', '1.5', '0x10', '1 2', '123456789012345678901'])('refuses %j', (text) => {
    expect(() => parseCount(textOf(text))).toThrow(MalformedError);
  });
});

describe('parseCounts', () => {
  it('reads one for each CPU', () => {
    expect(parseCounts(textOf('76902925 0 18446744073709551615 \n'))).toEqual([76_902_925n, 0n, 2n ** 64n - 1n]);
    expect(() => parseCounts(textOf('1 x\n'))).toThrow(MalformedError);
  });
});

describe('limits', () => {
  it('knows the word for none', () => {
    expect(parseLimit(textOf('max\n'))).toBe('unlimited');
    expect(parseLimit(textOf('4096\n'))).toBe(4096n);
  });

  it('takes what v1 writes for no limit as none, with pages of 4 and of 64 KiB', () => {
    expect(parseV1MemoryLimit(textOf('9223372036854771712\n'))).toBe('unlimited');
    expect(parseV1MemoryLimit(textOf('9223372036854710272\n'))).toBe('unlimited');
    expect(parseV1MemoryLimit(textOf('9223372036854000000\n'))).toBe(9_223_372_036_854_000_000n);
  });

  it('reads quotas of both versions', () => {
    expect(parseV1Quota(textOf('-1\n'))).toBe('unlimited');
    expect(parseV1Quota(textOf('50000\n'))).toBe(50_000n);
    expect(parseCpuMax(textOf('max 100000\n'))).toEqual({ quotaUsec: 'unlimited', periodUsec: 100_000n });
    expect(parseCpuMax(textOf('50000 100000\n'))).toEqual({ quotaUsec: 50_000n, periodUsec: 100_000n });
  });
});

describe('parseFlatKeyed', () => {
  it('reads each line', () => {
    expect(parseFlatKeyed(textOf('anon 4096\nfile 18446744073709551615\n'))).toEqual({
      anon: 4096n,
      file: 2n ** 64n - 1n,
    });
  });

  it('keeps only what is wanted', () => {
    const lines = new WantedLines('slab', 'fil', 'file');
    expect(lines.parse(textOf('anon x\nfile 2\nslab 3'))).toEqual([3n, undefined, 2n]);
  });

  it.each(['anon\n', 'anon  1\n', ' 1\n', 'anon 1 2\n', 'anon x\n'])('refuses %j', (text) => {
    expect(() => parseFlatKeyed(textOf(text))).toThrow(MalformedError);
  });
});

describe('parseIoStat', () => {
  it('reads bytes, operations and what io.cost adds', () => {
    const text =
      '8:0 rbytes=90112 wbytes=299008 rios=7 wios=11 dbytes=4096 dios=1 cost.usage=12 cost.wait=3 cost.indebt=0 cost.indelay=1\n';
    expect(parseIoStat(textOf(text)).devices).toEqual([
      {
        device: '8:0',
        bytes: { read: 90_112n, write: 299_008n, discard: 4096n },
        operations: { read: 7n, write: 11n, discard: 1n },
        costUsec: { usage: 12n, wait: 3n, indebt: 0n, indelay: 1n },
      },
    ]);
  });

  it('leaves out a device without numbers', () => {
    expect(parseIoStat(textOf('7:0 \n8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n')).devices).toHaveLength(1);
  });

  it('leaves out values that are no counts', () => {
    const pairs = new WantedPairs('use_delay', 'depth', 'avg_lat', 'rios');
    expect(pairs.parse(textOf('8:0 use_delay=0 depth=max avg_lat=12.5 rios=1\n'))).toEqual([
      { name: '8:0', values: [0n, undefined, undefined, 1n] },
    ]);
  });
});

describe('v1 blkio', () => {
  const bytes =
    '8:0 Read 4096\n8:0 Write 8192\n8:0 Sync 12288\n8:0 Async 0\n8:0 Discard 0\n8:0 Total 12288\nTotal 12288\n';

  it('takes each operation once', () => {
    expect(parseBlkio(textOf(bytes))).toEqual(new Map([['8:0', { read: 4096n, write: 8192n, discard: 0n }]]));
  });

  it('joins bytes and operations by device', () => {
    expect(
      blkioStats(parseBlkio(textOf(bytes)), parseBlkio(textOf('8:16 Read 2\n8:16 Total 2\nTotal 2\n'))).devices,
    ).toEqual([
      { device: '8:0', bytes: { read: 4096n, write: 8192n, discard: 0n }, operations: {} },
      { device: '8:16', bytes: {}, operations: { read: 2n } },
    ]);
  });

  it('knows a file without devices', () => {
    expect(parseBlkio(textOf('Total 0\n'))).toEqual(new Map());
  });
});

describe('parsePressure', () => {
  it('reads both totals', () => {
    const text =
      'some avg10=0.12 avg60=1.00 avg300=0.00 total=123456\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9007199254740993\n';
    expect(parsePressure(textOf(text))).toEqual({ waitingUsec: 123_456n, stalledUsec: 9_007_199_254_740_993n });
  });

  it('has no zero for a line that is not there', () => {
    expect(parsePressure(textOf('full avg10=0.00 avg60=0.00 avg300=0.00 total=5\n'))).toEqual({ stalledUsec: 5n });
  });
});

describe('parseNetDev', () => {
  it('reads what each interface received and sent', () => {
    const text = [
      'Inter-|   Receive                                                |  Transmit',
      ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
      '    lo:  1000      10    1    2    0     0          0         0     2000      20    3    4    0     0       0          0',
      '  eth0:0: 5 6 7 8 0 0 0 0 9 10 11 12 0 0 0 0',
      '',
    ].join('\n');
    expect(parseNetDev(textOf(text))).toEqual([
      {
        name: 'lo',
        receive: { bytes: 1000n, packets: 10n, errors: 1n, dropped: 2n },
        transmit: { bytes: 2000n, packets: 20n, errors: 3n, dropped: 4n },
      },
      {
        name: 'eth0:0',
        receive: { bytes: 5n, packets: 6n, errors: 7n, dropped: 8n },
        transmit: { bytes: 9n, packets: 10n, errors: 11n, dropped: 12n },
      },
    ]);
  });
});

describe('every parser', () => {
  const parsers = {
    parseCount,
    parseCounts,
    parseLimit,
    parseFlatKeyed,
    parseV1MemoryLimit,
    parseV1Quota,
    wantedLines: (text: KernelText) => new WantedLines('a', 'b1').parse(text),
    wantedPairs: (text: KernelText) => new WantedPairs('a', 'b1').parse(text),
    parseIoStat,
    parseBlkio,
    parsePressure,
    parseNetDev,
    parseCpuMax,
  };
  it.each(Object.entries(parsers))('%s returns or throws MalformedError, whatever the text', (_name, parse) => {
    assert(
      property(oneof(string(), stringMatching(/^[a-z0-9:=. \n-]*$/)), (text) => {
        expect(() => returnsOrThrowsItsOwn(parse, text)).not.toThrow();
      }),
    );
  });
});

function returnsOrThrowsItsOwn(parse: (text: KernelText) => unknown, text: string): void {
  try {
    parse(textOf(text));
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
  }
}
