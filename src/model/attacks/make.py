"""Named attacks on a safetensors reader, and the verdict of the Python package on them and on seeded mutations.

Run from the repository's root, with safetensors 0.8.0 for Python:

    PYTHONDONTWRITEBYTECODE=1 /tmp/venv/bin/python src/model/attacks/make.py
"""

import base64
import json
import struct
from pathlib import Path

import safetensors

HERE = Path(__file__).parent
SEED = 20_260_101
COUNT = 100_000


def info(shape='[1]', offsets='[0,4]', dtype='"F32"', more=''):
    return f'{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}{more}}}'


def tensors(**infos):
    return '{' + ','.join(f'"{name}":{text}' for name, text in infos.items()) + '}'


def file(header, body=4, length=None):
    text = header.encode() if isinstance(header, str) else header
    return struct.pack('<Q', len(text) if length is None else length) + text + bytes(range(body))


ONE = info()


def one(*args, body=4, **kwargs):
    return file(tensors(a=info(*args, **kwargs)), body)


VALID = {
    'valid-one': file(tensors(a=ONE)),
    'valid-empty': file('{}', 0),
    'valid-padded': file(f'{{"a":{ONE}}}      '),
    'valid-spaces': file(f' {{ "a" :\n{{ "dtype" : "F32" ,\t"shape":[ 1 ],"data_offsets":[0 , 4]}}}} '),
    'valid-metadata': file(f'{{"__metadata__":{{"format":"pt","x":""}},"a":{ONE}}}'),
    'valid-metadata-null': file(f'{{"__metadata__":null,"a":{ONE}}}'),
    'valid-unknown-field': one(more=',"later":[1.5,{"x":null}]'),
    'valid-prototype-names': file(tensors(__proto__=ONE, constructor=info('[0]', '[4,4]'))),
    'valid-escaped-names': file(f'{{"\\u0061\\n\\ud83d\\ude00é":{ONE}}}'),
    'valid-all-dtypes': file(tensors(
        i=info('[1]', '[0,8]', '"I64"'), f=info('[1]', '[8,12]'), j=info('[1]', '[12,16]', '"I32"'),
        b=info('[1]', '[16,18]', '"BF16"'), h=info('[1]', '[18,20]', '"F16"'), u=info('[2]', '[20,22]', '"U8"'),
        o=info('[2]', '[22,24]', '"BOOL"')), 24),
    'valid-zero-sized': file(tensors(c=info('[0]', '[4,4]'), b=info('[]'), a=info('[3,0]', '[0,0]'))),
    'valid-any-order': file(tensors(b=info('[1]', '[4,8]'), a=ONE), 8),
}
DEEP = 200
ATTACKS = {
    'nothing': b'',
    'length-cut': bytes(7),
    'length-alone': file('', 0),
    'length-beyond-file': file('{}', 0, 3),
    'length-beyond-limit': file('{}', 0, 100_000_001),
    'length-most': file('{}', 0, 2**64 - 1),
    'length-sign-bit': file('{}', 0, 2**63),
    'length-too-short': file(tensors(a=ONE), 4, 10),
    'utf8-bad-byte': file(b'{"\xff":' + ONE.encode() + b'}'),
    'utf8-overlong': file(b'{"\xc0\x80":' + ONE.encode() + b'}'),
    'utf8-surrogate': file(b'{"\xed\xa0\x80":' + ONE.encode() + b'}'),
    'utf8-cut': file(b'{"a\xe2\x82":' + ONE.encode() + b'}'),
    'byte-order-mark': file(f'\ufeff{{"a":{ONE}}}'),
    'json-cut': file(f'{{"a":{ONE}'),
    'json-trailing-comma': file(f'{{"a":{ONE},}}'),
    'json-trailing-value': file(f'{{"a":{ONE}}}{{}}'),
    'json-trailing-zero': file(f'{{"a":{ONE}}}\0'),
    'json-comment': file(f'{{/**/"a":{ONE}}}'),
    'json-single-quotes': file(f"{{'a':{ONE}}}"),
    'json-control-character': file(f'{{"a\n":{ONE}}}'),
    'json-bad-escape': file(f'{{"\\x61":{ONE}}}'),
    'json-lone-surrogate': file(f'{{"\\ud800":{ONE}}}'),
    'json-reversed-pair': file(f'{{"\\ude00\\ud83d":{ONE}}}'),
    'json-deep': one(more=',"x":' + '[' * DEEP + ']' * DEEP),
    'json-deep-unclosed': file('{"a":' * 2000),
    'json-infinity': one(more=',"x":1e999'),
    'json-leading-zero': one('[01]'),
    'json-nan': one('[NaN]'),
    'root-array': file('[]', 0),
    'root-null': file('null', 0),
    'root-text': file('"a"', 0),
    'metadata-array': file('{"__metadata__":[]}', 0),
    'metadata-number': file('{"__metadata__":{"a":1}}', 0),
    'metadata-null-value': file('{"__metadata__":{"a":null}}', 0),
    'metadata-twice': file('{"__metadata__":{},"__metadata__":{}}', 0),
    'metadata-key-twice': file('{"__metadata__":{"a":"1","a":"2"}}', 0),
    'metadata-as-tensor': file(f'{{"__metadata__":{ONE}}}'),
    'tensor-null': file('{"a":null}', 0),
    'tensor-array': file('{"a":["F32",[1],[0,4]]}'),
    'tensor-empty': file('{"a":{}}', 0),
    'tensor-twice': file(f'{{"a":{ONE},"a":{ONE}}}'),
    'tensor-twice-escaped': file(f'{{"a":{ONE},"\\u0061":{ONE}}}'),
    'field-twice': one(more=',"dtype":"F32"'),
    'unknown-field-twice': one(more=',"x":1,"x":1'),
    'dtype-missing': file('{"a":{"shape":[1],"data_offsets":[0,4]}}'),
    'shape-missing': file('{"a":{"dtype":"F32","data_offsets":[0,4]}}'),
    'offsets-missing': file('{"a":{"dtype":"F32","shape":[1]}}'),
    'dtype-unknown': one(dtype='"F33"'),
    'dtype-lower-case': one(dtype='"f32"'),
    'dtype-prototype': one(dtype='"constructor"'),
    'dtype-number': one(dtype='1'),
    'dtype-object': one(dtype='{"F32":null}'),
    'dtype-f64': one('[1]', '[0,8]', '"F64"', body=8),
    'dtype-f8': one('[4]', '[0,4]', '"F8_E4M3"'),
    'shape-negative': one('[-1]'),
    'shape-minus-zero': one('[-0]', '[0,0]', body=0),
    'shape-fraction': one('[1.0]'),
    'shape-exponent': one('[1e0]'),
    'shape-text': one('["1"]'),
    'shape-number': one('1'),
    'shape-null': one('null'),
    'shape-mismatch': one('[2]'),
    'shape-product-overflows': one('[4294967296,4294967296,0]', '[0,0]', body=0),
    'shape-bytes-overflow': one('[4611686018427387904]', '[0,0]', body=0),
    'shape-beyond-2-53': one('[0,9007199254740992]', '[0,0]', body=0),
    'shape-beyond-2-64': one('[0,18446744073709551616]', '[0,0]', body=0),
    'shape-65-sizes': one('[' + '1,' * 64 + '1]'),
    'shape-of-5000-bytes': one('[' + ' ' * 5000 + '1]'),
    'offsets-one': one(offsets='[0]'),
    'offsets-three': one(offsets='[0,4,4]'),
    'offsets-negative': one(offsets='[-4,0]'),
    'offsets-fraction': one(offsets='[0,4.0]'),
    'offsets-reversed': one(offsets='[4,0]'),
    'offsets-beyond-file': one('[1099511627776]', '[0,4398046511104]', body=8),
    'offsets-beyond-2-64': one(offsets='[0,18446744073709551620]'),
    'offsets-overlap': file(tensors(a=ONE, b=info('[1]', '[2,6]')), 6),
    'offsets-shared': file(tensors(a=ONE, b=ONE)),
    'offsets-hole': file(tensors(a=ONE, b=info('[1]', '[8,12]')), 12),
    'offsets-hole-first': one('[1]', '[4,8]', body=8),
    'body-cut': file(tensors(a=ONE), 3),
    'body-too-long': file(tensors(a=ONE), 5),
    'body-without-tensors': file('{}', 1),
}

