// FILE of URIs, one a line -> a line each: what it names in Node (WHATWG URL): "-" for none, "!" where that is spelled otherwise.
import fs from 'node:fs'

const lines = []
for (const uri of fs.readFileSync(process.argv[2], 'utf8').split('\n').slice(0, -1)) {
    try {
        const url = new URL(uri)
        const named = JSON.stringify([url.protocol, url.host, decodeURIComponent(url.pathname), [...url.searchParams], url.search.includes('=')])
        lines.push(url.href === uri ? named : `!${named}`)
    } catch {
        lines.push('-')
    }
}
fs.writeSync(1, lines.join('\n') + '\n')
