// FILE of bodies -> a line each: what a server in Node reads: "-", or method, name, uri, ref.type, ref.name, ref.uri in hexadecimal.
import fs from 'node:fs'

const bytes = fs.readFileSync(process.argv[2])
const hex = (value) => (typeof value === 'string' ? Buffer.from(value, 'utf8').toString('hex') + '.' : '-')
const lines = []
for (let at = 0; at < bytes.length;) {
    const size = bytes.readUInt32LE(at)
    const body = bytes.subarray(at + 4, at + 4 + size)
    at += 4 + size
    try {
        const message = JSON.parse(new TextDecoder().decode(body)) // without a byte order mark, as body parsers do
        const params = message?.params ?? {}
        const ref = params.ref ?? {}
        lines.push([message?.method, params.name, params.uri, ref.type, ref.name, ref.uri].map(hex).join(' '))
    } catch {
        lines.push('-')
    }
}
fs.writeSync(1, lines.join('\n') + '\n')
