/** What a person sees of HTML, spammers' tricks undone: a comment or a tag within a word hides it from a simple filter. */

const COMMENT = /<!--[\s\S]*?(?:-->|$)|<![^<>]*>/g
const UNSEEN = /<(script|style)\b[\s\S]*?(?:<\/\1[^<>]*>?|$)/gi
const LINK = /\b(?:href|src|action)\s*=\s*["']?https?:\/\/([^\s"'/<>:]+)/gi
const TAG_WITHIN_WORD = /<\/?(?:a|b|big|em|font|i|small|span|strong|u)\b[^<>]*>/gi
const TAG = /<[^<>]*>/g
const ENTITY = /&(?:#x([0-9a-f]{1,6})|#([0-9]{1,7})|([a-z]+));?/gi

const NAMED: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** The text, and behind it the names of the machines that its links lead to. */
export function textOfHtml(html: string): string {
  const source = html.replace(COMMENT, '').replace(UNSEEN, ' ')
  const hosts = Array.from(source.matchAll(LINK), (match) => match[1])
  const text = source.replace(TAG_WITHIN_WORD, '').replace(TAG, ' ').replace(ENTITY, decodeEntity)
  return `${text} ${hosts.join(' ')}`
}

function decodeEntity(_: string, hex: string | undefined, decimal: string | undefined, name = ''): string {
  if (hex === undefined && decimal === undefined) return NAMED[name.toLowerCase()] ?? ' '
  const code = hex === undefined ? Number(decimal) : parseInt(hex, 16)
  return code <= 0x10ffff ? String.fromCodePoint(code) : ' '
}
