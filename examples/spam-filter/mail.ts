/**
 * Reads a mail as it came over the wire (RFC 5322, MIME) and gives the text that a person would see: parts taken apart,
 * transfer encodings and character sets undone, HTML stripped. Half of all mail breaks some rule, so nothing here throws.
 */
import { textOfHtml } from './html.js'

export interface Mail {
  readonly subject: string
  /** All parts that are text, one after another. Attachments of other kinds are left out. */
  readonly text: string
}

interface Part {
  /** The first header of each name, in lower case. */
  readonly headers: ReadonlyMap<string, string>
  /** Still encoded; one character a byte. */
  readonly body: string
}

/** Mails with more parts than this were made to harm; the rest of theirs is left out. */
const MAX_PARTS = 100

export function parseMail(raw: Buffer): Mail {
  // Latin-1 keeps each byte as one character until it is known which character set a part is in.
  const parts = [readPart(raw.toString('latin1').replaceAll('\r\n', '\n'))]
  const texts: string[] = []
  for (const part of parts) {
    const type = part.headers.get('content-type')?.toLowerCase().trim() ?? 'text/plain'
    if (type.startsWith('multipart/')) parts.push(...readParts(part).slice(0, MAX_PARTS - parts.length))
    else if (type.startsWith('message/rfc822')) parts.push(readPart(part.body))
    else if (type.startsWith('text/html')) texts.push(textOfHtml(decodeBody(part)))
    else if (type.startsWith('text')) texts.push(decodeBody(part))
    if (parts.length > MAX_PARTS) break
  }
  return { subject: decodeWords(parts[0]?.headers.get('subject') ?? ''), text: texts.join('\n') }
}

function readPart(source: string): Part {
  const start = source.startsWith('From ') ? source.indexOf('\n') + 1 : 0 // The line with which a mailbox file begins a mail.
  const hasHeaders = /^[\w-]+:/.test(source.slice(start, start + 100))
  if (!hasHeaders) return { headers: new Map(), body: source.slice(start).replace(/^\n/, '') }
  const blankLine = source.indexOf('\n\n', start)
  const end = blankLine === -1 ? source.length : blankLine
  const headers = new Map<string, string>()
  for (const line of source
    .slice(start, end)
    .replace(/\n[ \t]+/g, ' ')
    .split('\n')) {
    const colon = line.indexOf(':')
    const name = line.slice(0, colon).toLowerCase()
    if (colon > 0 && !headers.has(name)) headers.set(name, line.slice(colon + 1).trim())
  }
  return { headers, body: source.slice(end + 2) }
}

function readParts({ headers, body }: Part): Part[] {
  const boundary = parameterOf(headers, 'boundary')
  if (boundary === undefined) return [{ headers: new Map(), body }]
  const line = new RegExp(`^--${boundary.replace(/[^\w]/g, '\\$&')}(?:--)?[ \\t]*(?:\\n|$)`, 'm')
  // What stands before the first boundary is meant for programs that don't know MIME.
  return body.split(line).slice(1).map(readPart)
}

/** A parameter of the content type: the `x` in `multipart/mixed; boundary="x"`. */
function parameterOf(headers: ReadonlyMap<string, string>, name: string): string | undefined {
  const match = new RegExp(`;\\s*${name}\\s*=\\s*(?:"([^"]+)"|([^\\s;"]+))`, 'i').exec(
    headers.get('content-type') ?? '',
  )
  return match?.[1] ?? match?.[2]
}

function decodeBody({ headers, body }: Part): string {
  const encoding = headers.get('content-transfer-encoding')?.toLowerCase()
  const charset = parameterOf(headers, 'charset')
  if (encoding === 'base64') return decodeCharset(Buffer.from(body, 'base64'), charset)
  return decodeCharset(encoding === 'quoted-printable' ? unquote(body) : Buffer.from(body, 'latin1'), charset)
}

/** Undoes quoted-printable: `=E9` is a byte, and `=` at the end of a line hides the line's end. */
function unquote(text: string): Buffer {
  const plain = text
    .replace(/=[ \t]*\n/g, '')
    .replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
  return Buffer.from(plain, 'latin1')
}

/** Headers say `=?iso-8859-1?Q?caf=E9?=` for `café`. Space between two such words belongs to neither. */
function decodeWords(header: string): string {
  return header
    .replace(/(\?=)\s+(?==\?)/g, '$1')
    .replace(/=\?([^?\s]+)\?([bq])\?([^?]*)\?=/gi, (_, charset: string, encoding: string, text: string) =>
      decodeCharset(
        encoding.toLowerCase() === 'b' ? Buffer.from(text, 'base64') : unquote(text.replaceAll('_', ' ')),
        charset,
      ),
    )
}

function decodeCharset(bytes: Buffer, charset = 'windows-1252'): string {
  try {
    return new TextDecoder(charset).decode(bytes)
  } catch {
    return bytes.toString('latin1') // A character set that nobody knows, such as "default".
  }
}