TOKENS = [
    t.encode()
    for t in (
        '{', '}', '[', ']', ',', ':', '"', '\\', '-', '.', 'e1', '0', '1', '99999999999999999999', '1e999', 'null', 'true',
        '"F32"', '"F16"', '"F64"', '"shape"', ',"x":1', '"a":', '"__metadata__":{},', '\\u0061', '\\ud800', '\\n', 'é', '😀',
    )
]
DIGITS = b'0123456789'
MASK = 0xFFFFFFFF


class Random:
    """xorshift32, started by a murmur3 finalizer of seed and index."""

    def __init__(self, seed, index):
        x = (seed + index * 0x9E3779B9) & MASK
        x = ((x ^ (x >> 16)) * 0x85EBCA6B) & MASK
        x = ((x ^ (x >> 13)) * 0xC2B2AE35) & MASK
        self.state = (x ^ (x >> 16)) or 1

    def below(self, n):
        x = self.state
        x ^= (x << 13) & MASK
        x ^= x >> 17
        x ^= (x << 5) & MASK
        self.state = x
        return x % n


def mutation(bases, seed, index):
    """The twin of `mutation` in mutations.ts: the same numbers are drawn in the same order."""
    random = Random(seed, index)
    base = bases[random.below(len(bases))]
    split = 8 + struct.unpack('<Q', base[:8])[0]
    header, body = base[8:split], base[split:]
    for _ in range(1 + random.below(3)):
        kind = random.below(9)
        at = random.below(len(header) + 1)
        amount = random.below(256)
        if kind == 0:
            header = header[:at] + bytes([amount]) + header[at + 1:]
        elif kind == 1:
            header = header[:at] + bytes(b ^ (1 << amount % 8) for b in header[at:at + 1]) + header[at + 1:]
        elif kind == 2:
            header = header[:at] + TOKENS[amount % len(TOKENS)] + header[at:]
        elif kind == 3:
            header = header[:at] + header[at + 1 + amount % 8:]
        elif kind == 4:
            header = header[:at] + header[amount:amount + 16] + header[at:]
        elif kind == 5:
            while at < len(header) and header[at] not in DIGITS:
                at += 1
            header = header[:at] + DIGITS[amount % 10:amount % 10 + 1] + header[at + 1:]
        elif kind == 6:
            header = header[:at] + b' \t\n\r'[amount % 4:amount % 4 + 1] + header[at:]
        elif kind == 7:
            size = max(0, len(body) + amount % 9 - 4)
            body = body[:size] + bytes(size - len(body[:size]))
        else:
            body = bytes([amount]) * min(1, len(body)) + body[1:]
    damage = random.below(16)
    length = len(header) + (random.below(65) - 32 if damage == 0 else 0)
    whole = struct.pack('<Q', length & 0xFFFFFFFFFFFFFFFF) + header + body
    return whole[:random.below(len(whole))] if damage == 1 else whole


def accepted(data):
    try:
        safetensors.deserialize(data)
    except safetensors.SafetensorError:
        return False
    return True


def main():
    named = VALID | ATTACKS
    for old in HERE.glob('*.safetensors'):
        old.unlink()
    for name, data in named.items():
        (HERE / f'{name}.safetensors').write_bytes(data)
    verdicts = {name: accepted(data) for name, data in sorted(named.items())}
    bases = [data for _, data in sorted(VALID.items())]
    bits = bytearray(COUNT // 8)
    for i in range(COUNT):
        bits[i >> 3] |= accepted(mutation(bases, SEED, i)) << (i & 7)
    golden = dict(
        package=f'safetensors {safetensors.__version__}', named=verdicts, seed=SEED, count=COUNT,
        accepted=sum(b.bit_count() for b in bits), mutations=base64.b64encode(bits).decode(),
    )
    (HERE / 'verdicts.json').write_text(json.dumps(golden, indent=1) + '\n')
    print({k: v for k, v in golden.items() if k != 'mutations'})


main()
