/** The far end of a socket on which somebody asks for values: a worker that gives those that `valueOf` knows. */
import type { TaskId } from '../../protocol/ids.js'
import { fromHolder, toHolder, type FromHolder } from '../../protocol/messages/peer.js'
import type { Connection } from '../../protocol/transport/connection.js'
import { answer } from '../../protocol/transport/handshake.js'
import type { Socket } from '../../protocol/transport/socket.js'
import { serveValues } from '../../protocol/transport/value-server.js'

export function answerWithValues(socket: Socket, valueOf: (task: TaskId) => Uint8Array | undefined): void {
  answer({
    socket,
    self: 'worker',
    admit: () => ({
      incoming: toHolder,
      outgoing: fromHolder,
      handlers: (connection: Connection<FromHolder>) => serveValues(connection, valueOf),
    }),
  })
}
