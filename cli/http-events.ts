/** What a scheduler tells again and again over one HTTP response: server-sent events. */
import type { IncomingMessage } from 'node:http'

/** An event that is longer than this is none of a scheduler's. */
const MAX_EVENT_CHARACTERS = 64 * 1024 * 1024

/** The data of each event, until the response ends. */
export async function* eventsOf(response: IncomingMessage): AsyncGenerator<string> {
  let rest = ''
  response.setEncoding('utf8')
  for await (const text of response as AsyncIterable<string>) {
    const events = (rest + text).split('\n\n')
    rest = events.pop() ?? ''
    if (rest.length > MAX_EVENT_CHARACTERS) throw new Error('an event has no end')
    for (const event of events) {
      const data = event.split('\n').filter((line) => line.startsWith('data:'))
      if (data.length > 0) yield data.map((line) => line.slice('data:'.length).trimStart()).join('\n')
    }
  }
}
