// FILE of bodies -> a line each: what a server in Node reads: "-", or method, name, uri, ref.type, ref.name, ref.uri in hexadecimal,
// and the arguments amount and to[0].account.
import fs from 'node:fs'

const bytes = fs.readFileSync(process.argv[2])
const hex = (value) => (typeof value === 'string' ? Buffer.from(value, 'utf8').toString('hex') + '.' : '-')
const bits = new DataView(new ArrayBuffer(8))
function value(of) {
    if (of === undefined) return '-'
    if (of === null) return 'z'
    if (typeof of === 'string') return `s${hex(of)}`
    if (typeof of === 'boolean') return of ? 'b1' : 'b0'
    if (typeof of !== 'number') return 'o'
    bits.setFloat64(0, of + 0)
    return `n${bits.getBigUint64(0).toString(16).padStart(16, '0')}`
}
const lines = []
for (let at = 0; at < bytes.length;) {
    const size = bytes.readUInt32LE(at)
    const body = bytes.subarray(at + 4, at + 4 + size)
    at += 4 + size
    try {
        const message = JSON.parse(new TextDecoder().decode(body)) // without a byte order mark, as body parsers do
        const params = message?.params ?? {}
        const ref = params.ref ?? {}
        const found = params.arguments ?? {}
        const to = found.to?.[0] ?? {}
        lines.push([...[message?.method, params.name, params.uri, ref.type, ref.name, ref.uri].map(hex), value(found.amount), value(to.account)].join(' '))
    } catch {
        lines.push('-')
    }
}
fs.writeSync(1, lines.join('\n') + '\n')
