import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const headerBytes = 12 << 20
const heapMB = 128 // the header itself lies outside the heap

const tensor = '{"dtype":"U8","shape":[0],"data_offsets":[0,0]}'
const open = tensor.slice(0, -1)
const ofRank64 = tensor.replace('[0]', `[0${',1'.repeat(63)}]`)

/** What comes of a header of `before`, as many of `unit` as fit, where # is a number, and `after`. */
const headers = [
  ['accepted', '{"__metadata__":{"a":"', 'b', '"}}'],
  ['accepted', `{"a":${open},"x":[`, '[],', '0]}}'],
  ['accepted', `{"a":${open},"x":[`, '1.5,', '0]}}'],
  ['accepted', `{"a":${open},"x":{"-":0`, ',"#":0', '}}}'],
  ['accepted', `{"a":${tensor}`, `,"-#":${ofRank64}`, '}'],
  ['TooManyNames', `{"a":${tensor}`, `,"-#":${tensor}`, '}'],
  ['TooManyNames', '{"__metadata__":{"a":""', ',"-#":""', '}}'],
  ['InvalidHeaderDeserialization', '{"', '\\u0041', '":1}'],
  ['InvalidHeaderDeserialization', '{"a":{"shape":[1', ',1', ']}}'],
]

const script = `
  import { parseSafetensors } from ${JSON.stringify(new URL('safetensors.ts', import.meta.url).href)}
  const verdicts = []
  for (const [, before, unit, after] of ${JSON.stringify(headers)}) {
    const bytes = Buffer.alloc(8 + ${headerBytes}, ' ')
    bytes.writeBigUInt64LE(${headerBytes}n)
    let at = 8 + bytes.write(before, 8)
    const many = unit.includes('#') ? unit : unit.repeat(Math.floor(300 / unit.length))
    for (let i = 0; at < bytes.length - 400; i++) at += bytes.write(many.replace('#', i.toString(36)), at)
    bytes.write(after, at)
    try {
      parseSafetensors(bytes, 'x')
      verdicts.push('accepted')
    } catch (error) {
      verdicts.push(error.fault)
    }
  }
  console.log(JSON.stringify(verdicts))`

it('takes bounded memory for hostile headers', () => {
  const options = [`--max-old-space-size=${heapMB}`, '--import', 'tsx', '--input-type=module', '--eval', script]
  const cwd = fileURLToPath(new URL('.', import.meta.url))
  const { stdout, stderr } = spawnSync(process.execPath, options, { cwd, encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(JSON.parse(stdout)).toEqual(headers.map(([verdict]) => verdict))
}, 120_000)
